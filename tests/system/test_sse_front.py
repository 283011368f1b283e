"""The legacy transport (HTTP+SSE, 2024-11-05): one stream for all that comes, POSTs for all that goes."""

import base64
import json
import os
import time
from signal import SIGTERM

import pytest

from asking import ACCEPTED, ALL, FORM
from harness import PATIENCE, example, fake, servers, wait_until
from http_client import Connection
from mcp_client import ALL_REVISIONS, call, dumps, initialize_params, notification, request, text_of
from sse_client import McpSse


def key(id="k1"):
    return {"id": id, "secret": base64.b64encode(os.urandom(32)).decode()}


def in_flight(s, n):
    wait_until(lambda: s.health()["in_flight"] == n, what=f"{n} calls in flight")


@pytest.fixture
def sse(shared):
    with McpSse(shared.address) as c:
        yield c.initialize()


# the stream


@pytest.mark.parametrize("path", ["/sse", "/mcp/sse"])
def test_the_first_event_says_where_to_post(shared, path):
    with McpSse(shared.address, path) as c:
        assert c.head.status == 200 and c.head.header("cache-control") == "no-cache, no-transform"
        assert c.endpoint.startswith("/messages?sessionId=") and c.retry == "1000"
        with McpSse(shared.address, path) as other:
            assert other.endpoint != c.endpoint
        assert c.initialize().hello["serverInfo"]["name"] == "sluice"


def test_the_base_path_stands_before_it(sluice):
    s = sluice.http(servers(ex=example(), http={"basePath": "/gateway"}))
    with McpSse(s.address, "/gateway/sse") as c:
        assert c.endpoint.startswith("/gateway/messages?sessionId=")
        assert "ex__echo" in c.initialize().tool_names()
    with McpSse(s.address, "/sse") as c:
        assert c.head.status == 404


def test_the_path_of_one_server_shows_it_alone(sluice):
    s = sluice.http(servers(ex=example(), other=example()))
    with McpSse(s.address, "/mcp/server/other/sse") as c:
        assert "echo" in c.initialize().tool_names()
        assert c.text("echo", {"text": "a"}) == "a"
    with McpSse(s.address, "/mcp/server/nobody/sse") as c:
        assert c.head.status == 404


@pytest.mark.parametrize("revision", ALL_REVISIONS)
def test_every_revision_works_over_it(shared, revision):
    with McpSse(shared.address) as c:
        assert c.initialize(revision).hello["protocolVersion"] == revision
        assert c.text("ex__echo", {"text": revision}) == revision


def test_progress_comes_before_the_answer(sse):
    sse.send(call("p", "ex__progress", {"steps": 3, "ms": 1}, token="t"))
    assert text_of(sse.answer_of("p")["result"]) == "done"
    assert [m["params"]["progress"] for m in sse.others] == [1, 2, 3]
    assert all(m["params"]["progressToken"] == "t" for m in sse.others)


def test_many_calls_are_in_flight_at_once_and_each_gets_its_own_answer(sse):
    for i in range(50):
        sse.send(call(f"id {i}", "ex__sleep", {"ms": 300 - 5 * i}))
    answers = {}
    while len(answers) < 50:
        m = sse.next_message()
        answers[m["id"]] = m
    assert all(text_of(m["result"]) == "slept" for m in answers.values())


def test_a_big_answer_comes_whole(sse):
    assert len(sse.text("ex__big", {"bytes": 3_000_000}, timeout=20 * PATIENCE)) == 3_000_000


def test_list_changed_comes_on_the_stream(sluice):
    s = sluice.http(servers(ex=example()))
    with McpSse(s.address) as c:
        c.initialize()
        c.tool_names()
        c.text("ex__change")
        assert c.next_message()["method"] == "notifications/tools/list_changed"


def test_a_cancelled_call_is_not_answered(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record))))
    with McpSse(s.address) as c:
        c.initialize()
        c.send(call("long", "f__sleep", {"ms": 60000}))
        in_flight(s, 1)
        c.send(notification("notifications/cancelled", {"requestId": "long"}))
        in_flight(s, 0)
        assert c.request("ping") == {}
        assert c.others == []
    wait_until(lambda: "notifications/cancelled" in record.read_text(), what="the server told")


def test_a_batch_is_answered_message_by_message_where_the_revision_has_them(shared):
    with McpSse(shared.address) as c:
        c.initialize("2025-03-26")
        c.send([request("a", "ping"), notification("notifications/initialized"), request("b", "ping"), 5])
        assert {c.next_message().get("id") for _ in range(3)} == {"a", "b", None}
        assert c.post("[1").status == 400
    with McpSse(shared.address) as c:
        c.initialize("2024-11-05")
        assert c.post([request("a", "ping")]).status == 400


# what servers ask


QUESTION = {"method": "elicitation/create", "params": FORM}


def test_a_question_of_a_server_comes_on_the_stream_and_its_answer_is_taken(sluice):
    s = sluice.http(servers(f=fake()))
    with McpSse(s.address) as c, McpSse(s.address) as other:
        c.initialize("2025-06-18", ALL)
        other.initialize("2025-06-18", ALL)
        c.send(call("asks", "f__ask", QUESTION))
        question = c.next_message()
        assert (question["method"], question["params"]) == (QUESTION["method"], FORM)
        other.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "cancel"}})
        c.send({"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED})
        assert json.loads(text_of(c.answer_of("asks")["result"]))["result"] == ACCEPTED


def test_a_question_is_not_dropped_for_a_client_that_does_not_read(sluice):
    s = sluice.http(servers(ex=example(), f=fake()))
    with McpSse(s.address) as c:
        c.initialize("2025-06-18", ALL)
        for i in range(5):
            c.send(call(i, "ex__big", {"bytes": 3_000_000}))
        question = {"jsonrpc": "2.0", "id": "q", **QUESTION}
        steps = [{"wait": 1500}, {"call_back": question}, {"wait": 500}, {"answer": "asked"}]
        c.send(call("asks", "f__script", {"steps": steps}))
        wait_until(lambda: c.post(request("x", "ping")).status == 503, what="a full stream")
        time.sleep(2)
        while "method" not in (m := c.next_message(30 * PATIENCE)) or m["method"] != QUESTION["method"]:
            pass
        assert text_of(c.answer_of("asks", 30 * PATIENCE)["result"]) == "asked"


@pytest.mark.parametrize("calls", [1, 3])
def test_who_leaves_in_order_with_a_question_open_ends_it_and_nothing_else(sluice, calls):
    s = sluice.http(servers(f=fake()))
    with McpSse(s.address) as c, s.client() as other:
        c.initialize(capabilities=ALL)
        for i in range(calls):
            c.send(call(i, "f__ask", QUESTION))
            assert c.next_message()["method"] == "elicitation/create"
        c.get.half_close()
        wait_until(lambda: other.text("f__received").count('\\"code\\":-32603') == calls, what="the end of the questions")
        assert c.next_message() is None


# what is refused


def test_an_unknown_session_is_404(sse):
    for query in ("", "?sessionId=", "?sessionId=" + "0" * 32, "?other=1", "?sessionId=" + "a" * 10000):
        sse.endpoint = "/messages" + query
        assert sse.post(request(1, "ping")).status == 404


def test_the_session_ends_with_the_stream(shared):
    c = McpSse(shared.address)
    c.initialize()
    c.get.close()
    wait_until(lambda: c.post(request(1, "ping")).status == 404, what="the end of the session")
    c.close()


def test_what_is_no_message_is_400(sse):
    for body in ("{", "", "1", '{"jsonrpc":"2.0"}', '{"jsonrpc":"2.0","id":null,"method":"ping"}', b"\xff"):
        r = sse.post(body)
        assert r.status == 400 and r.json()["error"]["code"] in (-32700, -32600), body
    assert sse.request("ping") == {}


def test_another_content_type_is_415(sse):
    assert sse.post(request(1, "ping"), {"Content-Type": "text/plain"}).status == 415


@pytest.mark.parametrize("path,verb", [("/sse", "POST"), ("/sse", "DELETE"), ("/messages", "GET"), ("/messages", "PUT")])
def test_other_verbs_are_405(shared, path, verb):
    with shared.connect() as c:
        r = c.exchange(verb, path)
        assert r.status == 405 and "OPTIONS" in r.header("allow")


def test_the_stream_must_be_wanted(shared):
    with McpSse(shared.address, headers={"Accept": "application/json"}) as c:
        assert c.head.status == 406


def test_host_and_origin_are_checked(shared, sse):
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        for verb, path in (("GET", "/sse"), ("POST", sse.endpoint), ("OPTIONS", "/messages")):
            with shared.connect() as c:
                c.request(verb, path, headers, host="Host" not in headers)
                assert c.response().status == 403


def test_an_allowed_origin_gets_cors(shared):
    origin = {"Origin": "http://localhost:3000"}
    with McpSse(shared.address, headers=origin) as c:
        assert c.head.header("access-control-allow-origin") == origin["Origin"]
        r = c.post(request(1, "ping"), {"Content-Type": "application/json", **origin})
        assert r.status == 202 and r.header("access-control-allow-origin") == origin["Origin"]
    with shared.connect() as c:
        r = c.exchange("OPTIONS", "/messages", {**origin, "Access-Control-Request-Method": "POST"})
        assert r.status == 204 and "POST" in r.header("access-control-allow-methods")


def test_requests_before_initialize_get_an_error_and_ping_an_answer(shared):
    with McpSse(shared.address) as c:
        c.send(request("early", "tools/list"))
        assert c.answer_of("early")["error"]["code"] == -32600
        assert c.request("ping") == {}
        c.initialize()
        c.send(request("again", "initialize", initialize_params()))
        assert c.answer_of("again")["error"]["code"] == -32600


def test_streams_beyond_the_bound_are_refused(sluice):
    s = sluice.http(servers(ex=example(), session={"max": 3}))
    clients = [McpSse(s.address).initialize() for _ in range(3)]
    with McpSse(s.address) as more:
        assert more.head.status == 503
    clients[0].close()

    def has_room():
        with McpSse(s.address) as again:
            return again.head.status == 200

    wait_until(has_room, what="room for another stream")
    for c in clients[1:]:
        c.close()


# slow readers, clients that leave


def test_who_does_not_read_loses_progress_gets_every_answer_and_may_ask_no_more(sluice):
    s = sluice.http(servers(ex=example()))
    slow = McpSse(s.address).initialize()
    for i in range(5):
        slow.send(call(i, "ex__big", {"bytes": 3_000_000}))

    def is_refused():
        r = slow.post(request("x", "ping"))
        return r.status == 503 and r.header("retry-after") == "1"

    wait_until(is_refused, what="no more requests")
    assert s.health()["status"] == "ok"
    for i in range(5):
        assert len(text_of(slow.answer_of(i, 30 * PATIENCE)["result"])) == 3_000_000
    slow.close()


def test_the_calls_of_a_client_that_has_gone_run_on_and_their_answers_are_dropped(sluice):
    s = sluice.http(servers(ex=example()))
    with McpSse(s.address) as c, McpSse(s.address) as other:
        c.initialize(), other.initialize()
        c.send(call("long", "ex__sleep", {"ms": 700}))
        in_flight(s, 1)
        c.get.reset()
        assert other.text("ex__echo", {"text": "still here"}) == "still here"
        in_flight(s, 0)


@pytest.mark.slow
def test_a_silent_stream_gets_comments(sse):
    event = sse.stream.next(20 * PATIENCE)
    assert event.data is None and event.comments == [""]


# coming back


def test_a_client_that_says_the_last_events_id_goes_on_in_its_session_at_any_replica(sluice):
    config = servers(ex=example(), session={"keys": [key()]})
    a, b = sluice.http(config), sluice.http(config)
    with McpSse(a.address) as c:
        c.initialize()
        assert c.last_event_id
        with McpSse(b.address, headers={"Last-Event-ID": c.last_event_id}) as d:
            assert "ex__echo" in d.tool_names(), "without another initialize"


def test_calls_that_were_lost_with_the_stream_get_their_error_at_once(sluice):
    config = servers(ex=example(), session={"keys": [key()]})
    a, b = sluice.http(config), sluice.http(config)
    a.expected_codes, a.allow_orphans = {-9}, True
    with McpSse(a.address) as c:
        c.initialize()
        c.send(call("lost", "ex__progress", {"steps": 1000, "ms": 60}, token="t"))
        assert c.next_message()["method"] == "notifications/progress"
        a.process.kill()
        with McpSse(b.address, headers={"Last-Event-ID": c.last_event_id}) as d:
            data = d.answer_of("lost")["error"]["data"]
            assert (data["reason"], data["outcome"]) == ("backend_exited", "unknown")
            assert d.text("ex__echo", {"text": "on"}) == "on"
    a.wait()


def test_a_stream_that_is_taken_over_by_its_own_client_ends(sluice):
    s = sluice.http(servers(ex=example()))
    with McpSse(s.address) as c:
        c.initialize()
        with McpSse(s.address, headers={"Last-Event-ID": c.last_event_id}) as d:
            assert c.next_message() is None
            assert d.text("ex__echo", {"text": "here"}) == "here"


def test_a_client_that_says_only_its_revision_goes_on_too(sluice):
    s = sluice.http(servers(ex=example()))
    with McpSse(s.address, headers={"MCP-Protocol-Version": "2025-06-18"}) as c:
        assert c.text("ex__echo", {"text": "as the TypeScript SDK does"}) == "as the TypeScript SDK does"
    with McpSse(s.address, headers={"MCP-Protocol-Version": "1999-01-01"}) as c:
        c.send(request(1, "tools/list"))
        assert c.answer_of(1)["error"]["code"] == -32600


def test_a_client_that_is_known_may_still_start_over(sluice):
    s = sluice.http(servers(ex=example()))
    with McpSse(s.address, headers={"MCP-Protocol-Version": "2025-06-18"}) as c:
        assert c.initialize("2025-03-26").hello["protocolVersion"] == "2025-03-26"
        id = c.last_event_id
        assert s.health()["active_clients"] == 1
    with McpSse(s.address, headers={"Last-Event-ID": id}) as c:
        c.send(call("old", "ex__sleep", {"ms": 300}))
        assert c.initialize("2024-11-05").hello["protocolVersion"] == "2024-11-05"
        c.send(request("again", "initialize", initialize_params()))
        assert c.answer_of("again")["error"]["code"] == -32600
        assert c.last_event_id != id and "ex__echo" in c.tool_names()


def test_a_session_to_which_nobody_comes_back_is_ended(sluice):
    s = sluice.http(servers(ex=example(), session={"replayTime": "500ms"}))
    with McpSse(s.address) as c:
        id = c.initialize().last_event_id
    with McpSse(s.address, headers={"Last-Event-ID": id}) as back:
        assert back.request("ping") == {}
        time.sleep(0.8)
        assert "ex__echo" in back.tool_names(), "it was there in time"
    wait_until(lambda: s.health()["active_clients"] == 0, what="the end of the session")
    with McpSse(s.address, headers={"Last-Event-ID": id}) as late:
        late.send(request(1, "tools/list"))
        assert late.answer_of(1)["error"]["code"] == -32600


@pytest.mark.parametrize("id", ["", "~", "nonsense", "~~~~", "x~MQ", "\x7f", "a" * 4000])
def test_ids_that_are_not_ours_open_an_ordinary_stream(shared, id):
    with McpSse(shared.address, headers={"Last-Event-ID": id}) as c:
        if c.head.status == 200:
            assert c.initialize().request("ping") == {} and c.others == []
        else:
            assert c.head.status == 400, "a field that no client may send"


# the end


def test_a_stream_stays_until_its_calls_are_answered_and_new_ones_are_refused_on_it(sluice):
    s = sluice.http(servers(ex=example()))
    with McpSse(s.address) as c:
        c.initialize()
        c.send(call("old", "ex__sleep", {"ms": 1500}))
        in_flight(s, 1)
        s.signal(SIGTERM)
        s.log.wait("phase", to="draining")
        c.send(call("new", "ex__echo", {"text": "x"}))
        data = c.answer_of("new")["error"]["data"]
        assert (data["reason"], data["outcome"], data["retryable"]) == ("draining", "not_sent", True)
        assert text_of(c.answer_of("old")["result"]) == "slept"
        assert c.next_message() is None, "the stream ends in order"
    assert s.wait() == 0
    last = s.last_line()
    assert (last["completed"], last["aborted"], last["refused"]) == (1, 0, 1)


def test_a_stream_that_is_opened_while_draining_is_no_failure(sluice):
    s = sluice.http(servers(ex=example()))
    with McpSse(s.address) as c:
        c.initialize()
        c.send(call("old", "ex__sleep", {"ms": 1000}))
        in_flight(s, 1)
        s.signal(SIGTERM)
        s.log.wait("phase", to="draining")
        with McpSse(s.address) as late:
            assert late.head.status == 200
            late.send(request("i", "initialize", initialize_params()))
            assert late.answer_of("i")["error"]["data"]["reason"] == "draining"
            assert late.next_message() is None
        assert text_of(c.answer_of("old")["result"]) == "slept"
    assert s.wait() == 0


def test_a_call_that_nobody_waits_for_does_not_hold_up_the_drain(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record))))
    with McpSse(s.address) as c:
        c.initialize()
        c.send(call("gone", "f__sleep", {"ms": 600000}))
        in_flight(s, 1)
        s.signal(SIGTERM)
        s.log.wait("phase", to="draining")
        begun = time.monotonic()
        c.get.close()
        assert s.wait() == 0
        assert time.monotonic() - begun < 4 * PATIENCE
    assert "notifications/cancelled" in record.read_text()


def test_the_call_that_is_cut_gets_its_error_before_the_stream_ends(sluice):
    s = sluice.http(servers(ex=example()), "--grace-period", "3s")
    with McpSse(s.address) as c:
        c.initialize()
        c.send(call("long", "ex__sleep", {"ms": 600000}))
        in_flight(s, 1)
        s.signal(SIGTERM)
        data = c.answer_of("long")["error"]["data"]
        assert (data["reason"], data["outcome"]) == ("draining", "unknown")
        assert c.next_message() is None
    assert s.wait() == 0


def test_posts_work_on_connections_of_their_own(shared):
    with McpSse(shared.address) as c:
        c.initialize()
        for i in range(20):
            with Connection(shared.address) as post:
                r = post.exchange("POST", c.endpoint, {"Content-Type": "application/json"}, dumps(request(i, "ping")))
                assert r.status == 202
            assert c.answer_of(i)["result"] == {}
