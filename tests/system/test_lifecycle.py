"""Starting and stopping: issue 2, item 9, and sections 2 to 5 of the contract. Durations are scaled to tenths of a
second; bounds leave room for a loaded machine, orders are exact."""

import base64
import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from harness import BINARY, PATIENCE, clean_env, example, fake, is_alive, kill_and_wait, known_children, servers, wait_until
from http_client import Closed, Connection
from mcp_client import McpHttp, McpStdio, call, dumps, initialize_params, notification, request, text_of, unwrap

LAME = {"min": "400ms", "quiet": "100ms", "max": "1500ms"}
LAST_LINE = (
    "reason elapsed_ms budget_ms completed aborted refused late_connections backends_stopped backends_killed "
    "orphans_reaped forced exit_code"
).split()


def quick(**more):
    return {"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}, **more}


# the plain end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_gateway_with_0(sluice, number):
    s = sluice.http(servers(ex=example(), f=fake()))
    with s.client() as c:
        pids = [int(c.text("ex__pid")), int(c.text("f__pid"))]
        s.signal(number)
        code, seconds = s.timed_wait()
    assert code == 0 and seconds < 1.5 * PATIENCE
    assert not any(map(is_alive, pids))
    last = s.last_line()
    assert [key for key in LAST_LINE if key not in last] == []
    assert last["reason"] == signal.Signals(number).name and last["exit_code"] == 0
    assert last["backends_stopped"] == 2 and last["backends_killed"] == 0 and last["aborted"] == 0 and last["forced"] is False


def test_sigint_skips_the_lame_duck(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={}))
    s.signal(signal.SIGINT)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 2 * PATIENCE


def test_the_last_line_goes_into_the_termination_log_too(sluice, tmp_path):
    path = tmp_path / "termination-log"
    path.write_text("")
    s = sluice.http(servers(ex=example(), lifecycle=quick(terminationLog=str(path))))
    assert s.terminate() == 0
    (line,) = path.read_text().splitlines()
    written, logged = json.loads(line), s.last_line()
    assert {k: written[k] for k in LAST_LINE} == {k: logged[k] for k in LAST_LINE}


def test_phases_are_logged_in_their_order(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": LAME}))
    assert s.terminate() == 0
    names = ["starting", "ready", "lame_duck", "draining", "stopping_backends", "exiting"]
    seen = [v for e in s.log.events for k, v in e.items() if k in ("phase", "to", "now") and v in names]
    order = [n for i, n in enumerate(seen) if i == 0 or seen[i - 1] != n]
    assert order == sorted(order, key=names.index) and order[-1] == "exiting"


# lame-duck


def test_the_lame_duck_lasts_its_least_time_when_all_is_quiet(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": LAME}))
    s.signal(signal.SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and 0.35 < seconds < 1.4 * PATIENCE


def test_requests_prolong_it_up_to_its_greatest_time(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "100ms", "quiet": "400ms", "max": "1200ms"}}))
    with s.client() as c:
        start = time.monotonic()
        s.signal(signal.SIGTERM)
        answered = 0
        try:
            while time.monotonic() - start < 5:
                answered += c.post(call(1, "ex__echo", {"text": "x"})).status == 200
                time.sleep(0.05)
        except (OSError, Closed):
            pass
    assert s.wait() == 0
    assert answered >= 8 and 0.9 < time.monotonic() - start < 2.5 * PATIENCE


def test_probes_do_not_prolong_it(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "200ms", "quiet": "200ms", "max": "5s"}}))
    s.signal(signal.SIGTERM)
    start = time.monotonic()
    try:
        while time.monotonic() - start < 6:
            s.get("/livez"), s.get("/health")
            with s.connect() as c:
                c.exchange("GET", "/mcp", {"User-Agent": "kube-probe/1.31"})
            s.connect().close()
            time.sleep(0.03)
    except (OSError, Closed, AssertionError):
        pass
    assert s.wait() == 0
    assert time.monotonic() - start < 2.5 * PATIENCE


def test_in_lame_duck_everything_is_served_and_connections_are_closed(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "1500ms", "quiet": "100ms", "max": "2s"}}))
    with s.client() as c:
        first = c.post(call(1, "ex__echo", {"text": "before"}))
        assert not first.closes
        s.signal(signal.SIGTERM)
        wait_until(lambda: s.get("/readyz").status == 503, what="the lame duck")
        r = c.post(call(2, "ex__echo", {"text": "after"}))
        assert r.status == 200 and r.closes
        assert s.get("/livez").status == 200
        health = s.get("/health")
        assert health.status == 503 and health.json()["status"] == "draining" and health.json()["phase"] == "lame_duck"
        with s.client() as late:
            assert late.text("ex__sleep", {"ms": 50}) == "slept"
    assert s.wait() == 0
    assert s.last_line()["late_connections"] >= 3 and s.last_line()["refused"] == 0


def test_ready_while_draining_can_be_asked_for(sluice):
    lifecycle = {"lameDuck": {"min": "700ms", "quiet": "100ms", "max": "1s"}, "readyWhileDraining": True}
    s = sluice.http(servers(ex=example(), lifecycle=lifecycle))
    with s.client() as c:
        s.signal(signal.SIGTERM)
        wait_until(lambda: c.post(request(1, "ping")).closes, 0.5, "the lame duck")
        assert s.get("/readyz").status == 200
    assert s.wait() == 0


def test_a_process_that_dies_in_lame_duck_is_replaced(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "1500ms", "quiet": "100ms", "max": "2s"}}))
    with s.client() as c:
        s.signal(signal.SIGTERM)
        wait_until(lambda: s.get("/readyz").status == 503, what="the lame duck")
        kill_and_wait(int(c.text("ex__pid")))
        with s.raw_client() as d:
            d.session, d.revision = c.session, c.revision
            assert d.text("ex__echo", {"text": "replaced"}) == "replaced"
    assert s.wait() == 0


def test_a_get_stream_is_told_to_come_back_and_ends(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "1s", "quiet": "100ms", "max": "2s"}}))
    with s.client() as c:
        stream = c.get_stream()
        s.signal(signal.SIGTERM)
        retry = None
        while (event := stream.next(3)) is not None:
            retry = event.retry or retry
        assert retry == "1000"
        assert s.process.poll() is None, "it ended in lame-duck, not with the process"
    assert s.wait() == 0


def test_load_that_goes_away_in_lame_duck_loses_nothing(sluice):
    s = sluice.http(servers(ex=example(), f=fake(), lifecycle={"lameDuck": {"min": "1200ms", "quiet": "200ms", "max": "3s"}}))
    stop_at, faults, done = [None], [], [0]

    def load(n):
        c = s.client(timeout=10)
        while stop_at[0] is None or time.monotonic() < stop_at[0]:
            try:
                text = f"{n}.{done[0]}"
                assert c.text("f__echo" if n == 0 else "ex__echo", {"text": text}) == text
                done[0] += 1
            except Exception as e:
                faults.append(repr(e))
                return

    threads = [threading.Thread(target=load, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    stop_at[0] = time.monotonic() + 0.8
    s.signal(signal.SIGTERM)
    for t in threads:
        t.join()
    assert faults == [] and done[0] > 50
    assert s.wait() == 0
    assert s.last_line()["aborted"] == 0 and s.last_line()["refused"] == 0


# draining


@pytest.fixture
def draining(sluice):
    """A gateway that drains: one call of 1.2 s is in flight, no lame-duck."""
    s = sluice.http(servers(ex=example(), lifecycle=quick()))
    c = s.client()
    c.gateway = s
    c.pending = c.in_background(call("old", "ex__sleep", {"ms": 1200}))
    wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
    c.idle = s.connect()
    c.idle.exchange("GET", "/livez")
    s.signal(signal.SIGTERM)
    wait_until(lambda: s.health()["phase"] == "draining", what="draining")
    yield c
    c.close()


def test_a_call_in_flight_is_finished(draining):
    assert text_of(unwrap(draining.pending.join())) == "slept"
    assert draining.gateway.wait() == 0
    last = draining.gateway.last_line()
    assert (last["completed"], last["aborted"]) == (1, 0)


def test_new_requests_are_refused_with_all_that_a_client_can_understand(draining):
    with draining.fork() as c:
        r = c.post(call("new", "ex__echo", {"text": "x"}))
        assert (r.status, r.header("retry-after"), r.closes) == (503, "1", True)
        error = r.json()["error"]
        assert r.json()["id"] == "new" and error["code"] == -32603
        assert (error["data"]["reason"], error["data"]["outcome"], error["data"]["retryable"]) == ("draining", "not_sent", True)
    with draining.gateway.raw_client() as c:
        assert c.post(request(1, "initialize", initialize_params())).status == 503
    draining.pending.join()
    assert draining.gateway.wait() == 0
    assert draining.gateway.last_line()["refused"] >= 1


def test_what_finishes_an_old_call_is_taken(draining):
    with draining.fork() as c:
        assert c.post(notification("notifications/cancelled", {"requestId": "old"})).status == 202
    assert draining.pending.join()["error"]["data"]["reason"] == "cancelled"
    assert draining.gateway.timed_wait()[1] < 0.9 * PATIENCE, "the last call ended, so did the draining"


def test_probes_answer_and_livez_stays_200(draining):
    s = draining.gateway
    assert s.get("/livez").status == 200 and s.get("/readyz").status == 503 and s.get("/startupz").status in (200, 503)
    assert s.get("/health").json()["in_flight"] == 1
    draining.pending.join()


def test_idle_connections_end_with_a_fin(draining):
    assert draining.idle.wait_closed(5, reset_is_fine=False) == b""
    draining.pending.join()


# the budget


def tight(**more):
    """G 3 s, margin 0.5 s, so END 2.5 s; B 0.2 + 0.3 + 0.5 s, so STOP is at 1.5 s."""
    return quick(gracePeriod="3s", margin="500ms", **more)


STOP = {"eof": "200ms", "term": "300ms"}


def test_a_call_beyond_the_budget_is_cut_at_stop_with_an_answer(sluice):
    s = sluice.http(servers(ex=example(stop=STOP), lifecycle=tight()))
    with s.client() as c:
        pending = c.in_background(call("long", "ex__sleep", {"ms": 60000}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        start = time.monotonic()
        s.signal(signal.SIGTERM)
        error = pending.join()["error"]
        assert 1.2 < time.monotonic() - start < 1.9 * PATIENCE
        assert error["code"] == -32603 and error["data"]["backend"] == "ex"
        assert (error["data"]["reason"], error["data"]["outcome"], error["data"]["retryable"]) == ("draining", "unknown", True)
    assert s.wait() == 0
    assert time.monotonic() - start < 2.8 * PATIENCE
    last = s.last_line()
    assert last["aborted"] == 1 and 2000 <= last["budget_ms"] <= 3000 and last["elapsed_ms"] < 3000


def test_strict_exit_tells_a_cut_by_75(sluice):
    s = sluice.http(servers(ex=example(stop=STOP), lifecycle=tight(strictExit=True)))
    s.expected_codes = {75}
    with s.client() as c:
        pending = c.in_background(call("long", "ex__sleep", {"ms": 60000}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        assert s.terminate() == 75
        assert "error" in pending.join()


def test_strict_exit_is_0_when_nothing_was_cut(sluice):
    s = sluice.http(servers(ex=example(), lifecycle=quick(strictExit=True)))
    assert s.terminate() == 0


def times_of(record):
    return {line.split()[1]: float(line.split()[0]) for line in record.read_text().splitlines() if line.split()[1] in ("EOF", "TERM")}


def test_the_ladder_is_eof_then_sigterm_then_sigkill(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record), ignore_eof=True, ignore_term=True, more={"stop": STOP}), lifecycle=quick()))
    start = time.monotonic()
    assert s.terminate() == 0
    seconds = time.monotonic() - start
    t = times_of(record)
    assert 0.18 < t["TERM"] - t["EOF"] < 0.6 * PATIENCE
    assert 0.48 < seconds < 1.6 * PATIENCE
    last = s.last_line()
    assert (last["backends_killed"], last["exit_code"]) == (1, 0)


def test_a_server_that_ends_at_eof_gets_no_signal(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record)), lifecycle=quick()))
    assert s.terminate() == 0
    assert set(times_of(record)) == {"EOF"}


def test_a_server_that_needs_sigterm_gets_it_and_no_more(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record), ignore_eof=True, more={"stop": STOP}), lifecycle=quick()))
    assert s.terminate() == 0
    assert set(times_of(record)) == {"EOF", "TERM"} and s.last_line()["backends_killed"] == 0


def test_servers_are_stopped_side_by_side(sluice):
    stubborn = {f"f{n}": fake(ignore_eof=True, ignore_term=True, more={"stop": STOP}) for n in range(6)}
    s = sluice.http(servers(lifecycle=quick(), **stubborn))
    start = time.monotonic()
    assert s.terminate() == 0
    assert time.monotonic() - start < 2.2 * PATIENCE and s.last_line()["backends_killed"] == 6


def test_the_ladder_is_scaled_to_a_short_grace_period(sluice):
    config = servers(f=fake(ignore_eof=True, ignore_term=True, more={"stop": {"eof": "10s", "term": "10s"}}), lifecycle=quick(gracePeriod="2s"))
    s = sluice.http(config)
    s.signal(signal.SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 2 * PATIENCE


# signals again


def test_a_second_signal_hurries(sluice):
    s = sluice.http(servers(f=fake(ignore_eof=True, ignore_term=True, more={"stop": {"eof": "5s", "term": "5s"}}), lifecycle={}))
    with s.client() as c:
        pending = c.in_background(call("long", "f__sleep", {"ms": 60000}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        s.signal(signal.SIGTERM)
        time.sleep(0.2)
        start = time.monotonic()
        s.signal(signal.SIGTERM)
        error = pending.join()["error"]
        assert 0.7 < time.monotonic() - start < 1.6 * PATIENCE, "calls get 1 s more"
        assert (error["data"]["reason"], error["data"]["outcome"]) == ("draining", "unknown")
    assert s.wait() == 0
    assert time.monotonic() - start < 2.4 * PATIENCE
    assert s.last_line()["forced"] is True and s.last_line()["exit_code"] == 0


def test_a_second_signal_lets_a_short_call_finish(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={}))
    with s.client() as c:
        pending = c.in_background(call(1, "ex__sleep", {"ms": 600}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        s.signal(signal.SIGTERM)
        time.sleep(0.05)
        s.signal(signal.SIGINT)
        assert text_of(unwrap(pending.join())) == "slept"
    assert s.wait() == 0


@pytest.mark.parametrize("numbers", [(signal.SIGQUIT,), (signal.SIGTERM,) * 3, (signal.SIGINT, signal.SIGTERM, signal.SIGINT)])
def test_a_third_signal_or_sigquit_ends_it_now(sluice, numbers):
    s = sluice.http(servers(f=fake(ignore_eof=True, ignore_term=True), lifecycle={}))
    with s.client() as c:
        pid = int(c.text("f__pid"))
        pending = c.in_background(call("long", "f__sleep", {"ms": 60000}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        start = time.monotonic()
        for number in numbers:
            s.signal(number)
            time.sleep(0.1)
        assert s.wait() == 0
        assert time.monotonic() - start < 1.2 * PATIENCE
        wait_until(lambda: not is_alive(pid), 1, "the server's end")
        with pytest.raises((Closed, AssertionError, OSError)):
            assert "result" in pending.join(2)
    assert s.last_line()["forced"] is True


def test_a_hail_of_signals_still_ends_with_0(sluice):
    s = sluice.http(servers(ex=example(), f=fake()))
    for n in range(200):
        try:
            s.signal(random.Random(n).choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD]))
        except ProcessLookupError:
            break
    assert s.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2])
def test_other_signals_do_not_end_it(sluice, number):
    s = sluice.http(servers(ex=example()))
    with s.client() as c:
        s.signal(number)
        time.sleep(0.1)
        assert c.text("ex__echo", {"text": "alive"}) == "alive"


def test_a_stopped_process_that_goes_on_late_still_ends(sluice):
    s = sluice.http(servers(ex=example()))
    s.signal(signal.SIGSTOP)
    s.signal(signal.SIGTERM)
    time.sleep(0.3)
    s.signal(signal.SIGCONT)
    assert s.wait() == 0


# peers that are slow, deaf or gone


def test_the_main_port_answers_until_the_very_end(sluice):
    """Livez answers 200 as long as connecting works: no connection is taken and dropped."""
    s = sluice.http(servers(f=fake(ignore_eof=True, ignore_term=True, more={"stop": {"eof": "400ms", "term": "400ms"}}), lifecycle=quick()))
    s.signal(signal.SIGTERM)
    answers, end = 0, time.monotonic() + 5
    while time.monotonic() < end:
        try:
            c = Connection(s.address, 2)
        except OSError:
            break
        try:
            assert c.exchange("GET", "/livez").status == 200
            answers += 1
        except Closed:
            break  # at most the very last one
        finally:
            c.close()
        time.sleep(0.01)
    assert s.wait() == 0 and answers > 20


def test_a_client_that_never_reads_does_not_hold_up_the_end(sluice):
    s = sluice.http(servers(ex=example(stop=STOP), lifecycle=tight()))
    with s.client() as c:
        slow = Connection(s.address, receive_buffer=4096)
        slow.request("POST", "/mcp", c.headers(), dumps(call(1, "ex__big", {"bytes": 20_000_000})))
        time.sleep(0.3)
        start = time.monotonic()
        s.signal(signal.SIGTERM)
        assert s.wait() == 0
        assert time.monotonic() - start < 3 * PATIENCE
        slow.close()


@contextlib.contextmanager
def logging_to(sluice, stderr, *args, **config):
    """Sluice on pipes, with a stderr of the test's own, which is closed here: (process, client)."""
    p = subprocess.Popen(
        [str(BINARY), "serve", "--config", str(sluice.write(servers(ex=example(), **config))), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=clean_env(),
    )
    known_children.add(p.pid)
    os.close(stderr)
    try:
        yield p, McpStdio(p.stdout, p.stdin)
    finally:
        p.kill()
        p.wait()
        known_children.discard(p.pid)


def test_a_full_stderr_does_not_stop_it(sluice):
    """Nobody reads the log: lines are dropped, calls are not, and the end is in time."""
    read, write = os.pipe()
    with logging_to(sluice, write, "--log-level", "trace", "--log-format", "json", lifecycle=tight()) as (p, c):
        c.initialize()
        for n in range(2000):
            c.text("ex__echo", {"text": "x" * 50})
        p.stdin.close()
        assert p.wait(6 * PATIENCE) == 0
    os.close(read)


def test_it_ends_when_its_stderr_is_gone(sluice):
    read, write = os.pipe()
    os.close(read)
    with logging_to(sluice, write) as (p, c):
        p.stdin.close()
        assert p.wait(6 * PATIENCE) == 0


def test_clients_of_the_old_process_can_go_on_at_the_next(sluice):
    """A rolling update: the session goes over, no call is lost between the two."""
    keys = [{"id": "k", "secret": base64.b64encode(b"k" * 32).decode()}]
    config = servers(ex=example(), session={"keys": keys}, lifecycle={"lameDuck": {"min": "300ms", "quiet": "100ms", "max": "1s"}})
    old = sluice.http(config)
    c = old.client()
    assert c.text("ex__echo", {"text": "1"}) == "1"
    new = sluice.http(config)
    old.signal(signal.SIGTERM)
    c.close()
    moved = McpHttp(new.address)
    moved.session, moved.revision = c.session, c.revision
    assert moved.text("ex__echo", {"text": "2"}) == "2"
    moved.close()
    assert old.wait() == 0
