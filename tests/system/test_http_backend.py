"""Servers over HTTP, and all that they may do wrong: issue 4, item 1."""

import json
import signal
import ssl
import time

import pytest

from asking import ALL, SAMPLING, OpenCall, reply
from certificates import Authority
from fake_http_server import FakeHttpServer
from harness import PATIENCE, example, servers, wait_until
from mcp_client import RpcError, call, unwrap
from reloading import Reloading

MODES = ["legacy", "modern", "dual", "sse"]


@pytest.fixture
def fake():
    """Makes fake servers, and closes them at the end."""
    made = []

    def make(mode="legacy", **knobs):
        made.append(FakeHttpServer(mode, **knobs))
        return made[-1]

    yield make
    for server in made:
        server.close()


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    return context


def steps(*list):
    return {"steps": [*list]}


# the plain things, whatever the transport


@pytest.mark.parametrize("mode", MODES)
def test_a_server_of_any_kind_is_found_out_and_serves_calls(sluice, fake, mode):
    server = fake(mode, resources=["a://b"], prompts=["p"])
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert {"f__echo", "f__sleep"} <= set(c.tool_names())
        assert c.text("f__echo", {"text": "hello"}) == "hello"
        assert c.request("resources/read", {"uri": "a://b"})["contents"][0]["text"] == "text"
        assert c.request("prompts/get", {"name": "f__p"})["messages"] == []
        with pytest.raises(RpcError) as e:
            c.request("completion/complete", {"ref": {"type": "ref/prompt", "name": "f__p"}, "argument": {"name": "a", "value": ""}})
        assert e.value.code == -32601


@pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_legacy_server_of_any_revision_is_spoken_to_in_its_words(sluice, fake, revision):
    server = fake(revision=revision)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        seen = json.loads(c.text("f__seen"))
    assert seen["mcp-protocol-version"] == revision and seen["mcp-session-id"] == "session-1"
    assert "application/json" in seen["accept"] and "text/event-stream" in seen["accept"]
    order = [r.method for r in server.seen() if r.method != "server/discover"]
    assert order[:2] == ["initialize", "notifications/initialized"]
    first = server.seen("initialize")[0]
    assert "mcp-session-id" not in first.headers and "mcp-protocol-version" not in first.headers


@pytest.mark.parametrize("times,asked", [(1, ["server/discover"] * 2), (9, ["server/discover"] * 2 + ["initialize"])])
def test_a_server_that_refuses_the_revision_and_names_it_all_the_same_is_asked_once_more(sluice, fake, times, asked):
    server = fake("modern", refuses=times)
    s = sluice.http(servers(f=server.entry()), ready=False)
    wait_until(lambda: len(server.seen()) >= len(asked))
    assert [r.method for r in server.seen()][: len(asked)] == asked
    if times == 1:
        wait_until(lambda: s.health()["backends_connected"] == 1)


def test_a_server_without_sessions_works(sluice, fake):
    server = fake(sessions=False, get=False)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert "mcp-session-id" not in json.loads(c.text("f__seen"))
    s.terminate()
    assert not server.seen(verb="DELETE")


def test_a_modern_server_gets_all_that_a_request_of_its_own_needs(sluice, fake):
    server = fake("modern")
    s = sluice.http(servers(f=server.entry()))
    with s.client(capabilities={"sampling": {}, "elicitation": {}}) as c:
        seen = json.loads(c.text("f__seen"))
    assert (seen["mcp-protocol-version"], seen["mcp-method"], seen["mcp-name"]) == ("2026-07-28", "tools/call", "seen")
    assert "mcp-session-id" not in seen
    meta = server.seen("tools/call")[0].params["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {"sampling": {}, "elicitation": {"form": {}}}
    assert meta["io.modelcontextprotocol/clientInfo"]["name"]
    assert server.seen("tools/list")[0].params["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] == "sluice"


def test_a_name_that_no_header_can_hold_is_encoded(sluice, fake):
    server = fake("modern", tools=["größe"])
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        c.call("f__größe")
    assert server.seen("tools/call")[0].headers["mcp-name"] == "=?base64?Z3LDtsOfZQ==?="


def test_a_server_of_both_eras_is_spoken_to_in_the_clients(sluice, fake):
    server = fake("dual")
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert c.text("f__echo", {"text": "old"}) == "old"
    call_seen = server.seen("tools/call")[0]
    assert call_seen.headers["mcp-session-id"] == "session-1" and "_meta" not in call_seen.params
    s.terminate()
    assert server.seen(verb="DELETE")[0].headers["mcp-session-id"] == "session-1"


@pytest.mark.parametrize("mode", MODES)
def test_configured_headers_go_with_everything_and_the_clients_with_nothing(sluice, fake, mode):
    server = fake(mode)
    entry = server.entry(headers={"Authorization": "Bearer ${TOKEN}", "X-Team": "a b"})
    s = sluice.http(servers(f=entry), env={"TOKEN": "s3cret", "PATH": "/usr/bin:/bin"})
    with s.client() as c:
        h = c.headers(Authorization="Bearer of-the-client", Cookie="a=b", X_Client="1")
        r = c.post(call(7, "f__echo", {"text": "x"}), headers=h)
        assert r.status == 200
        if r.is_sse:
            c.close()
    s.terminate()
    for r in server.requests:
        assert r.headers["authorization"] == "Bearer s3cret" and r.headers["x-team"] == "a b", r.headers
        assert not {"cookie", "x-client", "mcp-param-x"} & set(r.headers)
        assert r.headers["host"] == f"127.0.0.1:{server.port}"
    assert "s3cret" not in s.log.text()


def test_all_pages_of_a_list_are_fetched(sluice, fake):
    server = fake(tools=[f"tool_{i}" for i in range(23)], page=5)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert len(c.tool_names()) == 27


# how bodies may look


@pytest.mark.parametrize("crlf", ["\n", "\r\n", "\r"])
def test_answers_may_be_streams_with_any_line_ends(sluice, fake, crlf):
    server = fake(stream=True, crlf=crlf)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert c.text("f__echo", {"text": "streamed"}) == "streamed"


def raw(body, status="200 OK", type="application/json", headers=""):
    body = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def result_of(request, text="well"):
    return json.dumps({"jsonrpc": "2.0", "id": request.message["id"], "result": {"content": [{"type": "text", "text": text}]}})


GOOD_BODIES = {
    "a byte order mark in front": lambda r: raw("\ufeff" + result_of(r)),
    "with white space": lambda r: raw("\r\n  " + result_of(r) + "\n\n"),
    "a notification and then the answer": lambda r: raw(
        '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}\n' + result_of(r)
    ),
    "a malformed text after the answer": lambda r: raw(result_of(r) + "\n{]"),
    "a content type with parameters": lambda r: raw(result_of(r), type='Application/JSON; charset="utf-8"'),
    "an event without a space": lambda r: raw(f"data:{result_of(r)}\n\n", type="text/event-stream"),
    "comments and other events": lambda r: raw(
        f": hello\n\nevent: x\ndata: 1\n\nid: 1\n\ndata: {result_of(r)}\n\n", type="text/event-stream; charset=utf-8"
    ),
    "an event over two lines": lambda r: raw(
        "data: " + result_of(r).replace(',"result"', '\ndata: ,"result"', 1).replace(', "result"', '\ndata: , "result"', 1) + "\n\n",
        type="text/event-stream",
    ),
    "until the connection ends": lambda r: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + result_of(r).encode(),
    "HTTP/1.0": lambda r: raw(result_of(r)).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a 100 before it": lambda r: b"HTTP/1.1 100 Continue\r\n\r\n" + raw(result_of(r)),
}


@pytest.mark.parametrize("what", GOOD_BODIES)
def test_bodies_of_servers_that_are_a_little_different_are_read(sluice, fake, what):
    server = fake(fail={"tools/call": GOOD_BODIES[what]})
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert c.text("f__echo") == "well"
        assert c.text("f__echo") == "well"


def test_arrays_are_taken_from_a_server_of_2025_03_26(sluice, fake):
    def batch(r):
        return raw(f'[{{"jsonrpc":"2.0","method":"notifications/x"}},{result_of(r)}]')

    server = fake(revision="2025-03-26", fail={"tools/call": batch})
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert c.text("f__echo") == "well"


# what comes beside the answer


@pytest.mark.parametrize("mode", MODES)
def test_progress_and_logs_come_to_the_call_before_its_answer(sluice, fake, mode):
    server = fake(mode)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        todo = steps({"progress": 1}, {"log": "first"}, {"progress": 2}, {"wait": 50}, {"answer": "done"})
        answer = unwrap(c.ask(call(5, "f__steps", todo, token="mine")))
        assert answer["content"][0]["text"] == "done"
        progress = [n["params"] for n in c.notifications if n["method"] == "notifications/progress"]
        assert progress == [{"progressToken": "mine", "progress": 1}, {"progressToken": "mine", "progress": 2}]
        if mode in ("legacy", "dual"):
            assert [n["params"]["data"] for n in c.notifications if n["method"] == "notifications/message"] == ["first"]


def test_a_ping_of_the_server_is_answered(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        todo = steps({"ask": {"jsonrpc": "2.0", "id": "p1", "method": "ping"}}, {"await": 1}, {"answer": "done"})
        assert c.text("f__steps", todo) == "done"
    assert {"jsonrpc": "2.0", "id": "p1", "result": {}} in [r.message for r in server.seen()]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("listen", ["sse", "json"])
def test_a_list_that_changes_is_fetched_anew(sluice, fake, mode, listen):
    if listen == "json" and mode in ("legacy", "sse"):
        pytest.skip("only a modern server listens")
    server = fake(mode, listen=listen)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert "f__new" not in c.tool_names()
        if mode == "legacy":
            server.wait_seen(None, verb="GET")
        elif mode != "sse":
            server.wait_seen("subscriptions/listen")
        server.knobs["tools"] = ["new"]
        wait_until(lambda: server.push({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}) or "f__new" in c.tool_names())


@pytest.mark.parametrize("knobs", [{}, {"slow_get": 0.3}, {"get": False}, {"slow_get": 0.3, "get": False}])
def test_the_first_call_of_a_session_waits_for_its_stream(sluice, fake, knobs):
    server = fake(**knobs)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert c.text("f__echo", {"text": "a"}) == "a"
    member = server.seen("tools/call")[0].headers["mcp-session-id"]
    order = [r.verb + (r.method or "") for r in list(server.requests) if r.headers.get("mcp-session-id") == member]
    assert order.index("GET") < order.index("POSTtools/call")


def test_a_stream_that_is_not_answered_holds_no_call_for_long(sluice, fake):
    server = fake(slow_get=3 * PATIENCE)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        start = time.monotonic()
        assert c.text("f__echo", {"text": "a"}) == "a"
        assert time.monotonic() - start < 2.5 * PATIENCE
        assert c.text("f__echo", {"text": "b"}) == "b"


def test_the_stream_for_news_is_opened_again(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry()))
    server.wait_seen(None, verb="GET")
    server.push("end")
    server.wait_seen(None, count=2, verb="GET")
    with s.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"


# cancellation


def test_a_legacy_server_is_told_of_a_cancelled_call(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        pending = c.in_background(call("slow", "f__sleep", {"ms": 3000}))
        sent = server.wait_seen("tools/call")
        c.notify("notifications/cancelled", {"requestId": "slow", "reason": "enough"})
        cancelled = server.wait_seen("notifications/cancelled")
        assert cancelled.params["requestId"] == sent.message["id"] and cancelled.params["reason"]
        assert cancelled.headers["mcp-session-id"] == "session-1"
        assert pending.join()["error"]["data"]["reason"] == "cancelled"


def test_to_a_modern_server_the_end_of_the_stream_says_it(sluice, fake):
    server = fake("modern")
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        pending = c.in_background(call("slow", "f__steps", steps({"progress": 1}, *[{"wait": 20}, {"log": "x"}] * 200)))
        server.wait_seen("tools/call")
        before = len(server.connections)
        c.notify("notifications/cancelled", {"requestId": "slow"})
        assert pending.join()["error"]["data"]["reason"] == "cancelled"
        wait_until(lambda: len(server.connections) < before, what="the stream closed")
        assert not server.seen("notifications/cancelled")


# faults of one call


def event(text):
    return raw(f"data: {text}\n\n", type="text/event-stream")


FAULTS = {
    "drops the connection": (b"", "backend_exited", "unknown"),
    "resets the connection": (b"reset", "backend_exited", "unknown"),
    "half an answer": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "backend_exited", "unknown"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Ty", "backend_exited", "unknown"),
    "half an event": (raw('data: {"jsonrpc":', type="text/event-stream"), "backend_exited", "unknown"),
    "a stream without an answer": (event('{"jsonrpc":"2.0","method":"notifications/x"}'), "backend_exited", "unknown"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "bad_answer", "unknown"),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "bad_answer", "unknown"),
    "not JSON": (raw("<html>"), "bad_answer", "unknown"),
    "not valid JSON": (raw('{"jsonrpc":"2.0",}'), "bad_answer", "unknown"),
    "JSON that ends in the middle": (raw('{"jsonrpc":"2.0",'), "bad_answer", "unknown"),
    "no message": (event("{}"), "bad_answer", "unknown"),
    "a web page": (raw("<html>hello</html>", type="text/html"), "bad_answer", "unknown"),
    "accepted without an answer": (raw("", status="202 Accepted"), "bad_answer", "unknown"),
    "an empty answer": (raw(""), "bad_answer", "unknown"),
    "a redirect": (raw("", status="307 Elsewhere", headers="Location: http://127.0.0.1:1/\r\n"), "bad_answer", "not_sent"),
    "asks for credentials": (raw("", status="401 No", headers="WWW-Authenticate: Bearer\r\n"), "backend_unavailable", "not_sent"),
    "forbids it": (raw("", status="403 No"), "backend_unavailable", "not_sent"),
    "is overloaded": (raw("", status="503 No", headers="Retry-After: 1\r\n"), "backend_unavailable", "not_sent"),
    "limits our rate": (raw("", status="429 No"), "backend_unavailable", "not_sent"),
    "fails": (raw("oops", status="500 No", type="text/plain"), "backend_unavailable", "unknown"),
    "is behind a bad gateway": (raw("<html>", status="502 No", type="text/html"), "backend_unavailable", "unknown"),
    "refuses it without a reason": (raw("", status="422 No"), "bad_answer", "unknown"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_call_ends_with_an_honest_reason_and_the_next_one_works(sluice, fake, what):
    answer, reason, outcome = FAULTS[what]
    server = fake(sessions=False)
    s = sluice.http(servers(f=server.entry(), ex=example()))
    with s.client() as c:
        server.knobs["fail"] = {"tools/call": answer}
        with pytest.raises(RpcError) as e:
            c.call("f__echo", {"text": "x"})
        assert (e.value.code, e.value.data["reason"], e.value.data["outcome"]) == (-32603, reason, outcome)
        assert e.value.data["backend"] == "f"
        assert c.text("ex__echo", {"text": "other"}) == "other"
        server.knobs["fail"] = {}
        assert c.text("f__echo", {"text": "again"}) == "again"
    wait_until(lambda: s.log.find("backend_call_failed") or s.log.find("backend_bad_answer"))
    assert len(server.seen("tools/call")) == 2, "nothing is sent twice"


def error_with(id, status):
    body = json.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": -32099, "message": "why not"}})
    return raw(body, status=f"{status} No")


@pytest.mark.parametrize("status", [200, 400, 404, 500, 503])
@pytest.mark.parametrize("mode", ["legacy", "modern"])
def test_an_error_that_says_whose_it_is_is_delivered_whatever_the_status(sluice, fake, mode, status):
    server = fake(mode, sessions=False, fail={"tools/call": lambda r: error_with(r.message["id"], status)})
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        with pytest.raises(RpcError) as e:
            c.call("f__echo")
        assert "why not" in json.dumps(e.value.error)


def test_an_error_that_does_not_say_whose_it_is_is_the_calls(sluice, fake):
    server = fake(sessions=False, fail={"tools/call": error_with(None, 400)})
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        with pytest.raises(RpcError) as e:
            c.call("f__echo")
        assert (e.value.code, e.value.error["message"]) == (-32099, "why not")


@pytest.mark.parametrize("type", ["application/json", "text/event-stream"])
def test_an_answer_beyond_the_limit_ends_its_call_and_nothing_else(sluice, fake, type):
    def flood(r):
        text = result_of(r, "x" * 200000)
        return raw(text if type == "application/json" else f"data: {text}\n\n", type=type)

    server = fake(fail={"tools/call": flood})
    s = sluice.http(servers(f=server.entry(), limits={"maxMessageBytes": 100000}))
    with s.client() as c:
        with pytest.raises(RpcError) as e:
            c.call("f__echo")
        assert e.value.data["reason"] == "message_too_large"
        server.knobs["fail"] = {}
        assert c.text("f__echo", {"text": "again"}) == "again"


def test_a_slow_answer_ends_with_the_calls_time_and_the_server_is_told(sluice, fake):
    server = fake(delay=3)
    s = sluice.http(servers(f=server.entry(requestTimeout="300ms")))
    with s.client() as c:
        with pytest.raises(RpcError) as e:
            c.call("f__echo")
        assert (e.value.data["reason"], e.value.data["outcome"]) == ("backend_timeout", "unknown")
        server.wait_seen("notifications/cancelled")


# a server that is away


def test_a_call_waits_for_a_server_that_is_being_restarted(sluice, fake):
    first = fake()
    s = sluice.http(servers(f=first.entry()))
    with s.client() as c:
        assert c.text("f__echo", {"text": "1"}) == "1"
        first.close()
        wait_until(lambda: not first.connections)
        pending = c.in_background(call(9, "f__echo", {"text": "2"}), 20 * PATIENCE)
        s.log.wait("backend_lost")
        second = fake(port=first.port)
        assert unwrap(pending.join())["content"][0]["text"] == "2"
    assert len(second.seen("initialize")) == 1
    assert not first.seen("tools/call")[1:]


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_is_away_is_told_fails_fast_and_hides_no_other(sluice, fake, mode):
    server = fake(mode)
    server.close()
    s = sluice.http(servers(f=server.entry(), ex=example()), ready=False)
    with s.client() as c:
        assert c.text("ex__echo", {"text": "well"}) == "well"
        with pytest.raises(RpcError) as e:
            c.call("f__echo", timeout=20 * PATIENCE)
        assert (e.value.data["reason"], e.value.data["outcome"]) == ("backend_unavailable", "not_sent")
        assert e.value.data["retryable"] is True
    assert s.log.find("backend_handshake_failed")


def test_a_storm_of_503_gives_the_server_a_rest_and_it_comes_back(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry(), ex=example()))
    with s.client() as c:
        server.knobs["fail_all"] = 503
        for _ in range(3):
            with pytest.raises(RpcError) as e:
                c.call("f__echo")
            assert e.value.data["outcome"] == "not_sent"
        s.log.wait("backend_unwell")
        assert c.text("ex__echo", {"text": "well"}) == "well"
        pending = c.in_background(call(9, "f__echo", {"text": "back"}), 20 * PATIENCE)
        server.knobs["fail_all"] = None
        assert unwrap(pending.join())["content"][0]["text"] == "back"


def test_a_server_that_never_answers_slows_nobody(sluice, fake):
    server = fake(delay=5)
    s = sluice.http(servers(f=server.entry(), ex=example()))
    with s.client() as c:
        slow = [c.in_background(call(f"s{i}", "f__echo"), 20 * PATIENCE) for i in range(20)]
        server.wait(lambda: len(server.seen("tools/call")) == 20)
        for i in range(20):
            assert c.text("ex__echo", {"text": str(i)}) == str(i)
        assert not any(p.done for p in slow)
        server.drop_all()
        for p in slow:
            p.join(20 * PATIENCE)


STARTS = {
    "wants credentials": (401, "401"),
    "is not there": (404, "404"),
    "fails": (500, "500"),
    "is a web page": (raw("<html>", type="text/html"), "initialize"),
    "redirects": (raw("", status="302 X", headers="Location: /\r\n"), "302"),
}


@pytest.mark.parametrize("what", STARTS)
def test_a_server_that_does_not_start_says_why(sluice, fake, what):
    answer, word = STARTS[what]
    server = fake(fail_all=answer, get=False, sessions=False)
    s = sluice.http(servers(f=server.entry(), ex=example()), ready=False)
    with s.client() as c:
        assert c.text("ex__echo", {"text": "well"}) == "well"
    assert word in s.log.wait("backend_handshake_failed")["error"]
    server.knobs["fail_all"] = None
    server.knobs["get"] = True
    with s.client() as c:
        wait_until(lambda: "f__echo" in c.tool_names(), 20)


def test_a_server_that_has_become_another_one_is_found_out_again(sluice, fake):
    first = fake("modern")
    s = sluice.http(servers(f=first.entry()))
    with s.client() as c:
        assert c.text("f__echo", {"text": "1"}) == "1"
        first.close()
        wait_until(lambda: not first.connections)
        second = fake("legacy", port=first.port)
        assert c.text("f__echo", {"text": "2"}, timeout=20 * PATIENCE) == "2"
    assert second.seen("initialize")


def test_an_endpoint_elsewhere_is_not_followed(sluice, fake):
    server = fake("sse", endpoint="http://127.0.0.1:1/messages")
    s = sluice.http(servers(f=server.entry(), ex=example()), ready=False)
    assert "another origin" in s.log.wait("backend_handshake_failed")["error"]


def test_the_end_of_the_one_stream_ends_what_was_sent_on_it(sluice, fake):
    server = fake("sse")
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        pending = c.in_background(call(1, "f__sleep", {"ms": 2000}), 20 * PATIENCE)
        server.wait_seen("tools/call")
        server.push("end")
        error = pending.join()["error"]
        assert (error["data"]["reason"], error["data"]["outcome"]) == ("backend_exited", "unknown")
        assert c.text("f__echo", {"text": "x"}) == "x"


# sessions of clients, and what the server asks of them


def test_each_client_session_has_one_of_its_own_that_ends_with_it(sluice, fake):
    server = fake()
    s = sluice.http(servers(f={"url": server.url}))
    with s.client() as a, s.client() as b:
        sessions = [json.loads(c.text("f__seen"))["mcp-session-id"] for c in (a, b, a)]
        assert sessions[0] == sessions[2] != sessions[1]
        assert a.delete().status in (200, 204)
        server.wait(lambda: any(r.headers["mcp-session-id"] == sessions[0] for r in server.seen(verb="DELETE")))
        assert json.loads(b.text("f__seen"))["mcp-session-id"] == sessions[1]
    assert len(server.seen("tools/list")) == 1, "the lists come from one of them"
    s.terminate()
    assert len(server.seen(verb="DELETE")) == 3


def test_a_modern_server_needs_no_sessions_for_its_clients(sluice, fake):
    server = fake("modern")
    s = sluice.http(servers(f={"url": server.url}))
    with s.client() as a:
        assert a.text("f__echo", {"text": "x"}) == "x"
    before = len(server.seen("server/discover"))
    for _ in range(3):
        with s.client() as c:
            assert c.text("f__echo", {"text": "x"}) == "x"
    assert len(server.seen("server/discover")) == before <= 2 and len(server.seen("initialize")) == 1


@pytest.mark.parametrize("mode", ["legacy", "sse"])
@pytest.mark.parametrize("isolation", ["shared", "session"])
def test_what_the_server_asks_goes_to_the_client_of_the_call_and_the_answer_back(sluice, fake, mode, isolation):
    server = fake(mode)
    s = sluice.http(servers(f=server.entry(isolation=isolation)))
    ask = {"jsonrpc": "2.0", "id": "q1", "method": "sampling/createMessage", "params": SAMPLING}
    with s.client(capabilities=ALL) as c, s.client(capabilities=ALL) as other:
        other_call = other.in_background(call(1, "f__sleep", {"ms": 500})) if mode == "legacy" else None
        todo = steps({"ask": ask}, {"await": 1}, {"answer": "done"})
        open_call = OpenCall(c, "f__steps", todo)
        question = open_call.next()
        assert question["method"] == "sampling/createMessage" and question["params"] == SAMPLING
        reply(c, question, {"role": "assistant", "content": {"type": "text", "text": "x"}, "model": "m"})
        messages = open_call.stream.messages()
        assert messages[-1]["result"]["content"][0]["text"] == "done"
        if other_call:
            other_call.join()
    answer = [r.message for r in server.seen() if r.message.get("id") == "q1"]
    assert len(answer) == 1 and answer[0]["result"]["model"] == "m"


def test_a_question_that_is_open_when_the_session_is_lost_is_taken_back(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry()))
    ask = {"jsonrpc": "2.0", "id": "q1", "method": "sampling/createMessage", "params": SAMPLING}
    with s.client(capabilities=ALL) as c:
        open_call = OpenCall(c, "f__steps", steps({"ask": ask}, {"wait": 300}, {"drop": 1}))
        question = open_call.next()
        assert question["method"] == "sampling/createMessage"
        server.forget_sessions()
        assert c.text("f__echo", {"text": "x"}) == "x"
        messages = open_call.stream.messages()
        assert messages[-1]["error"]["data"]["reason"] == "backend_exited"
        reply(c, question, {"role": "assistant", "content": {"type": "text", "text": "x"}, "model": "m"})
    assert not [r for r in server.seen() if r.message.get("id") == "q1"]


# subscriptions


def updated(uri):
    return {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("isolation", ["shared", "session"])
def test_updates_of_a_resource_come_to_who_subscribes_also_after_the_server_was_away(sluice, fake, mode, isolation):
    server = fake(mode, resources=["a://b", "a://c"])
    s = sluice.http(servers(f=server.entry(isolation=isolation)))

    def asked(uri):
        def is_that(r):
            if r.method == "resources/subscribe":
                return r.params["uri"] == uri
            return uri in r.params.get("notifications", {}).get("resourceSubscriptions", [])

        return [r for r in server.seen() if is_that(r)]

    with s.client() as c:
        news = c.get_stream()
        assert c.request("resources/subscribe", {"uri": "a://b"}) == {}
        server.wait(lambda: asked("a://b"))
        wait_until(lambda: server.push(updated("a://b")) or next_update(news), what="the update")
        server.forget_sessions()
        server.drop_all()
        count = len(asked("a://b"))
        assert c.text("f__echo", {"text": "x"}, timeout=20 * PATIENCE) == "x"
        server.wait(lambda: len(asked("a://b")) > count, 10 * PATIENCE)
        wait_until(lambda: server.push(updated("a://b")) or next_update(news), 10, what="the update afterwards")
        assert c.request("resources/unsubscribe", {"uri": "a://b"}) == {}
        if mode == "modern" and isolation == "shared":
            server.wait(lambda: "resourceSubscriptions" not in server.seen("subscriptions/listen")[-1].params["notifications"])
        elif mode == "modern":
            wait_until(lambda: server.push(updated("a://b")) or len(server.listens) == 1, what="the one listen for lists")


def next_update(news):
    try:
        m = news.next_message(0.3)
    except TimeoutError:
        return None
    return m if m and m["method"] == "notifications/resources/updated" else None


# TLS


def test_a_server_over_tls_must_show_a_certificate_that_leads_to_its_authority(sluice, fake, tmp_path):
    ca = Authority(tmp_path)
    server = fake(tls=server_context(ca.issue("server")))
    good = server.entry(tls={"ca": str(ca.cert)})
    s = sluice.http(servers(f=good))
    with s.client() as c:
        assert c.text("f__echo", {"text": "secret"}) == "secret"
    t = sluice.http(servers(f=server.entry()), ready=False)
    assert "certificate" in t.log.wait("backend_handshake_failed")["error"]
    u = sluice.http(servers(f={**good, "tls": {"ca": str(ca.cert), "serverName": "other.example"}}), ready=False)
    assert "backend_handshake_failed" and u.log.wait("backend_handshake_failed")["error"]
    assert not [r for r in server.requests if "mcp-session-id" not in r.headers and r.method == "tools/call"]


def test_our_own_certificate_is_shown_to_a_server_that_wants_one(sluice, fake, tmp_path):
    ca = Authority(tmp_path)
    context = server_context(ca.issue("server"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca.cert)
    server = fake(tls=context)
    mine = ca.issue("mine")
    tls = {"ca": str(ca.cert), "cert": str(mine.cert), "key": str(mine.key)}
    s = sluice.http(servers(f=server.entry(tls=tls)))
    with s.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
    t = sluice.http(servers(f=server.entry(tls={"ca": str(ca.cert)})), ready=False)
    t.log.wait("backend_handshake_failed")


# sessions and streams that are lost


@pytest.mark.parametrize("status", [404, 400])
def test_a_lost_session_is_made_anew_and_the_call_sent_again(sluice, fake, status):
    server = fake(lost_status=status)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert c.text("f__echo", {"text": "1"}) == "1"
        server.wait_seen(None, verb="GET")
        server.forget_sessions()
        many = [c.in_background(call(f"m{i}", "f__echo", {"text": str(i)})) for i in range(10)]
        assert [unwrap(p.join())["content"][0]["text"] for p in many] == [str(i) for i in range(10)]
        assert len(server.seen("initialize")) == 2
        server.wait_seen(None, verb="GET", count=2)
    s.log.wait("backend_session_healed")


def test_a_session_that_is_lost_each_time_ends_the_call_and_not_the_world(sluice, fake):
    server = fake(fail={"tools/call": 404})
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        with pytest.raises(RpcError) as e:
            c.call("f__echo")
        assert (e.value.data["reason"], e.value.data["outcome"]) == ("backend_unavailable", "not_sent")
    assert len(server.seen("tools/call")) == 2


def test_the_level_of_the_log_is_told_to_the_new_session(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        c.request("logging/setLevel", {"level": "debug"})
        server.wait(lambda: any(r.params["level"] == "debug" for r in server.seen("logging/setLevel")))
        server.forget_sessions()
        before = len(server.seen("logging/setLevel"))
        assert c.text("f__echo", {"text": "1"}) == "1"
        server.wait(lambda: len(server.seen("logging/setLevel")) > before)
        assert server.seen("logging/setLevel")[-1].headers["mcp-session-id"] == "session-2"


def test_a_stream_that_breaks_off_is_taken_up_where_it_did(sluice, fake):
    server = fake(ids=True, retry=120)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        todo = steps({"progress": 1}, {"hang_up": True}, {"progress": 2}, {"answer": "after all"})
        answer = unwrap(c.ask(call(5, "f__steps", todo, token=1)))
        assert answer["content"][0]["text"] == "after all"
        assert [n["params"]["progress"] for n in c.notifications] == [1, 2]
    resumed = [r for r in server.seen(verb="GET") if "last-event-id" in r.headers]
    assert len(resumed) == 1 and resumed[0].headers["mcp-session-id"] == "session-1"


def test_a_server_that_hangs_up_again_and_again_is_asked_again_and_again(sluice, fake):
    """Polling as in 2025-11-25: each time with an id, and also when nothing has come since."""
    server = fake(ids=True, retry=100)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        polls = [{"progress": n} if n % 2 else {"wait": 1} for n in range(7)]
        todo = steps(*(step for poll in polls for step in (poll, {"hang_up": True})), {"answer": "at last"})
        assert unwrap(c.ask(call(5, "f__steps", todo, token=1)))["content"][0]["text"] == "at last"
        assert [n["params"]["progress"] for n in c.notifications] == [1, 3, 5]
    assert len([r for r in server.seen(verb="GET") if "last-event-id" in r.headers]) == 7


def test_a_stream_that_cannot_be_taken_up_ends_its_call(sluice, fake):
    server = fake(ids=True, get=False)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        with pytest.raises(RpcError) as e:
            c.call("f__steps", steps({"progress": 1}, {"drop": True}), timeout=20 * PATIENCE)
        assert (e.value.data["reason"], e.value.data["outcome"]) == ("backend_exited", "unknown")


# the end


@pytest.mark.parametrize("mode", MODES)
def test_a_stop_ends_the_session(sluice, fake, mode):
    server = fake(mode)
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
    assert s.terminate() == 0
    assert [r.headers["mcp-session-id"] for r in server.seen(verb="DELETE")] == (["session-1"] if mode in ("legacy", "dual") else [])


def test_a_server_that_does_not_answer_the_delete_holds_nobody_up(sluice, fake):
    server = fake(fail={None: lambda r: time.sleep(20) if r.verb == "DELETE" else None})
    s = sluice.http(servers(f=server.entry(stop={"eof": "200ms", "term": "200ms"})))
    s.signal(signal.SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 4 * PATIENCE


def test_a_call_in_flight_finishes_while_draining(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        pending = c.in_background(call(1, "f__sleep", {"ms": 700}), 20 * PATIENCE)
        server.wait_seen("tools/call")
        s.signal(signal.SIGTERM)
        assert unwrap(pending.join())["content"][0]["text"] == "slept"
    assert s.wait() == 0
    assert s.last_line()["aborted"] == 0 and server.seen(verb="DELETE")


def test_a_call_that_outlives_the_budget_is_cut_with_the_right_outcome(sluice, fake):
    server = fake()
    lifecycle = {"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}, "gracePeriod": "3s", "margin": "500ms"}
    s = sluice.http(servers(f=server.entry(stop={"eof": "300ms", "term": "300ms"}), lifecycle=lifecycle))
    with s.client() as c:
        pending = c.in_background(call(1, "f__sleep", {"ms": 30000}), 20 * PATIENCE)
        server.wait_seen("tools/call")
        s.signal(signal.SIGTERM)
        data = pending.join()["error"]["data"]
        assert (data["reason"], data["outcome"]) == ("draining", "unknown")
    assert s.wait() == 0
    server.wait_seen("notifications/cancelled")
    assert [r.verb for r in server.requests][-1] == "DELETE", "cancelled is said before the session ends"


def test_a_server_that_drains_too_finishes_what_it_has(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        pending = c.in_background(call(1, "f__sleep", {"ms": 1000}), 20 * PATIENCE)
        server.wait_seen("tools/call")
        server.stop_listening()
        s.signal(signal.SIGTERM)
        assert unwrap(pending.join())["content"][0]["text"] == "slept"
    assert s.wait() == 0


def test_a_server_that_nobody_uses_is_let_go_and_comes_back(sluice, fake):
    server = fake()
    s = sluice.http(servers(f=server.entry(idleTimeout="200ms")))
    with s.client() as c:
        assert c.text("f__echo", {"text": "1"}) == "1"
        server.wait_seen(None, verb="DELETE")
        assert c.text("f__echo", {"text": "2"}) == "2"
        assert "f__echo" in c.tool_names()


# the configuration


def test_a_reload_with_another_url_replaces_the_session(sluice, fake):
    one, two = fake(), fake(tools=["two"])
    r = Reloading(sluice, servers(f=one.entry()))
    with r.s.client() as c:
        assert "f__two" not in c.tool_names()
        r.reload(servers(f=two.entry()))
        wait_until(lambda: "f__two" in c.tool_names())
        assert one.seen(verb="DELETE") or one.wait_seen(None, verb="DELETE")
        r.reload(servers(f=two.entry(headers={"X-A": "1"})))
        wait_until(lambda: len(two.seen("initialize")) == 2)
        assert c.text("f__echo", {"text": "x"}) == "x"


def test_a_proxy_of_the_environment_is_used_and_no_proxy_spares(sluice, fake):
    proxied = fake(sessions=False)
    proxy = f"http://127.0.0.1:{proxied.port}"
    s = sluice.http({"mcpServers": {"f": {"url": "http://elsewhere.invalid/mcp", "type": "http"}}}, env={"HTTP_PROXY": proxy, "PATH": "/bin"}, ready=False)
    proxied.wait(lambda: proxied.requests)
    assert proxied.requests[0].path == "http://elsewhere.invalid/mcp" and proxied.requests[0].headers["host"] == "elsewhere.invalid"
    direct = fake()
    t = sluice.http(servers(f=direct.entry()), env={"HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1", "PATH": "/bin"})
    with t.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
    s.terminate()


# the command line


@pytest.mark.parametrize("mode", MODES)
def test_list_and_call_work_from_the_command_line(sluice, fake, mode):
    config = sluice.write(servers(f=fake(mode).entry()))
    code, out, err = sluice.output("list", "--config", config)
    assert code == 0 and "f__echo" in [t["name"] for t in json.loads(out)["tools"]], err
    code, out, err = sluice.output("call", "f__echo", '{"text":"hello"}', "--config", config)
    assert code == 0 and "hello" in out, err


def test_call_of_a_server_that_is_away_is_69(sluice, fake):
    server = fake()
    server.close()
    code, out, err = sluice.output("call", "f__echo", "{}", "--config", sluice.write(servers(f=server.entry())), timeout=30)
    assert code == 69 and "f" in err


# arguments as headers


def annotated(name, header, type="string"):
    schema = {"type": "object", "properties": {"region": {"type": type, "x-mcp-header": header}, "n": {"type": "integer"}}}
    return {"name": name, "inputSchema": schema}


def test_arguments_are_repeated_as_headers_where_the_tool_says_so(sluice, fake):
    server = fake("modern", tools=[annotated("seen", "Region"), annotated("bad", "not a token"), annotated("worse", "X", "object")])
    s = sluice.http(servers(f=server.entry()))
    with s.client() as c:
        names = c.tool_names()
        assert "f__seen" in names and "f__bad" not in names and "f__worse" not in names
        assert json.loads(c.text("f__seen", {"region": "eu west"}))["mcp-param-region"] == "eu west"
        assert json.loads(c.text("f__seen", {"region": "ü"}))["mcp-param-region"] == "=?base64?w7w=?="
        assert "mcp-param-region" not in json.loads(c.text("f__seen", {"region": None}))
        assert "mcp-param-region" not in json.loads(c.text("f__seen"))
    s.log.wait("backend_list_fault")


def test_a_list_that_has_changed_its_headers_is_fetched_anew_and_the_call_sent_again(sluice, fake):
    server = fake("modern", tools=[annotated("seen", "Region")])
    s = sluice.http(servers(f=server.entry()))

    def mismatch(r):
        if "mcp-param-zone" in r.headers:
            return None
        error = {"code": -32020, "message": "Mcp-Param-Zone is missing"}
        return raw(json.dumps({"jsonrpc": "2.0", "id": r.message["id"], "error": error}), status="400 No")

    with s.client() as c:
        server.knobs.update(tools=[annotated("seen", "Zone")], fail={"tools/call": mismatch})
        assert json.loads(c.text("f__seen", {"region": "eu"}))["mcp-param-zone"] == "eu"
        assert len(server.seen("tools/call")) == 2
        server.knobs["fail"] = {"tools/call": lambda r: raw(json.dumps({"jsonrpc": "2.0", "id": r.message["id"], "error": {"code": -32020, "message": "never"}}), status="400 No")}
        with pytest.raises(RpcError) as e:
            c.call("f__seen", {"region": "eu"})
        assert e.value.code == -32603
