"""S18: what servers ask of clients, when the gateway is told to stop: answered as long as there is time, and otherwise
ended with a word to both sides. Parked calls of modern clients and calls that wait for a lease, too."""

import json
import time
from signal import SIGTERM

import pytest

from asking import ACCEPTED, ALL, FORM, OpenCall, answered, asking, reply
from fake_http_server import FakeHttpServer
from harness import NO_LAME_DUCK, PATIENCE, fake, servers, wait_until
from mcp_client import call, text_of
from modern_client import ModernHttp, modern
from scale import dur, life
from sse_client import McpSse

STOP = {"eof": dur(2), "term": dur(2)}
GRACE = {**NO_LAME_DUCK, "gracePeriod": dur(30), "margin": dur(2)}
LONG = {**GRACE, "gracePeriod": dur(90)}  # for those that do much before STOP, and need not wait for it
CUT = life(30) + 10 * PATIENCE  # so long one waits for what comes at STOP
ELICIT = {"method": "elicitation/create", "params": FORM}


def start(sluice, tmp_path=None, lifecycle=GRACE, isolation="shared", **knobs):
    if tmp_path:
        knobs["record"] = str(tmp_path / "record")
    return sluice.http(servers(lifecycle=lifecycle, f=fake(knobs, more={"stop": STOP, "isolation": isolation})))


def terminate(s, phase="draining"):
    s.signal(SIGTERM)
    s.log.wait("phase", to=phase)
    return time.monotonic()


def in_flight(s, n):
    wait_until(lambda: s.health()["in_flight"] == n, what=f"{n} calls in flight")


def is_cut(message, outcome="unknown"):
    data = message["error"]["data"]
    return (data["reason"], data["outcome"]) == ("draining", outcome)


def ends(s):
    last = s.last_line()
    return last["completed"], last["aborted"], last["refused"]


def lines(record):
    return [json.loads(text[text.index("{") :]) for text in record.read_text().splitlines() if "{" in text]


def answers_in(record):
    return [m for m in lines(record) if "method" not in m]


def cancelled_in(record):
    return [m for m in lines(record) if m.get("method") == "notifications/cancelled"]


# answered in time


@pytest.mark.parametrize("phase", ["lame_duck", "draining"])
@pytest.mark.parametrize("isolation", ["shared", "lease", "session"])
def test_s18_a_question_that_is_open_at_sigterm_may_be_answered(sluice, isolation, phase):
    duck = {"min": dur(20), "quiet": "0s", "max": dur(20)} if phase == "lame_duck" else NO_LAME_DUCK["lameDuck"]
    s = start(sluice, lifecycle={**LONG, "lameDuck": duck}, isolation=isolation)
    with s.client(capabilities=ALL) as c:
        o, question = asking(c, **ELICIT)
        terminate(s, phase)
        reply(c, question, ACCEPTED)
        assert answered(o)["result"] == ACCEPTED
    assert s.wait(CUT) == 0
    assert ends(s) == (1, 0, 0)


@pytest.mark.parametrize("mode", ["legacy", "sse"])
def test_s18_a_server_over_http_may_ask_while_draining_and_gets_its_answer(sluice, mode):
    with FakeHttpServer(mode) as server:
        s = sluice.http(servers(lifecycle=LONG, f=server.entry(stop=STOP)))
        ask = {"jsonrpc": "2.0", "id": "q", **ELICIT}
        steps = [{"progress": 1}, {"wait": 500}, {"ask": ask}, {"await": 1}, {"answer": "done"}]
        with s.client(capabilities=ALL) as c:
            pending = c.in_background(call(1, "f__steps", {"steps": steps}), CUT)
            server.wait_seen("tools/call")
            terminate(s)
            wait_until(lambda: pending.client.notifications, what="the question")
            (question,) = pending.client.notifications
            reply(c, question, ACCEPTED)
            assert text_of(pending.join()["result"]) == "done"
        assert s.wait(CUT) == 0
        assert ends(s) == (1, 0, 0)
        assert [r.message["result"] for r in server.seen() if r.message.get("id") == "q"] == [ACCEPTED]


def test_s18_a_client_of_the_old_transport_answers_while_draining(sluice):
    s = start(sluice, lifecycle=LONG)
    with McpSse(s.address, timeout=CUT).initialize(capabilities=ALL) as c:
        c.send(call("x", "f__ask", ELICIT))
        question = c.next_message()
        assert question["method"] == "elicitation/create"
        terminate(s)
        c.send({"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED})
        assert json.loads(text_of(c.answer_of("x")["result"]))["result"] == ACCEPTED
    assert s.wait(CUT) == 0
    assert ends(s) == (1, 0, 0)


def rounds(request):
    """A modern server: it wants an input, and then it has its answer."""
    got = request.params.get("inputResponses")
    result = {"resultType": "complete", "content": [{"type": "text", "text": json.dumps(got)}]}
    if got is None:
        result = {"resultType": "input_required", "inputRequests": {"k": ELICIT}, "requestState": "state"}
    body = json.dumps({"jsonrpc": "2.0", "id": request.message["id"], "result": result})
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize("answers", [True, False])
def test_s18_a_round_of_input_for_a_modern_server_may_be_finished_while_draining(sluice, answers):
    with FakeHttpServer("modern", fail={"tools/call": rounds}) as server:
        s = sluice.http(servers(lifecycle=LONG if answers else GRACE, f=server.entry(stop=STOP)))
        with s.client(capabilities=ALL, timeout=CUT) as c:
            o = OpenCall(c, "f__echo", {})
            question = o.next()
            assert question["method"] == "elicitation/create"
            terminate(s)
            if answers:
                reply(c, question, ACCEPTED)
                assert json.loads(o.text()) == {"k": ACCEPTED}
            else:
                taken_back, end = o.next(CUT), o.next(CUT)
                assert taken_back["params"]["requestId"] == question["id"] and is_cut(end)
        assert s.wait(CUT) == 0
        assert ends(s) == ((1, 0, 0) if answers else (0, 1, 0))
        assert len(server.seen("tools/call")) == (2 if answers else 1)


# nobody answers


def test_s18_a_question_that_nobody_answers_ends_at_stop_and_both_sides_are_told(sluice, tmp_path):
    s = start(sluice, tmp_path)
    with s.client(capabilities=ALL, timeout=CUT) as c:
        o, question = asking(c, **ELICIT)
        begun = terminate(s)
        taken_back, end = o.next(CUT), o.next(CUT)
        assert taken_back["method"] == "notifications/cancelled"
        assert taken_back["params"]["requestId"] == question["id"]
        assert is_cut(end) and o.next() is None
        assert time.monotonic() - begun > life(15)
    assert s.wait(CUT) == 0
    assert ends(s) == (0, 1, 0)
    (refusal,) = answers_in(tmp_path / "record")
    assert refusal["id"] == "q1" and refusal["error"]["code"] == -32603
    assert len(cancelled_in(tmp_path / "record")) == 1


@pytest.mark.parametrize("mode", ["legacy", "sse"])
def test_s18_the_same_for_a_server_over_http(sluice, mode):
    with FakeHttpServer(mode) as server:
        s = sluice.http(servers(lifecycle=GRACE, f=server.entry(stop=STOP)))
        ask = {"jsonrpc": "2.0", "id": "q", **ELICIT}
        with s.client(capabilities=ALL, timeout=CUT) as c:
            o = OpenCall(c, "f__steps", {"steps": [{"ask": ask}, {"wait": 1000 * CUT}]})
            question = o.next()
            begun = terminate(s)
            taken_back, end = o.next(CUT), o.next(CUT)
            assert taken_back["params"]["requestId"] == question["id"] and is_cut(end)
        assert s.wait(CUT) == 0
        assert life(15) < time.monotonic() - begun < life(30) + 3 * PATIENCE
        assert ends(s) == (0, 1, 0)
        server.wait_seen("notifications/cancelled")
        refusals = [r.message["error"]["code"] for r in server.seen() if r.message.get("id") == "q"]
        assert refusals in ([-32603], []), "the end of its call says the same"


def test_s18_a_client_that_leaves_with_a_question_open_ends_its_call_and_the_drain(sluice, tmp_path):
    s = start(sluice, tmp_path)
    with s.client(capabilities=ALL) as c:
        o, _ = asking(c, **ELICIT)
        begun = terminate(s)
        o.client.connection().reset()
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(20) + 2 * PATIENCE
    assert [m["id"] for m in answers_in(tmp_path / "record")] == ["q1"]


def test_s18_of_twenty_clients_half_answer_and_each_gets_its_own_end(sluice):
    with FakeHttpServer("legacy") as server:
        s = sluice.http(servers(lifecycle=GRACE, f=server.entry(stop=STOP, isolation="session")))
        clients = [s.client(capabilities=ALL, timeout=CUT) for _ in range(20)]
        steps = [{"ask": {"jsonrpc": "2.0", "id": "q", **ELICIT}}, {"await": 1}, {"answer": "done"}]
        waits = [{"ask": {"jsonrpc": "2.0", "id": "q", **ELICIT}}, {"wait": 1000 * CUT}]
        calls = [OpenCall(c, "f__steps", {"steps": steps if i % 2 else waits}, id=i) for i, c in enumerate(clients)]
        questions = [o.next() for o in calls]
        assert len({q["id"] for q in questions}) == 20
        begun = terminate(s)
        for c, q in list(zip(clients, questions))[1::2]:
            reply(c, q, ACCEPTED)
        for o in calls[1::2]:
            assert text_of(o.stream.messages(CUT)[-1]["result"]) == "done"
        for i, o in list(enumerate(calls))[0::2]:
            taken_back, end = o.next(CUT), o.next(CUT)
            assert taken_back["params"]["requestId"] == questions[i]["id"]
            assert end["id"] == i and is_cut(end)
        assert s.wait(CUT) == 0
        assert time.monotonic() - begun < life(30) + 3 * PATIENCE
        assert ends(s) == (10, 10, 0)
        server.wait(lambda: len(server.seen(verb="DELETE")) >= 20)
        for c in clients:
            c.close()


def test_s18_a_second_signal_ends_open_questions_soon(sluice):
    s = start(sluice, lifecycle={**NO_LAME_DUCK, "gracePeriod": "60s"})
    with s.client(capabilities=ALL) as c:
        o, question = asking(c, **ELICIT)
        terminate(s)
        s.signal(SIGTERM)
        taken_back, end = o.next(10 * PATIENCE), o.next(10 * PATIENCE)
        assert taken_back["params"]["requestId"] == question["id"] and is_cut(end)
    assert s.wait() == 0
    assert ends(s) == (0, 1, 0)


# parked calls of modern clients


def ask_modern(m, args=ELICIT, tool="f__ask", **more):
    return m.ask("tools/call", {"name": tool, "arguments": args, **more}, CUT, capabilities=ALL)


def park(m, **more):
    parked = ask_modern(m, **more)
    assert parked["resultType"] == "input_required"
    return parked


def go_on(m, parked, responses, **more):
    return ask_modern(m, requestState=parked["requestState"], inputResponses=responses, **more)


def script(*steps):
    return {"steps": list(steps)}


ROOTS = {"call_back": {"jsonrpc": "2.0", "id": 1, "method": "roots/list"}}


def test_s18_a_parked_call_may_be_finished_while_draining_and_new_requests_are_refused(sluice):
    s = start(sluice, lifecycle=LONG)
    with ModernHttp(s.address) as m, ModernHttp(s.address) as late:
        parked = park(m)
        terminate(s)
        assert late.post(modern(1, "tools/call", {"name": "f__echo", "arguments": {}})).status == 503
        assert late.post(modern(2, "tools/call", {"name": "f__ask", "arguments": ELICIT, "requestState": "made up"})).status == 503
        assert json.loads(text_of(go_on(m, parked, {"r1": ACCEPTED})))["result"] == ACCEPTED
    assert s.wait(CUT) == 0
    assert ends(s) == (1, 0, 2)


def test_s18_a_call_that_would_be_parked_while_draining_goes_on_with_a_refusal(sluice, tmp_path):
    """The client could not come back any more: the server is told so, and decides itself what its call ends with."""
    s = start(sluice, tmp_path, lifecycle=LONG)
    args = script({"wait": 700}, ROOTS, {"wait": 200}, {"answer": "done without"})
    with ModernHttp(s.address) as m:
        m.send(modern("x", "tools/call", {"name": "f__script", "arguments": args}, capabilities=ALL))
        in_flight(s, 1)
        terminate(s)
        c = m.connection()
        assert text_of(c.response(CUT).json()["result"]) == "done without"
    assert s.wait(CUT) == 0
    assert ends(s) == (1, 0, 0)
    (refusal,) = answers_in(tmp_path / "record")
    assert refusal["error"]["code"] == -32603 and "shutting down" in refusal["error"]["message"]


def test_s18_a_retry_that_is_asked_again_while_draining_is_not_parked_again(sluice):
    s = start(sluice, lifecycle=LONG)
    again = {"call_back": {"jsonrpc": "2.0", "id": 2, "method": "roots/list"}}
    args = script(ROOTS, {"wait": 900}, again, {"wait": 200}, {"answer": "done"})
    with ModernHttp(s.address) as m:
        parked = park(m, args=args, tool="f__script")
        terminate(s)
        done = go_on(m, parked, {"r1": {"roots": []}}, args=args, tool="f__script")
        assert done["resultType"] == "complete" and text_of(done) == "done"
    assert s.wait(CUT) == 0


def test_s18_a_retry_that_lacks_an_answer_is_asked_for_it_again_while_draining(sluice):
    """It is the same question, and the client is there: it may still bring what is missing."""
    s = start(sluice, lifecycle=LONG)
    with ModernHttp(s.address) as m:
        parked = park(m)
        terminate(s)
        again = go_on(m, parked, {})
        assert again["resultType"] == "input_required" and again["requestState"] != parked["requestState"]
        assert json.loads(text_of(go_on(m, again, {"r1": ACCEPTED})))["result"] == ACCEPTED
    assert s.wait(CUT) == 0


def test_s18_parked_calls_that_nobody_comes_back_for_end_at_stop_and_the_server_is_told(sluice, tmp_path):
    s = start(sluice, tmp_path)
    clients = [ModernHttp(s.address) for _ in range(10)]
    for m in clients:
        park(m)
    begun = terminate(s)
    assert s.wait(CUT) == 0
    assert life(15) < time.monotonic() - begun < life(30) + 3 * PATIENCE
    record = tmp_path / "record"
    assert [m["result"] for m in answers_in(record)] == [{"action": "cancel"}] * 10
    assert len(cancelled_in(record)) == 10
    assert s.last_line()["backends_killed"] == 0
    for m in clients:
        m.close()


def test_s18_a_state_from_before_a_restart_is_refused_and_nothing_is_run_again(sluice, tmp_path):
    a, b = start(sluice, lifecycle=LONG), start(sluice, tmp_path)
    with ModernHttp(a.address) as m, ModernHttp(b.address) as elsewhere:
        state = park(m)["requestState"]
        params = {"name": "f__ask", "arguments": ELICIT, "requestState": state, "inputResponses": {"r1": ACCEPTED}}
        _, error = elsewhere.error(modern(1, "tools/call", params, capabilities=ALL))
        assert error["code"] == -32602
        terminate(a)
        a.signal(SIGTERM)
    assert a.wait() == 0
    assert not [m for m in lines(tmp_path / "record") if m.get("method") == "tools/call"]


# leases


def test_s18_a_call_that_waits_for_a_lease_gets_it_while_draining(sluice):
    s = start(sluice, lifecycle=LONG, isolation="lease")
    with s.client(capabilities=ALL) as a, s.client(capabilities=ALL) as b:
        o, question = asking(a, **ELICIT)
        waiting = b.in_background(call(2, "f__echo", {"text": "my turn"}), CUT)
        in_flight(s, 2)
        terminate(s)
        reply(a, question, ACCEPTED)
        assert answered(o)["result"] == ACCEPTED
        assert text_of(waiting.join()["result"]) == "my turn"
    assert s.wait(CUT) == 0
    assert ends(s) == (2, 0, 0)


def test_s18_calls_that_still_wait_for_a_lease_at_stop_were_not_sent(sluice, tmp_path):
    s = start(sluice, tmp_path, isolation="lease")
    with s.client(capabilities=ALL, timeout=CUT) as a:
        o, _ = asking(a, **ELICIT)
        others = [s.client(capabilities=ALL) for _ in range(10)]
        waiting = [c.in_background(call(i, "f__echo", {"text": "never"}), CUT) for i, c in enumerate(others)]
        in_flight(s, 11)
        terminate(s)
        assert all(is_cut(w.join(), "not_sent") for w in waiting)
        assert is_cut(o.stream.messages(CUT)[-1])
        for c in others:
            c.close()
    assert s.wait(CUT) == 0
    assert ends(s) == (0, 1, 10)
    assert "never" not in (tmp_path / "record").read_text()
