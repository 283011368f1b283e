"""Streamable HTTP, revisions 2025-03-26 to 2025-11-25: table A5 of the protocol notes and section 3 of the contract."""

import json
import re

import pytest

from harness import example, fake, servers, wait_until
from http_client import EventStream
from mcp_client import (
    ACCEPT,
    NEWEST,
    REVISIONS,
    call,
    dumps,
    initialize_params,
    notification,
    request,
    unwrap,
)

JSON_HEADERS = {"Accept": ACCEPT, "Content-Type": "application/json"}


def error_code(r):
    return r.json()["error"]["code"]


# initialize and sessions


@pytest.mark.parametrize("revision", ["2024-11-05"] + REVISIONS)
def test_initialize_answers_the_revision_that_was_asked_for(shared, revision):
    with shared.client(revision=revision) as c:
        assert c.hello["protocolVersion"] == revision
        assert c.text("ex__echo", {"text": "hi"}) == "hi"


@pytest.mark.parametrize("asked", ["2026-07-28", "1999-01-01", ""])
def test_initialize_answers_the_newest_legacy_revision_to_an_unknown_one(shared, asked):
    with shared.client(revision=asked) as c:
        assert c.hello["protocolVersion"] == NEWEST


def test_initialize_tells_who_answers_and_what_it_can(client):
    hello = client.hello
    assert hello["serverInfo"]["name"] and hello["serverInfo"]["version"]
    assert {"tools", "resources", "prompts", "completions", "logging"} <= set(hello["capabilities"])
    assert hello["capabilities"]["tools"].get("listChanged") is True


def test_a_server_with_tools_only_gives_no_other_capabilities(sluice):
    s = sluice.http(servers(t=example("--tools-only")))
    with s.client() as c:
        assert "tools" in c.hello["capabilities"]
        assert not {"resources", "prompts", "completions"} & set(c.hello["capabilities"])


def test_the_session_id_is_visible_ascii_and_given_by_initialize_only(shared):
    with shared.client() as a, shared.client() as b:
        assert re.fullmatch(r"[\x21-\x7e]{16,}", a.session)
        assert a.session != b.session
        assert a.post(request(5, "ping")).header("mcp-session-id") in (None, a.session)


def test_a_request_without_a_session_id_gets_400(shared):
    with shared.raw_client() as c:
        assert c.post(request(1, "tools/list")).status == 400


def test_sessions_can_be_made_optional(sluice):
    s = sluice.http(servers(ex=example(), session={"required": False}))
    with s.raw_client() as c:
        assert c.call("ex__add", {"a": 1, "b": 2})["content"][0]["text"] == "3"


@pytest.mark.parametrize("session", ["nonsense", "A" * 200, "a.b.c", "~" * 40])
def test_an_unknown_session_id_gets_404_for_every_verb(shared, session):
    with shared.raw_client() as c:
        c.session, c.revision = session, NEWEST
        r = c.post(request(7, "tools/list"))
        assert r.status == 404 and r.json()["error"]["message"] and r.json().get("id", 7) == 7
        assert c.get_stream().status == 404
        assert c.delete().status == 404


def test_a_second_initialize_in_a_session_gets_400(client):
    r = client.post(request(9, "initialize", initialize_params()))
    assert r.status == 400 and error_code(r) == -32600


def test_delete_ends_the_session(shared):
    with shared.client() as c:
        assert 200 <= c.delete().status < 300
        assert c.post(request(1, "ping")).status == 404
        assert c.delete().status == 404
        assert c.get_stream().status == 404


@pytest.mark.parametrize("version", ["1999-01-01", "nonsense", "2025-11-26"])
def test_an_unknown_protocol_version_header_gets_400(client, version):
    assert client.post(request(1, "ping"), headers=client.headers(MCP_Protocol_Version=version)).status == 400


def test_the_protocol_version_header_may_be_left_out(client):
    assert client.post(request(1, "ping"), headers=client.headers(MCP_Protocol_Version=None)).status == 200


# what a POST gets


def test_a_plain_answer_is_json(client):
    r = client.post(call(1, "ex__echo", {"text": "hi"}))
    assert r.status == 200 and r.header("content-type").startswith("application/json")
    assert r.json()["result"]["content"][0]["text"] == "hi"


@pytest.mark.parametrize("method", ["notifications/initialized", "notifications/roots/list_changed", "notifications/x"])
def test_a_notification_gets_202_without_a_body(client, method):
    r = client.post(notification(method))
    assert (r.status, r.body) == (202, b"")


def test_an_answer_of_the_clients_gets_202_without_a_body(client):
    for message in ({"result": {}}, {"error": {"code": -1, "message": "no"}}):
        r = client.post({"jsonrpc": "2.0", "id": 99, **message})
        assert (r.status, r.body) == (202, b"")


@pytest.mark.parametrize(
    "body",
    ["", "{", "nonsense", '{"jsonrpc":"2.0","id":1,"method":"ping"', '{"a":1}}', "{'a':1}", "[1,]", "\x00", '{"a":"\t"}'],
)
def test_a_body_that_is_no_json_gets_400_and_a_parse_error(client, body):
    r = client.post(body)
    assert r.status == 400 and error_code(r) == -32700 and r.json().get("id", "none") == "none"


BAD_MESSAGES = [
    "{}",
    "1",
    '"text"',
    "null",
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    '{"jsonrpc":"2.0","id":[1],"method":"ping"}',
    '{"jsonrpc":"2.0","id":true,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"method":5}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}',
    '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}',
    '{"jsonrpc":"2.0","id":1}',
]


@pytest.mark.parametrize("body", BAD_MESSAGES)
def test_a_text_that_is_no_message_gets_400_and_an_invalid_request(client, body):
    r = client.post(body)
    assert r.status == 400 and error_code(r) == -32600
    assert r.json().get("id") in (None, 1) and "null" not in r.body.decode()


@pytest.mark.parametrize(
    "id", ["1", '"1"', "0", "-7", "9007199254740993", "123456789012345678901234567890", '"a\\u0062\\/é"', '""', '"x y"']
)
def test_the_id_comes_back_with_its_very_text(client, id):
    for method in ('"ping"', '"tools/call","params":{"name":"ex__echo","arguments":{"text":"x"}}', '"no/such"'):
        r = client.post('{"jsonrpc":"2.0","id":%s,"method":%s}' % (id, method))
        assert r.status == 200
        assert ('"id":%s,' % id).encode() in r.body or ('"id":%s}' % id).encode() in r.body


def test_an_unknown_method_gets_method_not_found(client):
    r = client.post(request("q", "no/such"))
    assert r.status == 200 and r.json()["error"]["code"] == -32601 and r.json()["id"] == "q"


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "text/html", "application/jsonp, text/plain"])
def test_an_accept_header_that_lacks_one_of_both_types_gets_406(client, accept):
    assert client.post(request(1, "ping"), headers=client.headers(Accept=accept)).status == 406


@pytest.mark.parametrize(
    "accept",
    [
        "text/event-stream,application/json",
        "application/json;q=0.9, text/event-stream;q=0.1",
        "Application/JSON, TEXT/event-stream",
        "text/html, application/json ; charset=utf-8 , text/event-stream",
    ],
)
def test_the_accept_header_is_read_as_http_says(client, accept):
    assert client.post(request(1, "ping"), headers=client.headers(Accept=accept)).status == 200


@pytest.mark.parametrize("type", [None, "text/plain", "application/jsonp", "application/x-www-form-urlencoded", ""])
def test_a_content_type_other_than_json_gets_415(client, type):
    assert client.post(request(1, "ping"), headers=client.headers(Content_Type=type)).status == 415


@pytest.mark.parametrize("type", ["application/json; charset=utf-8", "Application/Json", "application/json ;x=y"])
def test_a_content_type_may_have_parameters(client, type):
    assert client.post(request(1, "ping"), headers=client.headers(Content_Type=type)).status == 200


def test_the_path_decides(shared, client):
    for path in ("/", "/mcpx", "/mcp/", "/mcp/server", "/mcp/server/", "/mcp/server/nobody", "/nothing"):
        r = client.connection().exchange("POST", path, client.headers(), dumps(request(1, "ping")))
        assert r.status == 404, path
    assert client.connection().exchange("POST", "/mcp?x=y", client.headers(), dumps(request(1, "ping"))).status == 200


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "HEAD", "TRACE", "PROPFIND"])
def test_another_verb_gets_405_and_the_list_of_those_allowed(shared, verb):
    with shared.connect() as c:
        r = c.exchange(verb, "/mcp", {"Accept": ACCEPT})
        assert r.status == 405
        assert {"GET", "POST", "DELETE"} <= {v.strip() for v in r.header("allow").split(",")}


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/health"])
def test_a_probe_answers_get_and_no_post(shared, path):
    with shared.connect() as c:
        assert c.exchange("GET", path).status == 200
        assert c.exchange("POST", path, {"Content-Type": "application/json"}, "{}").status == 405


# batches


def batch_answers(c, messages):
    r = c.post(messages)
    assert r.status == 200, r
    if r.is_sse:
        found = []
        for m in EventStream(r.connection, r).messages():
            found += m if isinstance(m, list) else [m]
        return [m for m in found if "method" not in m]
    return r.json()


def test_a_batch_of_2025_03_26_is_answered_whole(shared):
    with shared.client(revision="2025-03-26") as c:
        answers = batch_answers(
            c,
            [
                call("a", "ex__echo", {"text": "1"}),
                notification("notifications/x"),
                request("b", "ping"),
                request("c", "no/such"),
                call("d", "ex__sleep", {"ms": 30}),
            ],
        )
        by_id = {m["id"]: m for m in answers}
        assert len(answers) == 4 and set(by_id) == {"a", "b", "c", "d"}
        assert by_id["a"]["result"]["content"][0]["text"] == "1"
        assert by_id["b"]["result"] == {} and by_id["c"]["error"]["code"] == -32601


def test_a_batch_without_requests_gets_202(shared):
    with shared.client(revision="2025-03-26") as c:
        r = c.post([notification("notifications/x"), {"jsonrpc": "2.0", "id": 5, "result": {}}])
        assert (r.status, r.body) == (202, b"")


def test_an_item_of_a_batch_that_is_no_message_does_not_harm_the_others(shared):
    with shared.client(revision="2025-03-26") as c:
        r = c.post([request("a", "ping"), {"jsonrpc": "2.0", "id": "b", "method": 5}])
        if r.status == 400:  # the whole batch refused is fine too, as long as nothing of it ran
            assert error_code(r) == -32600
        else:
            answers = {m.get("id"): m for m in r.json()}
            assert answers["a"]["result"] == {} and answers["b"]["error"]["code"] == -32600


def test_an_empty_batch_gets_400(shared):
    with shared.client(revision="2025-03-26") as c:
        r = c.post("[]")
        assert r.status == 400 and error_code(r) == -32600


def test_initialize_inside_a_batch_is_refused(shared):
    with shared.raw_client() as c:
        r = c.post([request(1, "initialize", initialize_params("2025-03-26"))])
        assert r.status == 400 and r.header("mcp-session-id") is None


@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25"])
def test_a_batch_of_a_later_revision_gets_400(shared, revision):
    with shared.client(revision=revision) as c:
        r = c.post([request(1, "ping")])
        assert r.status == 400 and error_code(r) == -32600


# streams


def test_progress_makes_the_reply_a_stream_of_events(client):
    r = client.post(call("p", "ex__progress", {"steps": 3, "ms": 10}, token="tok"))
    assert r.status == 200 and r.is_sse
    assert "no-cache" in r.header("cache-control") and r.header("x-accel-buffering") == "no"
    messages = EventStream(r.connection, r).messages()
    assert [m["params"]["progress"] for m in messages[:-1]] == [1, 2, 3]
    assert all(m["method"] == "notifications/progress" for m in messages[:-1])
    assert messages[-1]["id"] == "p" and messages[-1]["result"]["content"][0]["text"] == "done"


@pytest.mark.parametrize("token", ["t", "", 5, 0, "é\\\"", 12345678901234567890])
def test_the_progress_token_comes_back_with_its_very_text(client, token):
    client.call("ex__progress", {"steps": 1, "ms": 1}, token=token)
    (progress,) = client.notifications
    got = progress["params"]["progressToken"]
    assert got == token and type(got) is type(token)


def test_without_a_token_there_is_no_progress_and_the_reply_is_json(client):
    r = client.post(call(1, "ex__progress", {"steps": 2, "ms": 5}))
    assert not r.is_sse and r.json()["id"] == 1


def test_clients_with_the_same_token_get_their_own_progress(shared):
    with shared.client() as a, shared.client() as b:
        calls = [
            c.in_background(call(1, "ex__progress", {"steps": steps, "ms": 10}, token="same")) for c, steps in ((a, 3), (b, 6))
        ]
        for one, steps in zip(calls, (3, 6)):
            assert one.join()["id"] == 1
            assert [m["params"]["total"] for m in one.client.notifications] == [steps] * steps


def test_a_get_opens_a_stream_and_a_second_one_gets_409(client):
    stream = client.get_stream()
    assert stream.response.status == 200
    second = client.get_stream()
    assert second.status == 409
    stream.connection.close()
    wait_until(lambda: not isinstance(client.get_stream(), type(second)), what="a new GET stream after the first was closed")


def test_a_get_without_accept_or_session_is_refused(shared, client):
    c = client.connection()
    assert c.exchange("GET", "/mcp", client.headers(Accept="application/json")).status == 406
    assert c.exchange("GET", "/mcp", {"Accept": "text/event-stream"}).status == 400


def test_the_get_stream_tells_of_changed_lists_and_delete_ends_it(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client() as c, s.client() as other:
        stream = c.get_stream()
        stream.drain()
        other.call("ex__change")
        assert stream.next_message()["method"] == "notifications/tools/list_changed"
        assert "ex__added_1" in c.tool_names()
        c.delete()
        assert stream.next_message() is None


def test_log_messages_reach_the_client_that_caused_them_at_its_level(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client() as c:
        stream = c.get_stream()
        stream.drain()
        c.request("logging/setLevel", {"level": "warning"})
        c.call("ex__log", {"level": "info", "text": "too quiet"})
        c.call("ex__log", {"level": "error", "text": "loud"})
        seen = [m["params"] for m in c.notifications if m["method"] == "notifications/message"]
        if not seen:
            seen = [stream.next_message()["params"]]
        assert [(p["level"], p["data"]) for p in seen] == [("error", "loud")]


def test_a_bad_log_level_is_refused(client):
    r = client.post(request(1, "logging/setLevel", {"level": "loud"}))
    assert r.json()["error"]["code"] == -32602


@pytest.mark.slow
def test_a_reply_becomes_a_stream_after_15_seconds_of_silence(client):
    r = client.post(call(1, "ex__sleep", {"ms": 16500}), timeout=20)
    assert r.is_sse
    stream = EventStream(r.connection, r)
    first, second = stream.next(5), stream.next(5)
    assert first.id and first.data == "", "what a client of this revision needs to come back"
    assert second.comments and second.data is None
    assert stream.next_message(5)["result"]["content"][0]["text"] == "slept"


# cancelling and errors


def test_a_cancelled_call_gets_an_error_that_says_so(sluice, tmp_path):
    s = sluice.http(servers(f=fake()))
    with s.client() as c:
        pending = c.in_background(call("x", "f__sleep", {"ms": 60000}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        c.notify("notifications/cancelled", {"requestId": "x", "reason": "enough"})
        error = pending.join()["error"]
        assert error["code"] == -32603 and error["data"]["reason"] == "cancelled"
        seen = [json.loads(line) for line in json.loads(c.text("f__received"))]
        sleep = next(m for m in seen if m.get("params", {}).get("name") == "sleep")
        cancel = next(m for m in seen if m.get("method") == "notifications/cancelled")
        assert cancel["params"]["requestId"] == sleep["id"]


def test_only_the_clients_own_call_can_be_cancelled(shared):
    with shared.client() as a, shared.client() as b:
        pending = a.in_background(call("x", "ex__sleep", {"ms": 300}))
        b.notify("notifications/cancelled", {"requestId": "x"})
        a.notify("notifications/cancelled", {"requestId": "y"})
        assert unwrap(pending.join())["content"][0]["text"] == "slept"


def test_the_servers_error_comes_back_as_it_is(client):
    r = client.post(call(1, "ex__error", {"code": -32042, "message": "wait", "data": {"a": [1.0, None]}}))
    assert r.status == 200
    assert r.json()["error"] == {"code": -32042, "message": "wait", "data": {"a": [1.0, None]}}
    assert b"1.0" in r.body


def test_is_error_stays_a_result(client):
    assert client.call("ex__fail")["isError"] is True


@pytest.mark.parametrize("name", ["nobody__echo", "echo", "ex_echo", "__echo", "ex__", "ex__no_such", "", "ex__echo__"])
def test_an_unknown_tool_is_invalid_params(client, name):
    r = client.post(call(1, name))
    assert r.status == 200 and r.json()["error"]["code"] == -32602


@pytest.mark.parametrize("params", [None, {}, {"name": 5}, {"name": None}, {"arguments": {}}])
def test_a_call_without_a_name_is_invalid_params(client, params):
    r = client.post(request(1, "tools/call", params))
    assert r.json()["error"]["code"] in (-32602, -32600)


# one server alone


def test_the_path_of_one_server_shows_it_without_prefixes(sluice):
    s = sluice.http(servers(one=example(), two=fake(tools=["only_here"])))
    with s.client("/mcp/server/two") as c:
        assert c.tool_names() == ["echo", "sleep", "script", "received", "pid", "env", "ask", "hello", "only_here"]
        assert c.text("only_here", {"text": "x"}) == "x"
        assert c.post(call(1, "two__echo")).json()["error"]["code"] == -32602
    with s.client("/mcp/server/one") as c:
        assert c.text("add", {"a": 20, "b": 22}) == "42"


# what the health page says


def test_health_tells_the_state_in_json(shared, client):
    health = shared.health()
    assert health["status"] == "ok" and health["phase"] == "ready"
    assert health["backends_configured"] == 1 and health["backends_connected"] == 1
    assert health["tools"] == len(client.tool_names()) and health["in_flight"] == 0
    assert health["active_clients"] >= 1 and health["version"]
