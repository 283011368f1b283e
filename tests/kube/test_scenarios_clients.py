"""S2 to S7 and S9 to S17: what clients see while the gateway goes. Every answer is complete, and nobody is reset."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from signal import SIGINT, SIGQUIT, SIGTERM

import pytest

from harness import PATIENCE, example, fake, servers, wait_until
from http_client import Closed, Connection, EventStream
from mcp_client import call, dumps, notification, request, text_of, unwrap
from modern_client import SUBSCRIPTION, ModernHttp
from scale import dur, life

DEFAULTS = {"gracePeriod": dur(30), "margin": dur(2), "lameDuck": {"min": dur(5), "quiet": dur(2), "max": dur(10)}}
NO_DUCK = {"min": "0s", "quiet": "0s", "max": "0s"}
STOP = {"eof": dur(2), "term": dur(2)}


def start(sluice, lifecycle=None, **more):
    """With the default budget of 30 s: STOP at 23 s or so, END at 28 s."""
    entries = {"ex": example(stop=STOP), **more}
    return sluice.http(servers(lifecycle={**DEFAULTS, **(lifecycle or {})}, **entries))


def terminate(s, phase="lame_duck", number=SIGTERM):
    s.signal(number)
    s.log.wait("phase", to=phase)
    return time.monotonic()


def in_flight(s, n):
    wait_until(lambda: s.health()["in_flight"] == n, what=f"{n} calls in flight")


def reason_of(answer):
    data = answer["error"]["data"]
    return data["reason"], data["outcome"]


# lame-duck: late requests


def test_s02_connections_that_come_late_are_served_and_told_to_close(sluice):
    s = start(sluice)
    with s.client() as c:
        headers = c.headers()
        begun, served = terminate(s), 0
        while time.monotonic() - begun < life(9):
            with s.connect() as late:
                r = late.exchange("POST", "/mcp", headers, dumps(call(1, "ex__echo", {"text": "late"})))
                assert r.status == 200 and r.closes and text_of(r.json()["result"]) == "late"
                served += 1
            time.sleep(0.01)
        in_duck = time.monotonic() - begun < life(10)
    assert s.wait(30) == 0 and served > 10
    assert s.last_line()["late_connections"] >= served and (not in_duck or s.last_line()["aborted"] == 0)


def test_s03_a_proxy_that_never_learns_gets_503_and_is_never_reset(sluice):
    """It sends a request on a new connection all the time, to the very end; only then is it refused."""
    s = start(sluice)
    with s.client() as c, s.client() as d:
        headers = c.headers()
        pending = d.in_background(call("long", "ex__sleep", {"ms": round(life(14) * 1000)}), 30)
        in_flight(s, 1)
        terminate(s)
        seen = []
        for _ in range(100000):
            try:
                with Connection(s.address, 5) as late:
                    r = late.exchange("POST", "/mcp", headers, dumps(request(1, "ping")))
            except ConnectionRefusedError:
                seen.append("refused")
                break
            seen.append(r.status)
            if r.status == 503:
                assert r.closes and r.header("retry-after") == "1"
            time.sleep(0.003)
        assert text_of(unwrap(pending.join())) == "slept"
    assert s.wait(30) == 0
    kinds = [kind for i, kind in enumerate(seen) if i == 0 or seen[i - 1] != kind]
    assert kinds == [200, 503, "refused"]


def test_s04_a_late_request_on_an_old_connection_is_answered_and_the_connection_closed_in_order(sluice):
    s = start(sluice)
    with s.client() as c:
        old = [s.connect() for _ in range(20)]
        for connection in old:
            connection.exchange("POST", "/mcp", c.headers(), dumps(request(1, "ping")))
        terminate(s)
        for connection in old:
            r = connection.exchange("POST", "/mcp", c.headers(), dumps(request(2, "ping")))
            assert r.status == 200 and r.closes
            assert connection.wait_closed(5, reset_is_fine=False) == b""
    assert s.wait(30) == 0


def test_s05_a_thousand_idle_connections_are_kept_in_lame_duck_and_closed_at_the_end(sluice):
    s = start(sluice, {"lameDuck": {"min": dur(10), "quiet": "0s", "max": dur(10)}})
    idle = [s.connect() for _ in range(1000)]
    for connection in idle:
        connection.request("GET", "/livez")
    for connection in idle:
        assert connection.response().status == 200
    begun = terminate(s)
    time.sleep(life(5))
    assert all(connection.is_quiet(0) for connection in idle[::50]), "none is cut in lame-duck"
    for connection in idle:
        assert connection.wait_closed(life(10) + 10, reset_is_fine=False) == b""
        connection.close()
    assert s.wait(30) == 0
    assert time.monotonic() - begun < life(30) + 5 * PATIENCE


def test_s06_pipelined_requests_are_all_answered_and_the_last_answer_says_close(sluice):
    s = start(sluice)
    with s.client() as c:
        headers = "".join(f"{k}: {v}\r\n" for k, v in c.headers().items())

        def text(id, ms):
            body = dumps(call(id, "ex__sleep", {"ms": ms}))
            return f"POST /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"

        with s.connect() as pipe:
            pipe.send(text(1, round(life(3) * 1000)) + text(2, 1))
            in_flight(s, 1)
            terminate(s)
            first, second = pipe.response(), pipe.response()
            assert first.json()["id"] == 1 and not first.closes
            assert second.json()["id"] == 2 and second.closes
            assert pipe.wait_closed(5, reset_is_fine=False) == b""
    assert s.wait(30) == 0


def test_s07_two_hundred_that_connect_at_the_last_moment_are_not_reset(sluice):
    """The process is stopped while they connect, so that they wait in the backlog when it ends."""
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c:
        headers = c.headers()
        s.signal(19)  # SIGSTOP
        late = [s.connect() for _ in range(200)]
        for connection in late:
            connection.request("POST", "/mcp", headers, dumps(request(1, "ping")))
        s.signal(SIGTERM)
        s.signal(18)  # SIGCONT
        for connection in late:
            assert connection.response().status in (200, 503)
            assert connection.wait_closed(5, reset_is_fine=False) == b""
            connection.close()
    assert s.wait(30) == 0


# calls in flight


def test_s09_a_call_that_fits_is_answered_and_the_process_leaves_with_it(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c:
        pending = c.in_background(call("five", "ex__sleep", {"ms": round(life(5) * 1000)}), 30)
        in_flight(s, 1)
        begun = terminate(s, "draining")
        assert text_of(unwrap(pending.join())) == "slept"
    assert s.wait(30) == 0
    assert life(3) < time.monotonic() - begun < life(5) + 1.5 * PATIENCE
    last = s.last_line()
    assert (last["completed"], last["aborted"], last["refused"]) == (1, 0, 0)


def test_s10_a_call_that_does_not_fit_ends_with_an_error_and_the_server_is_told(sluice, tmp_path):
    record = tmp_path / "record"
    s = start(sluice, {"lameDuck": NO_DUCK}, f=fake(record=str(record), more={"stop": STOP}))
    with s.client() as c:
        pending = c.in_background(call("long", "f__sleep", {"ms": 600000}), 60)
        in_flight(s, 1)
        begun = terminate(s, "draining")
        answer = pending.join()
        assert answer["id"] == "long" and reason_of(answer) == ("draining", "unknown")
        assert life(18) < time.monotonic() - begun < life(25) + PATIENCE
    assert s.wait(30) == 0
    assert time.monotonic() - begun < life(30) + PATIENCE
    assert s.last_line()["aborted"] == 1
    assert "notifications/cancelled" in record.read_text()


def test_s10_a_stream_that_does_not_fit_ends_with_the_error_as_its_last_event(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c:
        r = c.post(call("long", "ex__progress", {"steps": 100000, "ms": 20}, token="t"))
        assert r.is_sse
        terminate(s, "draining")
        messages = EventStream(r.connection, r).messages(life(30) + 10)
        assert messages[0]["method"] == "notifications/progress"
        assert reason_of(messages[-1]) == ("draining", "unknown")
    assert s.wait(30) == 0


def test_s11_a_stream_that_fits_gets_its_progress_its_answer_and_its_end(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c:
        r = c.post(call("steps", "ex__progress", {"steps": 10, "ms": round(life(1) * 1000)}, token="t"))
        terminate(s, "draining")
        messages = EventStream(r.connection, r).messages(life(30) + 10)
        assert [m.get("method") for m in messages] == ["notifications/progress"] * 10 + [None]
        assert "result" in messages[-1]
    assert s.wait(30) == 0


def retry_of(stream):
    """Reads a stream to its proper end: what it was told last."""
    retry = None
    while (event := stream.next(life(30) + 10)) is not None:
        retry = event.retry or retry
    return retry


def test_s12_a_hundred_get_streams_end_one_by_one_and_may_come_back(sluice):
    s = start(sluice, {"lameDuck": {"min": dur(8), "quiet": "0s", "max": dur(8)}})
    clients = [s.client() for _ in range(100)]
    streams = [c.get_stream() for c in clients]
    begun = terminate(s)

    def follow(stream):
        retry = retry_of(stream)
        return retry, time.monotonic() - begun

    with ThreadPoolExecutor(100) as pool:
        ends = list(pool.map(follow, streams))
        assert {retry for retry, _ in ends} == {"1000"}
        times = sorted(seconds for _, seconds in ends)
        assert times[-1] < life(8), "all have ended in lame-duck"
        assert times[75] - times[25] > life(8) / 16, "they do not come back as a herd"
        again = clients[0].get_stream()
        assert s.process.poll() is None
        assert retry_of(again) == "1000", "it is held, and ends in order with the process"
        held_for = time.monotonic() - begun
    assert s.wait(30) == 0 and held_for > life(7)
    for c in clients:
        c.close()


def test_s12_a_hundred_listens_end_one_by_one_each_with_its_result(sluice):
    s = start(sluice, {"lameDuck": {"min": dur(8), "quiet": "0s", "max": dur(8)}})
    with ModernHttp(s.address) as m:
        streams = [m.listen(id, toolsListChanged=True)[0] for id in range(100)]
        begun = terminate(s)

        def follow(stream):
            last = stream.messages(life(20))[-1]
            return last["result"]["_meta"][SUBSCRIPTION], time.monotonic() - begun

        with ThreadPoolExecutor(100) as pool:
            ends = list(pool.map(follow, streams))
            assert [id for id, _ in ends] == list(range(100))
            times = sorted(seconds for _, seconds in ends)
            assert times[-1] < life(8), "all have ended in lame-duck"
            assert times[75] - times[25] > life(8) / 16, "they do not come back as a herd"
            again, _ = m.listen("again", toolsListChanged=True)
            assert again.messages(life(20))[-1]["id"] == "again", "it ends in order with the process"
            held_for = time.monotonic() - begun
    assert s.wait(30) == 0 and held_for > life(7)


def test_s12_streams_stay_when_a_drain_is_cancelled(sluice):
    lame_duck = {"min": dur(10), "quiet": "0s", "max": dur(20)}
    s = sluice.http(servers(ex=example(), lifecycle={**DEFAULTS, "lameDuck": lame_duck}), admin="127.0.0.1:0")
    with s.client() as c:
        stream = c.get_stream()
        with Connection(s.admin) as admin:
            assert admin.exchange("POST", "/drain").status == 200
            assert admin.exchange("POST", "/drain?cancel=1").json()["phase"] == "ready"
        with pytest.raises(TimeoutError):
            stream.next_message(life(6))
        assert not stream.ended


# half a request


def test_s13_a_head_that_is_completed_in_lame_duck_is_served(sluice):
    s = start(sluice)
    with s.client() as c, s.connect() as half:
        body = dumps(request(1, "ping"))
        head = "".join(f"{k}: {v}\r\n" for k, v in c.headers().items())
        half.send(f"POST /mcp HTTP/1.1\r\nHost: localhost\r\n{head}")
        terminate(s)
        time.sleep(life(1))
        half.send(f"Content-Length: {len(body)}\r\n\r\n{body}")
        r = half.response()
        assert r.status == 200 and r.closes
    assert s.wait(30) == 0


def test_s13_a_head_that_is_never_completed_holds_nothing_up(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.connect() as half:
        half.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        time.sleep(0.05)
        begun = terminate(s, "draining")
        assert half.response().status == 408
        half.wait_closed(5, reset_is_fine=False)
    assert s.wait(30) == 0
    assert time.monotonic() - begun < 3 * PATIENCE


def test_s14_half_a_body_is_refused_in_time_and_never_reaches_a_server(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c, s.connect() as half:
        head = "".join(f"{k}: {v}\r\n" for k, v in c.headers().items())
        half.send(f"POST /mcp HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: 1000000\r\n\r\n" + "{" + " " * 10000)
        time.sleep(0.05)
        begun = terminate(s, "draining")
        r = half.response()
        assert r.status in (408, 503) and r.closes
        half.wait_closed(5, reset_is_fine=False)
    assert s.wait(30) == 0
    assert time.monotonic() - begun < 3 * PATIENCE
    assert s.last_line()["aborted"] == 0


def expecting(c, id):
    body = dumps(call(id, "ex__echo", {"text": "x"}))
    return {**c.headers(), "Expect": "100-continue", "Content-Length": str(len(body))}, body


def send_head(connection, headers):
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    connection.send(f"POST /mcp HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")


def test_s15_who_asks_before_sending_may_send_in_lame_duck(sluice):
    s = start(sluice)
    with s.client() as c, s.connect() as asking:
        headers, body = expecting(c, 1)
        terminate(s)
        send_head(asking, headers)
        assert asking.head().status == 100
        asking.send(body)
        assert asking.response().status == 200
    assert s.wait(30) == 0


def test_s15_who_asks_before_sending_is_refused_while_draining(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c, s.connect() as asking:
        pending = c.in_background(call("old", "ex__sleep", {"ms": round(life(10) * 1000)}), 30)
        in_flight(s, 1)
        terminate(s, "draining")
        headers, _ = expecting(c, 1)
        send_head(asking, headers)
        r = asking.response()
        assert r.status == 503 and r.closes and r.header("retry-after") == "1"
        assert text_of(unwrap(pending.join())) == "slept"
    assert s.wait(30) == 0


# slow clients, and those that leave


def test_s16_a_slow_reader_gets_bytes_to_the_end_and_is_counted_when_it_is_cut(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c:
        slow = Connection(s.address, 60, receive_buffer=4096)
        slow.request("POST", "/mcp", c.headers(), dumps(call(1, "ex__big", {"bytes": 50_000_000})))
        wait_until(lambda: len(slow.sock.recv(1, socket.MSG_PEEK)) == 1, 20, "the first byte of the answer")
        terminate(s, "draining")
        got = 0
        assert s.get("/livez").status == 200, "others are answered at once"
        while s.process.poll() is None:
            got += len(slow.sock.recv(4096))
            time.sleep(life(0.02))
        slow.close()
        assert 10_000 < got < 50_000_000
    assert s.wait(60) == 0
    last = s.last_line()
    assert last["elapsed_ms"] < life(30) * 1000 + 1000 * PATIENCE
    assert (last["completed"], last["aborted"]) == (0, 1)


@pytest.mark.parametrize("again,seconds", [(SIGTERM, 0.75), (SIGQUIT, 0.2)])
def test_s16_a_second_signal_waits_no_longer_for_who_does_not_read_and_counts_it_too(sluice, again, seconds):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": NO_DUCK}))
    with s.client() as c, Connection(s.address, 60, receive_buffer=4096) as deaf:
        deaf.request("POST", "/mcp", c.headers(), dumps(call(1, "ex__big", {"bytes": 20_000_000})))
        wait_until(lambda: len(deaf.sock.recv(1, socket.MSG_PEEK)) == 1, 20, "the first byte of the answer")
        terminate(s, "exiting")
        begun = time.monotonic()
        s.signal(again)
        assert s.wait(30) == 0
        assert time.monotonic() - begun < seconds + 1 * PATIENCE
    last = s.last_line()
    assert (last["completed"], last["aborted"], last["forced"]) == (0, 1, True)


def test_s16_a_reader_that_is_fast_enough_gets_all_of_it(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client() as c:
        reader = Connection(s.address, 60, receive_buffer=65536)
        reader.request("POST", "/mcp", c.headers(), dumps(call(1, "ex__big", {"bytes": 4_000_000})))
        wait_until(lambda: len(reader.sock.recv(1, socket.MSG_PEEK)) == 1, 20, "the first byte of the answer")
        s.signal(SIGTERM)
        assert len(text_of(reader.response(60).json()["result"])) == 4_000_000
        reader.close()
    assert s.wait(60) == 0
    assert (s.last_line()["completed"], s.last_line()["aborted"]) in ((1, 0), (0, 0))  # 0: written before the signal


def test_s17_a_client_that_leaves_while_draining_ends_its_call_and_the_drain(sluice, tmp_path):
    record = tmp_path / "record"
    s = start(sluice, {"lameDuck": NO_DUCK}, f=fake(record=str(record), more={"stop": STOP}))
    with s.client() as c:
        leaving = s.connect()
        leaving.request("POST", "/mcp", c.headers(), dumps(call("gone", "f__sleep", {"ms": 600000})))
        in_flight(s, 1)
        begun = terminate(s, "draining")
        leaving.reset()
        assert s.wait(30) == 0
        assert time.monotonic() - begun < life(10) + 2 * PATIENCE
    assert "notifications/cancelled" in record.read_text()


# all at once


def test_a_thousand_idle_connections_a_hundred_streams_and_fifty_calls_lose_nothing(sluice):
    s = start(sluice)
    clients = [s.client() for _ in range(100)]
    idle = [s.connect() for _ in range(1000)]
    for connection in idle:
        connection.exchange("GET", "/livez")
    streams = [c.get_stream() for c in clients]
    calls = [c.in_background(call(i, "ex__sleep", {"ms": round(life(8) * 1000)}), 60) for i, c in enumerate(clients[:50])]
    in_flight(s, 50)
    begun = terminate(s)
    with ThreadPoolExecutor(100) as pool:
        assert set(pool.map(retry_of, streams)) == {"1000"}
    assert all(text_of(unwrap(pending.join())) == "slept" for pending in calls)
    for connection in idle:
        assert connection.wait_closed(life(30) + 10, reset_is_fine=False) == b""
        connection.close()
    assert s.wait(60) == 0
    assert time.monotonic() - begun < life(30) + 3 * PATIENCE
    last = s.last_line()
    assert (last["completed"], last["aborted"], last["refused"]) == (50, 0, 0)
    for c in clients:
        c.close()


def test_what_finishes_old_calls_is_taken_while_draining_and_in_a_batch_each_item_gets_its_own_answer(sluice):
    s = start(sluice, {"lameDuck": NO_DUCK})
    with s.client(revision="2025-03-26") as c:
        pending = c.in_background(call("old", "ex__sleep", {"ms": 60000}), 60)
        in_flight(s, 1)
        terminate(s, "draining")
        with c.fork() as d:
            r = d.post([notification("notifications/cancelled", {"requestId": "old"}), call("new", "ex__echo", {"text": "x"})])
            (refused,) = r.json()
            assert refused["id"] == "new" and reason_of(refused) == ("draining", "not_sent")
        assert reason_of(pending.join())[0] == "cancelled"
    assert s.wait(30) == 0


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_an_idle_gateway_without_lame_duck_leaves_at_once(sluice, number):
    s = start(sluice, {"lameDuck": NO_DUCK})
    s.signal(number)
    code, seconds = s.timed_wait(10)
    assert code == 0 and seconds < 1 * PATIENCE


def test_a_gateway_under_load_leaves_in_time_whatever_keeps_coming(sluice):
    """Connections in a tight loop from four sides never let it be empty; it leaves all the same, and resets nobody."""
    s = start(sluice, {"lameDuck": NO_DUCK})
    stop, seen, faults = threading.Event(), set(), []

    def hammer():
        while not stop.is_set():
            try:
                with Connection(s.address, 5) as c:
                    seen.add(c.exchange("POST", "/mcp", {"Content-Length": "0"}).status)
            except ConnectionRefusedError:
                return
            except (Closed, OSError, TimeoutError) as e:
                faults.append(repr(e))

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for t in threads:
        t.start()
    time.sleep(0.2)
    begun = terminate(s, "draining")
    assert s.wait(30) == 0
    assert time.monotonic() - begun < 3 * PATIENCE
    stop.set()
    for t in threads:
        t.join()
    assert faults == []
