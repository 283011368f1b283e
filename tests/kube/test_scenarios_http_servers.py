"""S18 with servers behind a URL: what they ask of clients, and what is in flight at them, when SIGTERM comes."""

import time
from signal import SIGTERM

import pytest

from asking import ALL, SAMPLING, OpenCall, reply
from fake_http_server import FakeHttpServer
from harness import PATIENCE, servers
from scale import dur

LIFECYCLE = {"gracePeriod": dur(30), "margin": dur(2), "lameDuck": {"min": dur(5), "quiet": dur(2), "max": dur(10)}}
ASK = {"jsonrpc": "2.0", "id": "q1", "method": "sampling/createMessage", "params": SAMPLING}
ANSWER = {"role": "assistant", "content": {"type": "text", "text": "x"}, "model": "m"}


@pytest.fixture(params=["legacy", "sse"])
def server(request):
    with FakeHttpServer(request.param) as server:
        yield server


def start(sluice, server):
    return sluice.http(servers(f={"url": server.url, "stop": {"eof": dur(2), "term": dur(2)}}, lifecycle=LIFECYCLE))


def answers(server):
    return [r.message for r in server.seen() if r.message.get("id") == "q1"]


@pytest.mark.parametrize("phase", ["lame_duck", "draining"])
def test_s18_a_question_that_is_open_at_sigterm_is_answered_by_its_client(sluice, server, phase):
    s = start(sluice, server)
    with s.client(capabilities=ALL) as c:
        pending = OpenCall(c, "f__steps", {"steps": [{"ask": ASK}, {"await": 1}, {"answer": "done"}]})
        question = pending.next(10)
        s.signal(SIGTERM)
        s.log.wait("phase", 20, to=phase)
        reply(c, question, ANSWER)
        messages = pending.stream.messages(10 * PATIENCE)
        assert messages[-1]["result"]["content"][0]["text"] == "done"
    assert s.wait(40) == 0
    assert [m["result"]["model"] for m in answers(server)] == ["m"]
    assert s.last_line()["aborted"] == 0


def test_s18_a_question_that_nobody_answers_is_ended_for_both_sides_by_the_deadline(sluice, server):
    s = start(sluice, server)
    began = time.monotonic()
    with s.client(capabilities=ALL) as c:
        pending = OpenCall(c, "f__steps", {"steps": [{"ask": ASK}, {"await": 1}, {"answer": "done"}]})
        pending.next(10)
        s.signal(SIGTERM)
        error = pending.stream.messages(60 * PATIENCE)[-1]["error"]
        assert (error["data"]["reason"], error["data"]["outcome"]) == ("draining", "unknown")
    assert s.wait(40) == 0
    assert time.monotonic() - began < 60 * PATIENCE
    told = answers(server) or server.seen("notifications/cancelled")
    assert told, "the server hears that nobody will answer"
    if server.mode == "legacy":
        assert server.requests[-1].verb == "DELETE"
    assert s.last_line()["backends_killed"] == 0
