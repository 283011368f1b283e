"""S11, S12, S17 and S33 where streams have ids, and on the legacy transport: who comes back gets the rest, streams that
are sessions end last, and a client that has left in order is noticed as soon as one that was reset."""

import base64
import os
import time
from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL, SIGTERM

from harness import PATIENCE, example, fake, servers, wait_until
from http_client import EventStream
from mcp_client import NEWEST, call, dumps, text_of
from scale import dur, life
from sse_client import McpSse

DEFAULTS = {"gracePeriod": dur(30), "margin": dur(2), "lameDuck": {"min": dur(5), "quiet": dur(2), "max": dur(10)}}
NO_DUCK = {"min": "0s", "quiet": "0s", "max": "0s"}
STOP = {"eof": dur(2), "term": dur(2)}


def start(sluice, lifecycle=None, session=None, **more):
    entries = {"ex": example(stop=STOP), **more}
    return sluice.http(servers(lifecycle={**DEFAULTS, **(lifecycle or {})}, session=session, **entries))


def terminate(s, phase="lame_duck"):
    s.signal(SIGTERM)
    s.log.wait("phase", to=phase)
    return time.monotonic()


def in_flight(s, n):
    wait_until(lambda: s.health()["in_flight"] == n, what=f"{n} calls in flight")


def reason_of(answer):
    data = answer["error"]["data"]
    return data["reason"], data["outcome"]


def progress(id, seconds, n=10):
    return call(id, "ex__progress", {"steps": n, "ms": round(life(seconds) * 1000 / n)}, token="t")


def begin_and_cut(c, message):
    """The last id that a client has seen before its connection broke."""
    d = c.fork()
    r = d.post(message)
    stream = EventStream(r.connection, r)
    last = None
    while not last or not last.data:
        last = stream.next()
    r.connection.reset()
    return last.id


def test_s11_streams_that_were_cut_are_fetched_in_lame_duck_and_while_draining(sluice):
    s = start(sluice)
    with s.client() as c:
        early, late = begin_and_cut(c, progress("early", 15)), begin_and_cut(c, progress("late", 15))
        terminate(s)
        in_duck = c.get_stream(life(30) + 10, Last_Event_ID=early)
        assert in_duck.response.status == 200
        s.log.wait("phase", timeout=life(30) + 10, to="draining")
        while_draining = c.get_stream(life(30) + 10, Last_Event_ID=late)
        for id, stream in (("early", in_duck), ("late", while_draining)):
            messages = stream.messages(life(30) + 10)
            assert messages[-1]["id"] == id and text_of(messages[-1]["result"]) == "done"
    assert s.wait(30) == 0
    last = s.last_line()
    assert (last["completed"], last["aborted"]) == (2, 0)


def test_s11_a_cut_call_that_does_not_fit_ends_with_the_error_on_the_stream_that_is_there_now(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c:
        id = begin_and_cut(c, progress("long", 6000, 4000))
        terminate(s, "draining")
        messages = c.get_stream(life(30) + 10, Last_Event_ID=id).messages(life(30) + 10)
        assert reason_of(messages[-1]) == ("draining", "unknown")
    assert s.wait(30) == 0


def test_s12_streams_of_legacy_clients_stay_to_the_end_and_are_closed_in_order(sluice):
    """Their clients do not come back to their session when these end, so they end last."""
    s = start(sluice, {"lameDuck": {"min": dur(6), "quiet": "0s", "max": dur(6)}})
    clients = [McpSse(s.address, timeout=life(30) + 10).initialize() for _ in range(100)]
    for i, c in enumerate(clients[:20]):
        c.send(call(i, "ex__sleep", {"ms": round(life(12) * 1000)}))
    in_flight(s, 20)
    begun = terminate(s)
    for c in clients[50:60]:
        assert c.text("ex__echo", {"text": "served in lame-duck"}) == "served in lame-duck"
    s.log.wait("phase", timeout=life(30) + 10, to="draining")
    for i, c in enumerate(clients[80:]):
        c.send(call(i, "ex__echo", {"text": "x"}))
        assert reason_of(c.answer_of(i)) == ("draining", "not_sent")

    def follow(c):
        messages = []
        while (m := c.next_message()) is not None:
            messages.append(m)
        return messages, time.monotonic() - begun

    with ThreadPoolExecutor(100) as pool:
        ends = list(pool.map(follow, clients))
    assert all(text_of(messages[-1]["result"]) == "slept" for messages, _ in ends[:20])
    assert all(seconds > life(9) for _, seconds in ends), "none ended before the last call"
    assert s.wait(30) == 0
    last = s.last_line()
    assert (last["completed"], last["aborted"], last["refused"]) == (30, 0, 20)
    for c in clients:
        c.close()


def test_s12_a_legacy_stream_that_is_opened_late_is_held_and_never_refused(sluice):
    """503 would make the official client give up for ever."""
    s = start(sluice, {"lameDuck": NO_DUCK})
    with McpSse(s.address, timeout=life(30) + 10) as old:
        old.initialize()
        old.send(call("old", "ex__sleep", {"ms": round(life(8) * 1000)}))
        in_flight(s, 1)
        terminate(s, "draining")
        late = [McpSse(s.address, timeout=life(30) + 10, headers={"MCP-Protocol-Version": "2025-06-18"}) for _ in range(5)]
        assert [c.head.status for c in late] == [200] * 5
        assert text_of(old.answer_of("old")["result"]) == "slept"
        assert [c.next_message() for c in late] == [None] * 5
        for c in late:
            c.close()
    assert s.wait(30) == 0


def leaves_and_is_noticed(sluice, tmp_path, leave):
    """A silent call; its client leaves while the gateway drains."""
    record = tmp_path / "record"
    s = start(sluice, {"lameDuck": NO_DUCK}, f=fake(record=str(record), more={"stop": STOP}))
    end = leave(s)
    in_flight(s, 1)
    begun = terminate(s, "draining")
    end()
    assert s.wait(30) == 0
    assert time.monotonic() - begun < life(10) + 2 * PATIENCE
    assert "notifications/cancelled" in record.read_text()


def test_s17_a_client_that_closes_in_order_ends_its_call_and_the_drain(sluice, tmp_path):
    def leave(s):
        with s.client() as c:
            leaving = s.connect()
            leaving.request("POST", "/mcp", c.headers(), dumps(call("gone", "f__sleep", {"ms": 600000})))
            return leaving.close

    leaves_and_is_noticed(sluice, tmp_path, leave)


def test_s17_a_legacy_client_that_leaves_ends_its_calls_and_the_drain(sluice, tmp_path):
    def leave(s):
        c = McpSse(s.address).initialize()
        c.send(call("gone", "f__sleep", {"ms": 600000}))
        return c.close

    leaves_and_is_noticed(sluice, tmp_path, leave)


def test_s33_clients_of_a_gateway_that_was_killed_are_told_of_their_calls_by_its_successor(sluice):
    keys = {"keys": [{"id": "k1", "secret": base64.b64encode(os.urandom(32)).decode()}]}
    a, b = start(sluice, session=keys), start(sluice, session=keys)
    a.expected_codes, a.allow_orphans = {-SIGKILL}, True
    with a.client() as c, McpSse(a.address) as legacy, b.raw_client() as d:
        streams = [(i, begin_and_cut(c, progress(i, 6000, 4000))) for i in range(20)]
        legacy.initialize()
        legacy.send(progress("legacy", 6000, 4000))
        legacy.next_message()
        a.process.kill()
        a.wait()
        d.session, d.revision = c.session, NEWEST
        begun = time.monotonic()
        for i, id in streams:
            (answer,) = d.get_stream(Last_Event_ID=id).messages()
            assert answer["id"] == i and reason_of(answer) == ("backend_exited", "unknown")
        with McpSse(b.address, headers={"Last-Event-ID": legacy.last_event_id}) as again:
            assert reason_of(again.answer_of("legacy")) == ("backend_exited", "unknown")
            assert again.text("ex__echo", {"text": "on"}) == "on"
        assert time.monotonic() - begun < 3 * PATIENCE
