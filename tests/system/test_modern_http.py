"""The modern revision (2026-07-28) over HTTP, in front of servers that speak a legacy one: raw requests, row by row what
the specification and the conformance suite's server-stateless scenario ask for."""

import time

import pytest

from harness import PATIENCE, example, fake, servers, wait_until
from http_client import EventStream
from mcp_client import ACCEPT, REVISIONS, dumps, initialize_params, notification, request, text_of
from modern_client import MODERN, PREFIX, SUBSCRIPTION, ModernHttp, headers_of, is_stamped, meta, modern

LEGACY = "2025-11-25"


@pytest.fixture
def m(shared):
    with ModernHttp(shared.address) as client:
        yield client


def without(message, *keys):
    for key in keys:
        message["params"]["_meta"].pop(PREFIX + key)
    return message


# ---- discover ----


def test_discover_tells_versions_capabilities_and_who_we_are(m):
    result = m.ask("server/discover")
    assert is_stamped(result, cacheable=True)
    assert result["supportedVersions"][0] == MODERN and LEGACY in result["supportedVersions"]
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert {"resources", "prompts", "completions", "logging"} <= set(result["capabilities"])
    assert "serverInfo" not in result and "protocolVersion" not in result


def test_discover_needs_no_client_info(m):
    r = m.post(without(modern(1, "server/discover"), "clientInfo"))
    assert r.status == 200 and r.json()["result"]["resultType"] == "complete"


@pytest.mark.parametrize("missing", ["all", "protocolVersion", "clientCapabilities"])
def test_discover_without_what_is_required_is_refused(m, missing):
    message = modern("one", "server/discover")
    if missing == "all":
        del message["params"]["_meta"]
    else:
        without(message, missing)
    status, error = m.error(message)
    assert (status, error["code"]) == (400, -32602)


def test_discover_without_params_is_refused(m):
    status, error = m.error({"jsonrpc": "2.0", "id": 1, "method": "server/discover"})
    assert (status, error["code"]) == (400, -32602)


# ---- versions ----


def test_a_version_that_nobody_speaks_is_answered_with_those_that_are(m):
    status, error = m.error(modern(7, "server/discover", version="v999.0.0"), mcp_protocol_version="v999.0.0")
    assert (status, error["code"]) == (400, -32022)
    assert error["data"]["requested"] == "v999.0.0"
    supported = m.ask("server/discover")["supportedVersions"]
    assert error["data"]["supported"] and set(error["data"]["supported"]) <= set(supported)


def test_a_legacy_version_in_meta_is_not_supported(m):
    status, error = m.error(modern(7, "tools/list", version=LEGACY), mcp_protocol_version=LEGACY)
    assert (status, error["code"], error["data"]["requested"]) == (400, -32022, LEGACY)


@pytest.mark.parametrize("version, header", [("v999.0.0", MODERN), (MODERN, LEGACY), (MODERN, "v999.0.0"), (MODERN, None)])
def test_a_version_header_that_differs_or_lacks_is_a_mismatch(m, version, header):
    status, error = m.error(modern(7, "tools/list", version=version), mcp_protocol_version=header)
    assert (status, error["code"]) == (400, -32020)


# ---- headers ----


@pytest.mark.parametrize(
    "changes",
    [{"mcp_method": None}, {"mcp_method": "tools/list"}, {"mcp_method": "Tools/Call"}, {"mcp_name": None}, {"mcp_name": "ex__Echo"},
     {"mcp_name": "=?base64?ZXhfX2VjaG8?="}],
)  # fmt: skip
def test_headers_must_repeat_the_body(m, changes):
    message = modern(7, "tools/call", {"name": "ex__echo", "arguments": {"text": "a"}})
    status, error = m.error(message, **changes)
    assert (status, error["code"]) == (400, -32020)


@pytest.mark.parametrize(
    "headers",
    [
        {"MCP-PROTOCOL-VERSION": MODERN, "MCP-METHOD": "tools/call", "MCP-NAME": "ex__echo"},
        {"mcp-protocol-version": MODERN, "mcp-method": "  tools/call  ", "mcp-name": " ex__echo "},
        {"Mcp-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?ZXhfX2VjaG8=?="},
    ],
)
def test_names_of_headers_have_any_case_and_values_may_be_padded_or_encoded(m, headers):
    message = modern(7, "tools/call", {"name": "ex__echo", "arguments": {"text": "a"}})
    r = m.post(message, {"Accept": ACCEPT, "Content-Type": "application/json", **headers})
    assert r.status == 200 and text_of(r.json()["result"]) == "a"


def test_a_header_that_comes_twice_is_a_mismatch(m):
    message = modern(7, "tools/list")
    headers = [*headers_of(message).items(), ("Mcp-Method", "tools/list")]
    status, error = m.error(message, headers)
    assert (status, error["code"]) == (400, -32020)


def test_accept_and_content_type_are_checked_as_ever(m):
    assert m.post(modern(1, "tools/list"), accept="application/json").status == 406
    assert m.post(modern(1, "tools/list"), content_type="text/plain").status == 415
    assert m.post(b"{", headers_of(modern(1, "tools/list"))).status == 400
    assert m.post(modern(1, "tools/list"), origin="http://evil.example").status == 403
    assert m.post(modern(1, "tools/list"), origin="http://localhost:3000").status == 200


def test_a_session_id_and_last_event_id_are_ignored(m):
    r = m.post(modern(1, "tools/list"), mcp_session_id="nonsense", last_event_id="7")
    assert r.status == 200 and r.header("mcp-session-id") is None


def test_a_preflight_allows_the_headers_of_the_revision(m):
    r = m.connection().exchange(
        "OPTIONS", "/mcp",
        {"Origin": "http://localhost:1", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "mcp-method"},
    )  # fmt: skip
    allowed = r.header("access-control-allow-headers").lower()
    assert "mcp-method" in allowed and "mcp-name" in allowed and "*" in allowed.replace(" ", "").split(",")


# ---- eras on one path ----


def test_initialize_with_a_modern_header_is_a_mismatch(m):
    message = request(1, "initialize", initialize_params(LEGACY))
    status, error = m.error(message, {"Accept": ACCEPT, "Content-Type": "application/json", "MCP-Protocol-Version": MODERN})
    assert (status, error["code"]) == (400, -32020)


@pytest.mark.parametrize("asked", [MODERN, "2030-01-01"])
def test_initialize_never_agrees_on_the_modern_revision(shared, asked):
    with shared.raw_client() as c:
        r = c.post(request(1, "initialize", initialize_params(asked)))
        assert r.status == 200 and r.json()["result"]["protocolVersion"] == LEGACY


@pytest.mark.parametrize("revision", REVISIONS)
def test_both_kinds_of_client_are_served_at_once(shared, m, revision):
    with shared.client(revision=revision) as c:
        assert c.text("ex__echo", {"text": "legacy"}) == "legacy"
        assert text_of(m.call("ex__echo", {"text": "modern"})) == "modern"
        assert "resultType" not in c.request("tools/list")


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_other_verbs_are_for_legacy_sessions(m, verb):
    r = m.connection().exchange(verb, "/mcp", {"Accept": ACCEPT, "MCP-Protocol-Version": MODERN})
    assert r.status == 405 and "POST" in r.header("allow")


def test_there_are_no_batches(m):
    one = modern(1, "tools/list")
    for body in ([one], [request(2, "ping"), one]):
        r = m.post(dumps(body).encode(), {"Accept": ACCEPT, "Content-Type": "application/json"})
        assert r.status == 400 and r.json()["error"]["code"] == -32600 and "id" not in r.json()


def test_notifications_are_taken_and_ignored(m):
    message = notification("notifications/cancelled", {"requestId": 1})
    assert m.post(message, headers_of(message)).status == 202
    message["params"]["_meta"] = meta()
    assert m.post(message, {"Accept": ACCEPT, "Content-Type": "application/json"}).status == 202


@pytest.mark.parametrize(
    "method",
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/list", "tasks/result",
     "roots/list", "unknown/method"],
)  # fmt: skip
def test_methods_that_the_revision_has_not_get_404(m, method):
    status, error = m.error(modern("seven", method, {"level": "info", "uri": "a:"}))
    assert (status, error["code"]) == (404, -32601)


# ---- results ----


def test_lists_are_stamped_and_paged(sluice):
    s = sluice.http(servers(a=example("--tools", 30), limits={"pageItems": 10}))
    with ModernHttp(s.address) as m:
        names, cursor = [], None
        while True:
            result = m.ask("tools/list", {"cursor": cursor} if cursor else None)
            assert is_stamped(result, cacheable=True)
            names += [tool["name"] for tool in result["tools"]]
            cursor = result.get("nextCursor")
            if cursor is None:
                break
        assert len(names) > 30 and "a__echo" in names
        for method in ("resources/list", "resources/templates/list", "prompts/list"):
            assert is_stamped(m.ask(method), cacheable=True)
        with pytest.raises(Exception) as e:
            m.ask("tools/list", {"cursor": "bad"})
        assert e.value.code == -32602


def test_a_list_that_no_server_offers_is_not_there(sluice):
    s = sluice.http(servers(a=example("--tools-only")))
    with ModernHttp(s.address) as m:
        assert "prompts" not in m.ask("server/discover")["capabilities"]
        assert m.error(modern(1, "prompts/list"))[1]["code"] == -32601
        assert m.ask("tools/list")["tools"]


def test_results_of_servers_are_stamped(m):
    assert is_stamped(m.call("ex__echo", {"text": "a"}))
    assert is_stamped(m.ask("prompts/get", {"name": "ex__hello", "arguments": {"name": "a"}}))
    uri = m.ask("resources/list")["resources"][0]["uri"]
    assert is_stamped(m.ask("resources/read", {"uri": uri}), cacheable=True)
    failed = m.call("ex__fail")
    assert failed["isError"] and is_stamped(failed)


def test_a_resource_that_is_not_there(m):
    uri = "test://nowhere"
    r = m.post(modern(1, "resources/read", {"uri": uri}))
    assert r.status == 200
    assert r.json()["error"]["code"] == -32602 and r.json()["error"]["data"]["uri"] == uri


@pytest.mark.parametrize("code, shown", [(-32001, -32603), (-32099, -32603), (-32050, -32603), (-1, -1), (17, 17), (-32603, -32603)])
def test_error_codes_that_the_revision_keeps_are_replaced(m, code, shown):
    r = m.post(modern(1, "tools/call", {"name": "ex__error", "arguments": {"code": code, "message": "why", "data": {"a": 1}}}))
    error = r.json()["error"]
    assert r.status == 200 and (error["code"], error["message"]) == (shown, "why")
    original = error["data"]["original"] if code != shown else error
    assert original["code"] == code and original["data"] == {"a": 1}


def test_an_unknown_tool_is_refused_in_band(m):
    r = m.post(modern(1, "tools/call", {"name": "ex_nothing"}))
    assert r.status == 200 and r.json()["error"]["code"] == -32602


def test_what_a_client_says_of_itself_does_not_reach_a_legacy_server(m):
    params = {"name": "ex__mirror", "arguments": {"a": 1}, "inputResponses": {"x": {}}}
    message = modern(1, "tools/call", params, level="debug", capabilities={"sampling": {}})
    message["params"]["_meta"] |= {"traceparent": "00-1", "example.org/mine": {"b": 2}}
    seen = m.messages(message)[-1]["result"]["_meta"]
    assert seen.pop(PREFIX + "serverInfo")["name"] == "sluice"
    assert seen == {"traceparent": "00-1", "example.org/mine": {"b": 2}}


def test_the_id_keeps_its_type(m):
    for id in ("7", 7, -1, 9007199254740993, "\u00e9\n"):
        assert m.messages(modern(id, "tools/call", {"name": "ex__echo", "arguments": {"text": "a"}}))[-1]["id"] == id


def test_the_scope_of_one_server(shared):
    with ModernHttp(shared.address, "/mcp/server/ex") as m:
        assert "echo" in [tool["name"] for tool in m.ask("tools/list")["tools"]]
        assert text_of(m.call("echo", {"text": "a"})) == "a"
        assert m.ask("server/discover")["capabilities"]["tools"]
    with ModernHttp(shared.address, "/mcp/server/nobody") as m:
        assert m.post(modern(1, "tools/list")).status == 404


# ---- Mcp-Param ----

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
    },
}


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    import harness

    tools = [{"name": "where", "inputSchema": SCHEMA}]
    launcher = harness.Launcher(tmp_path_factory.mktemp("annotated"))
    try:
        yield launcher.http(servers(f=fake(tools=tools)))
    finally:
        launcher.close()


@pytest.mark.parametrize(
    "arguments, headers, fine",
    [
        ({"text": "a"}, {}, True),
        ({"text": "a", "region": "us"}, {"mcp-param-region": "us"}, True),
        ({"text": "a", "region": "\u00e9"}, {"MCP-PARAM-REGION": "=?base64?w6k=?="}, True),
        ({"text": "a", "region": None}, {}, True),
        ({"text": "a", "count": 42}, {"Mcp-Param-Count": "42"}, True),
        ({"text": "a", "count": 42}, {"Mcp-Param-Count": "42.0"}, True),
        ({"text": "a"}, {"Mcp-Param-Other": "x"}, True),
        ({"text": "a", "region": "us"}, {}, False),
        ({"text": "a", "region": "us"}, {"Mcp-Param-Region": "eu"}, False),
        ({"text": "a", "region": "us"}, {"Mcp-Param-Region": "=?base64?dXM?="}, False),
        ({"text": "a"}, {"Mcp-Param-Region": "us"}, False),
        ({"text": "a", "count": 42}, {"Mcp-Param-Count": "41"}, False),
    ],
)
def test_arguments_that_headers_repeat(annotated, arguments, headers, fine):
    message = modern(1, "tools/call", {"name": "f__where", "arguments": arguments})
    with ModernHttp(annotated.address) as m:
        r = m.post(message, {**headers_of(message), **headers})
        if fine:
            assert r.status == 200 and text_of(r.json()["result"]) == "a", r
        else:
            assert r.status == 400 and r.json()["error"]["code"] == -32020, r


# ---- progress, log messages ----


def test_progress_makes_the_reply_a_stream_without_ids(m):
    message = modern("p", "tools/call", {"name": "ex__progress", "arguments": {"steps": 3, "ms": 5}})
    message["params"]["_meta"]["progressToken"] = "mine"
    r = m.post(message)
    assert r.is_sse
    stream, events = EventStream(r.connection, r), []
    while (event := stream.next()) is not None:
        events.append(event)
    assert all(event.id is None and event.retry is None for event in events)
    *progress, answer = [event.json() for event in events if event.data]
    assert [p["method"] for p in progress] == ["notifications/progress"] * 3
    assert {p["params"]["progressToken"] for p in progress} == {"mine"}
    assert answer["id"] == "p" and is_stamped(answer["result"])


def test_log_messages_come_only_to_a_request_that_asks_and_at_its_level(sluice):
    s = sluice.http(servers(ex=example()))
    with ModernHttp(s.address) as m:
        for wanted, shown in ((None, False), ("debug", True), ("error", False), ("warning", True)):
            m.notifications.clear()
            m.call("ex__log", {"level": "warning", "text": "careful"}, level=wanted)
            assert [n["method"] for n in m.notifications] == (["notifications/message"] if shown else []), wanted
        m.notifications.clear()
        m.call("ex__log", {"level": "debug", "text": "detail"}, level="debug")
        assert m.notifications[0]["params"]["level"] == "debug"


# ---- leaving is cancelling ----


@pytest.mark.parametrize("how", ["close", "half_close", "reset"])
def test_a_client_that_leaves_has_cancelled(sluice, tmp_path, how):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record))))
    with ModernHttp(s.address) as m:
        m.send(modern(1, "tools/call", {"name": "f__sleep", "arguments": {"ms": 60000}}))
        wait_until(lambda: "60000" in record.read_text(), what="the call at the server")
        getattr(m.connection(), how)()
        wait_until(lambda: "notifications/cancelled" in record.read_text(), what="the cancel at the server")
        wait_until(lambda: s.health()["in_flight"] == 0, what="the end of the call")
    with ModernHttp(s.address) as m:
        assert text_of(m.call("f__echo", {"text": "on"})) == "on"


# ---- listen ----


def test_a_listen_is_acknowledged_first_with_what_can_be_had(m):
    stream, ack = m.listen(7, toolsListChanged=True, promptsListChanged=False, resourceSubscriptions=["a:"])
    assert ack["method"] == "notifications/subscriptions/acknowledged" and "id" not in ack
    assert ack["params"]["notifications"] == {"toolsListChanged": True}
    assert ack["params"]["_meta"][SUBSCRIPTION] == 7


def test_a_listen_honours_only_what_servers_offer(sluice):
    s = sluice.http(servers(a=example("--tools-only")))
    with ModernHttp(s.address) as m:
        _, ack = m.listen("x", toolsListChanged=True, promptsListChanged=True, resourcesListChanged=True)
        assert ack["params"]["notifications"] == {"toolsListChanged": True}


@pytest.mark.parametrize("params", [{}, {"notifications": 7}, {"notifications": {"toolsListChanged": "yes"}}])
def test_a_listen_with_a_bad_filter_is_refused(m, params):
    r = m.post(modern(1, "subscriptions/listen", params))
    assert r.json()["error"]["code"] == -32602 and r.json()["id"] == 1


def test_listens_tell_of_changes_to_those_who_asked(sluice):
    s = sluice.http(servers(ex=example()))
    with ModernHttp(s.address) as m:
        tools, _ = m.listen("t", toolsListChanged=True)
        number, _ = m.listen(12, toolsListChanged=True, resourcesListChanged=True)
        prompts, _ = m.listen("p", promptsListChanged=True)
        m.ask("tools/list")
        result = m.call("ex__change")
        assert is_stamped(result)
        for stream, id in ((tools, "t"), (number, 12)):
            news = stream.next_message()
            assert news["method"] == "notifications/tools/list_changed" and "id" not in news
            assert news["params"]["_meta"] == {SUBSCRIPTION: id}
        assert "ex__added_1" in [tool["name"] for tool in m.ask("tools/list")["tools"]]
        assert prompts.drain(0.3 * PATIENCE) == []
        assert m.notifications == []


def test_a_listen_that_is_left_is_forgotten(sluice):
    s = sluice.http(servers(ex=example()))
    with ModernHttp(s.address) as m, s.client() as legacy:
        for _ in range(3):
            stream, _ = m.listen("gone", toolsListChanged=True)
            stream.connection.close()
        stays, _ = m.listen("stays", toolsListChanged=True)
        legacy.tools()
        legacy.call("ex__change")
        assert stays.next_message()["params"]["_meta"][SUBSCRIPTION] == "stays"


def end_of(stream, id):
    """The rest of the stream is the result that ends it."""
    last = stream.messages()[-1]
    assert last["id"] == id and last["result"]["resultType"] == "complete"
    assert last["result"]["_meta"][SUBSCRIPTION] == id
    return last


def test_a_listen_ends_with_a_result_when_the_gateway_stops(sluice):
    s = sluice.http(servers(ex=example()))
    with ModernHttp(s.address) as m:
        streams = [(m.listen(id, toolsListChanged=True)[0], id) for id in (1, "two")]
        s.signal(15)
        for stream, id in streams:
            end_of(stream, id)
        assert s.wait() == 0


def test_in_lame_duck_listens_end_spread_and_calls_are_served(sluice):
    lifecycle = {"gracePeriod": "20s", "lameDuck": {"min": "2s", "quiet": "500ms", "max": "4s"}}
    s = sluice.http(servers(ex=example(), lifecycle=lifecycle))
    with ModernHttp(s.address) as m:
        streams = [(m.listen(id, toolsListChanged=True)[0], id) for id in range(8)]
        s.signal(15)
        ended = []
        for stream, id in streams:
            end_of(stream, id)
            ended.append(time.monotonic())
        with ModernHttp(s.address) as other:
            assert text_of(other.call("ex__echo", {"text": "still"})) == "still"
            late, ack = other.listen("late", toolsListChanged=True)
            assert ack["params"]["notifications"] == {"toolsListChanged": True}
        end_of(late, "late")
        assert s.wait(20) == 0


def test_a_reload_that_takes_a_server_away_ends_the_listens_of_its_scope(sluice):
    s = sluice.http(servers(a=example(), b=example()))
    with ModernHttp(s.address, "/mcp/server/b") as b, ModernHttp(s.address) as m:
        gone, _ = b.listen("gone", toolsListChanged=True)
        stays, _ = m.listen("stays", toolsListChanged=True)
        m.ask("tools/list")
        sluice.write(servers(a=example()), "servers-1.json")
        end_of(gone, "gone")
        assert stays.next_message()["method"] == "notifications/tools/list_changed"


# ---- the end ----


def test_what_comes_while_draining_is_refused_and_what_is_in_flight_is_finished(sluice):
    s = sluice.http(servers(ex=example()))
    with ModernHttp(s.address) as m, ModernHttp(s.address) as other:
        m.send(modern("long", "tools/call", {"name": "ex__sleep", "arguments": {"ms": 1500 * PATIENCE}}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call")
        s.signal(15)
        s.log.wait("shutdown_started")
        for method in ("tools/list", "server/discover", "subscriptions/listen"):
            other.close()
            r = other.post(modern("new", method, {"notifications": {}}))
            assert r.status == 503 and r.header("retry-after") == "1", r
            error = r.json()["error"]
            assert r.json()["id"] == "new" and error["code"] == -32603
            assert (error["data"]["reason"], error["data"]["outcome"]) == ("draining", "not_sent")
        connection = m.connection()
        answer = connection.response(10 * PATIENCE)
        assert answer.status == 200 and answer.json()["id"] == "long"
        assert s.wait() == 0
