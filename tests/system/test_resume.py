"""Streams with ids: a client whose connection broke comes back with Last-Event-ID and gets what it has missed, from the
process that has it; any other tells it at once that the call is lost."""

import base64
import os
import time
from signal import SIGTERM

import pytest

from asking import ACCEPTED, ALL, FORM, reply
from harness import PATIENCE, example, fake, servers, wait_until
from http_client import EventStream
from mcp_client import NEWEST, call, dumps, text_of


def key(id="k1"):
    return {"id": id, "secret": base64.b64encode(os.urandom(32)).decode()}


def in_flight(s, n):
    wait_until(lambda: s.health()["in_flight"] == n, what=f"{n} calls in flight")


def steps(id, n=5, ms=100):
    return call(id, "ex__progress", {"steps": n, "ms": ms}, token="t")


class Cut:
    """A call whose stream was read up to some messages, and then lost."""

    def __init__(self, c, message, messages=1, how="reset"):
        self.client = c.fork()
        r = self.client.post(message)
        assert r.is_sse, r
        self.events, self.stream = [], EventStream(r.connection, r)
        while sum(e.data not in (None, "") for e in self.events) < messages:
            self.events.append(self.stream.next())
        getattr(r.connection, how)()

    @property
    def ids(self):
        return [e.id for e in self.events if e.id]


def resume(c, id, timeout=None):
    return c.get_stream(timeout, Last_Event_ID=id)


def data_events(stream, timeout=None):
    """The events with data, to the end of the stream."""
    events = []
    while (e := stream.next(timeout)) is not None:
        if e.data:
            events.append(e)
    return events


# ids


def test_every_event_has_an_id_and_no_two_the_same(client):
    seen = []
    for i in range(3):
        r = client.post(steps(i, 4, 1))
        events = data_events(EventStream(r.connection, r))
        assert len(events) == 5 and all(e.id for e in events)
        seen += [e.id for e in events]
        assert len({e.id.split(".")[0] for e in events}) == 1, "an id begins with its stream's"
        client.close()
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("revision,primes", [("2025-03-26", False), ("2025-06-18", False), ("2025-11-25", True)])
def test_only_clients_of_the_newest_revision_get_an_event_without_data_first(shared, revision, primes):
    with shared.client(revision=revision) as c:
        r = c.post(steps(1, 2, 1))
        first = EventStream(r.connection, r).next()
        assert first.id
        assert (first.data == "", first.retry == "1000") == (primes, primes)
        stream = c.get_stream()
        stream.next()  # a comment
        if primes:
            first = stream.next()
            assert (first.data, first.retry) == ("", "1000") and first.id


def test_answers_without_a_stream_have_no_ids_and_batches_neither(shared):
    with shared.client(revision="2025-03-26") as c:
        assert not c.post(call(1, "ex__echo", {"text": "x"})).is_sse
        r = c.post([steps(1, 2, 1), steps(2, 2, 1)])
        assert all(e.id is None for e in data_events(EventStream(r.connection, r)))


@pytest.mark.parametrize("session", [{"replayBytes": 0}, {"replayTime": "0s"}])
def test_nothing_is_kept_when_that_is_configured(sluice, session):
    s = sluice.http(servers(ex=example(), session=session))
    with s.client() as c:
        r = c.post(steps(1, 2, 1))
        assert all(e.id is None and e.data for e in data_events(EventStream(r.connection, r)))


def test_a_request_id_that_is_too_long_for_an_id_makes_a_stream_without_any(client):
    r = client.post(steps("i" * 300, 1, 1))
    events = data_events(EventStream(r.connection, r))
    assert events[-1].json()["id"] == "i" * 300 and all(e.id is None for e in events)


# coming back


@pytest.mark.parametrize("revision", ["2025-03-26", "2025-11-25"])
@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_call_goes_on_where_its_client_comes_back(shared, revision, how):
    with shared.client(revision=revision) as c:
        cut = Cut(c, steps("call", 5, 100), 2, how)
        events = data_events(resume(c, cut.ids[-1]))
        assert [e.json().get("params", {}).get("progress") for e in events] == [3, 4, 5, None]
        assert events[-1].json()["id"] == "call" and text_of(events[-1].json()["result"]) == "done"


def test_a_client_may_lose_its_stream_again_and_again(client):
    cut = Cut(client, steps("call", 8, 60))
    seen = [e.json()["params"]["progress"] for e in cut.events if e.data]
    last = cut.ids[-1]
    for _ in range(5):
        stream = resume(client, last)
        while not (e := stream.next()).data:
            pass
        last, message = e.id, e.json()
        seen.append(message["params"]["progress"])
        stream.connection.reset()
    events = data_events(resume(client, last))
    seen += [e.json()["params"]["progress"] for e in events[:-1]]
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8] and "result" in events[-1].json()


def test_from_the_first_event_on_all_of_it_comes_again(client):
    cut = Cut(client, steps("call", 3, 10), 2)
    events = data_events(resume(client, cut.ids[0]))
    assert len(events) == 4


def test_an_answer_that_came_while_nobody_was_there_is_kept_and_then_nothing_more_comes(shared, client):
    cut = Cut(client, steps("call", 2, 100))
    in_flight(shared, 0)
    events = data_events(resume(client, cut.ids[-1]))
    assert "result" in events[-1].json()
    again = data_events(resume(client, cut.ids[-1]))
    assert [e.id for e in again] == [e.id for e in events], "it may be lost again"
    r = resume(client, events[-1].id)
    assert r.status == 405, "nothing comes after the last one"


def test_what_is_kept_goes_after_its_time(sluice):
    s = sluice.http(servers(ex=example(), session={"replayTime": "300ms"}))
    with s.client() as c:
        cut = Cut(c, steps("call", 2, 50))
        in_flight(s, 0)
        time.sleep(0.5)
        events = data_events(resume(c, cut.ids[-1]))
        assert [e.json()["error"]["data"]["reason"] for e in events] == ["backend_exited"]


def test_the_oldest_events_go_when_the_ring_is_full_and_the_answer_stays(sluice):
    s = sluice.http(servers(ex=example(), session={"replayBytes": 2000}))
    with s.client() as c:
        cut = Cut(c, steps("call", 200, 1))
        in_flight(s, 0)
        events = data_events(resume(c, cut.ids[-1]))
        seen = [e.json()["params"]["progress"] for e in events[:-1]]
        assert 2 < len(seen) < 50 and seen == list(range(201 - len(seen), 201))
        assert text_of(events[-1].json()["result"]) == "done"


def test_who_comes_back_takes_the_stream_from_its_old_connection(client):
    r = client.fork().post(steps("call", 6, 100))
    old = EventStream(r.connection, r)
    first = old.next()
    events = data_events(resume(client, first.id))
    assert "result" in events[-1].json()
    assert all("result" not in e.json() for e in data_events(old)), "the answer goes one way only"


def test_several_calls_each_come_back_by_themselves(client):
    cuts = [Cut(client, steps(i, 4, 80)) for i in range(5)]
    for i, cut in reversed(list(enumerate(cuts))):
        assert data_events(resume(client, cut.ids[-1]))[-1].json()["id"] == i


def test_a_cancel_reaches_a_call_whose_client_is_away(client):
    cut = Cut(client, steps("call", 1000, 50))
    client.notify("notifications/cancelled", {"requestId": "call"})
    events = data_events(resume(client, cut.ids[-1]))
    assert events[-1].json()["error"]["data"]["reason"] == "cancelled"


def test_a_question_that_came_while_nobody_was_there_is_asked_when_the_client_is_back(sluice):
    s = sluice.http(servers(f=fake()))
    progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$TOKEN,"progress":1}}'
    question = {"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": FORM}
    steps = [{"line": progress}, {"wait": 300}, {"call_back": question}, {"wait": 1500}, {"answer": "asked"}]
    with s.client(capabilities=ALL) as c:
        cut = Cut(c, call("asks", "f__script", {"steps": steps}, token="t"))
        time.sleep(0.6)
        stream = resume(c, cut.ids[-1])
        m = stream.next_message()
        assert (m["method"], m["params"]) == (question["method"], FORM)
        reply(c, m, ACCEPTED)
        assert text_of(stream.next_message()["result"]) == "asked"
        received = c.text("f__received")
        assert '"Ann"' in received or '\\"Ann\\"' in received, "the server has the answer"


# the stream of news


def test_news_that_came_while_the_client_was_away_come_when_it_is_back(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client() as c, s.client() as other:
        stream = c.get_stream()
        stream.next()  # a comment
        first = stream.next()
        stream.connection.reset()
        time.sleep(0.1)
        other.call("ex__change")
        other.tools()
        time.sleep(0.3)
        again = resume(c, first.id)
        assert again.next_message()["method"] == "notifications/tools/list_changed"
        other.call("ex__change")
        assert again.next_message()["method"] == "notifications/tools/list_changed", "and it goes on"


def test_a_plain_stream_is_there_at_once_for_a_client_that_lost_one(client):
    stream = client.get_stream()
    stream.next()
    stream.connection.reset()
    wait_until(lambda: not hasattr(client.get_stream(), "status"), what="the new stream")


def test_a_second_stream_is_refused_and_a_call_comes_back_beside_the_first(client):
    stream = client.get_stream()
    assert client.get_stream().status == 409
    cut = Cut(client, steps("call", 3, 50))
    assert "result" in data_events(resume(client, cut.ids[-1]))[-1].json()
    assert not stream.ended


# ids that are not ours, or not here


@pytest.mark.parametrize(
    "id",
    ["", "1", ".", "..", "0123456789abcdef", "0123456789abcdef.1", "0123456789ABCDEF.1.MQ", "0123456789abcdef.01.MQ",
     "0123456789abcdef.1.", "0123456789abcdef.1.M", "0123456789abcdef.1.ew", "0123456789abcdef.1.MQ==",
     "0123456789abcdef.99999999999999999999.MQ", "0123456789abcdef.-1.MQ", "0123456789abcdef.1.IDEK", "x" * 5000,
     "0123456789abcdef.1." + "M" * 4000],
)  # fmt: skip
def test_an_id_that_names_no_call_opens_an_ordinary_stream(shared, id):
    with shared.client() as c:
        stream = resume(c, id)
        assert stream.response.status == 200
        assert stream.next().comments == [""]


def test_nobody_reads_what_was_sent_to_another_session(shared, client):
    cut = Cut(client, steps("secret", 2, 10))
    in_flight(shared, 0)
    with shared.client() as other:
        events = data_events(resume(other, cut.ids[0]))
        assert [e.json().get("error", {}).get("data", {}).get("reason") for e in events] == ["backend_exited"]
    assert "result" in data_events(resume(client, cut.ids[0]))[-1].json()


def test_a_session_that_was_ended_has_no_streams(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client() as c:
        cut = Cut(c, steps("call", 2, 50))
        c.delete()
        assert resume(c, cut.ids[-1]).status == 404


@pytest.mark.parametrize("request_id", ["lost", 7, -1, 'say "\\n" \u00e9'])
def test_after_a_kill_another_process_tells_that_the_call_is_lost(sluice, request_id):
    config = servers(ex=example(), session={"keys": [key()]})
    a = sluice.http(config)
    a.expected_codes, a.allow_orphans = {-9}, True
    with a.client() as c:
        cut = Cut(c, steps(request_id, 1000, 50))
        a.process.kill()
        a.wait()
        b = sluice.http(config)
        with b.raw_client() as d:
            d.session, d.revision = c.session, NEWEST
            begun = time.monotonic()
            events = data_events(resume(d, cut.ids[-1]))
            assert time.monotonic() - begun < 1 * PATIENCE
            (answer,) = [e.json() for e in events]
            assert answer["id"] == request_id and answer["error"]["code"] == -32603
            assert answer["error"]["data"] == {"reason": "backend_exited", "outcome": "unknown", "retryable": False}
            assert resume(d, events[-1].id).status == 405, "it is told once"


# while draining


def test_while_draining_a_call_in_flight_is_fetched(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client() as c:
        cut = Cut(c, steps("call", 10, 100))
        s.signal(SIGTERM)
        s.log.wait("phase", to="draining")
        events = data_events(resume(c, cut.ids[-1]))
        assert "result" in events[-1].json()
    assert s.wait() == 0
    assert (s.last_line()["completed"], s.last_line()["aborted"]) == (1, 0)


@pytest.mark.slow
def test_while_draining_a_call_whose_client_stays_away_is_given_up(sluice, tmp_path):
    record = tmp_path / "record"
    progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$TOKEN,"progress":1}}'
    s = sluice.http(servers(f=fake(record=str(record))))
    with s.client() as c:
        cut = Cut(c, call("call", "f__script", {"steps": [{"line": progress}, {"wait": 600000}]}, token="t"))
        assert cut.ids
        s.signal(SIGTERM)
        s.log.wait("phase", to="draining")
        begun = time.monotonic()
        assert s.wait(20) == 0
        assert time.monotonic() - begun < 12 * PATIENCE, "well before the grace period is over"


def test_a_client_that_closes_in_order_while_draining_is_noticed_at_once(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record))))
    with s.client() as c:
        leaving = s.connect()
        leaving.request("POST", "/mcp", c.headers(), dumps(call("gone", "f__sleep", {"ms": 600000})))
        in_flight(s, 1)
        s.signal(SIGTERM)
        s.log.wait("phase", to="draining")
        begun = time.monotonic()
        leaving.close()
        assert s.wait() == 0
        assert time.monotonic() - begun < 4 * PATIENCE
    assert "notifications/cancelled" in record.read_text()


def test_a_client_that_had_closed_in_order_before_the_drain_is_noticed_soon(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record))))
    with s.client() as c:
        leaving = s.connect()
        leaving.request("POST", "/mcp", c.headers(), dumps(call("gone", "f__sleep", {"ms": 600000})))
        in_flight(s, 1)
        leaving.close()
        time.sleep(0.2)
        s.signal(SIGTERM)
        begun = time.monotonic()
        assert s.wait() == 0
        assert time.monotonic() - begun < 6 * PATIENCE
    assert "notifications/cancelled" in record.read_text()


def test_a_client_that_only_half_closes_gets_its_answer_while_draining(sluice):
    s = sluice.http(servers(ex=example()))
    with s.client() as c, s.connect() as half:
        half.request("POST", "/mcp", c.headers(), dumps(call("half", "ex__sleep", {"ms": 1500})))
        in_flight(s, 1)
        half.half_close()
        s.signal(SIGTERM)
        r = half.head(5 * PATIENCE)
        messages = EventStream(half, r).messages() if r.is_sse else [r.json()]
        assert text_of(messages[-1]["result"]) == "slept"
    assert s.wait() == 0
