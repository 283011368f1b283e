"""The drain where TLS is in front, where a server is a command-line program, and where each session has a process of its
own: the same rules as for all others."""

import contextlib
import pathlib
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from signal import SIGTERM

import pytest

from harness import NO_LAME_DUCK, PATIENCE, certificates, example, fake, is_alive, servers, wait_until
from http_client import TLS, Closed, split_address
from mcp_client import call, text_of, unwrap
from modern_client import ModernHttp
from scale import dur, life
from sse_client import McpSse

FAKE_CLI = pathlib.Path(__file__).resolve().parents[1] / "system" / "fake_cli.py"
STOP = {"eof": dur(2), "term": dur(2)}
GRACE = {**NO_LAME_DUCK, "gracePeriod": dur(30), "margin": dur(2)}
LONG = {**GRACE, "gracePeriod": dur(90)}
CUT = life(30) + 10 * PATIENCE


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


# TLS in front


def over_tls(sluice, lifecycle=GRACE, **more):
    context, pair = certificates()
    http = {"tls": {"cert": str(pair.cert), "key": str(pair.key)}}
    s = sluice.http(servers(lifecycle=lifecycle, http=http, ex=example(stop=STOP), **more), ready=False)
    TLS[s.address] = context
    return s.wait_ready()


def plain(s):
    sock = socket.create_connection(split_address(s.address), timeout=10 * PATIENCE)
    return contextlib.closing(sock)


def test_s02_connections_over_tls_that_come_late_are_served_and_told_to_close(sluice):
    s = over_tls(sluice, {**GRACE, "gracePeriod": dur(60), "lameDuck": {"min": dur(15), "quiet": "0s", "max": dur(15)}})
    with s.client() as c:
        begun = terminate(s, "lame_duck")
        count = 0
        while time.monotonic() - begun < life(10):
            with c.fork() as late:
                r = late.post(call(count, "ex__echo", {"text": "x"}))
                assert r.status == 200 and r.closes and text_of(unwrap(r.json())) == "x"
                assert r.connection.wait_closed(reset_is_fine=False) == b""
            count += 1
    assert s.wait(CUT) == 0
    assert ends(s) == (count, 0, 0) and count > 0


def test_s03_over_tls_who_comes_while_draining_gets_503_and_is_not_reset(sluice):
    s = over_tls(sluice, LONG)
    with s.client() as c:
        pending = c.in_background(call("long", "ex__sleep", {"ms": round(life(20) * 1000)}), CUT)
        in_flight(s, 1)
        terminate(s)
        for i in range(10):
            with c.fork() as late:
                r = late.post(call(i, "ex__echo", {"text": "x"}))
                assert r.status == 503 and r.header("retry-after") and is_cut(r.json(), "not_sent")
                assert r.connection.wait_closed(reset_is_fine=False) == b""
        assert text_of(unwrap(pending.join())) == "slept"
    assert s.wait(CUT) == 0
    assert ends(s) == (1, 0, 10)


def test_s10_over_tls_calls_and_streams_that_do_not_fit_end_whole(sluice):
    s = over_tls(sluice)
    with s.client(timeout=CUT) as c, ModernHttp(s.address, timeout=CUT) as m, McpSse(s.address, timeout=CUT).initialize() as old:
        silent = c.in_background(call("silent", "ex__sleep", {"ms": 300000}), CUT)
        telling = c.in_background(call("telling", "ex__progress", {"steps": 10000, "ms": 50}, token="t"), CUT)
        old.send(call("old", "ex__sleep", {"ms": 300000}))
        listen, _ = m.listen(toolsListChanged=True)
        in_flight(s, 3)
        terminate(s)
        assert is_cut(silent.join()) and is_cut(telling.join()) and is_cut(old.answer_of("old"))
        assert listen.messages(CUT)[-1]["result"]["resultType"] == "complete"
    assert s.wait(CUT) == 0
    assert ends(s) == (0, 3, 0)


def test_s13_handshakes_that_are_half_done_hold_nothing_up(sluice):
    s = over_tls(sluice)
    with contextlib.ExitStack() as stack:
        for n in range(50):
            sock = stack.enter_context(plain(s))
            sock.sendall(b"\x16\x03\x01\x02\x00\x01"[: 1 + n % 6])
        with s.client() as c:
            assert c.text("ex__echo", {"text": "x"}) == "x"
        begun = terminate(s)
        assert s.wait(CUT) == 0
        assert time.monotonic() - begun < life(8) + 2 * PATIENCE


def test_s13_a_handshake_that_is_completed_while_draining_gets_its_503(sluice):
    s = over_tls(sluice, LONG)
    context, _ = certificates()
    with s.client() as c, plain(s) as sock:
        pending = c.in_background(call("long", "ex__sleep", {"ms": round(life(20) * 1000)}), CUT)
        in_flight(s, 1)
        terminate(s)
        tls = context.wrap_socket(sock, server_hostname="localhost")
        tls.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n")
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
        tls.sendall(b"Mcp-Session-Id: %s\r\nContent-Length: %d\r\n\r\n%s" % (c.session.encode(), len(body), body))
        assert tls.recv(4096).startswith(b"HTTP/1.1 503 ")
        assert text_of(unwrap(pending.join())) == "slept"
        tls.close()
    assert s.wait(CUT) == 0


def test_s05_idle_connections_over_tls_are_closed_in_order(sluice):
    s = over_tls(sluice)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(s.connect()) for _ in range(60)]
        for c in idle:
            assert c.exchange("GET", "/livez").status == 200
        terminate(s)
        assert s.wait(CUT) == 0
        for c in idle:
            c.sock.strict = True  # the end of TLS is told, not just the end of the connection
            assert c.wait_closed(reset_is_fine=False) == b""


# command-line programs


def program(name):
    stem = "".join(c if c.isalnum() else "_" for c in pathlib.Path(sys.executable).name)
    return f"f__{stem}_{name}"


def cli(**more):
    return {"command": sys.executable, "args": ["-S", "-E", str(FAKE_CLI)], "cli": True, "cliOnly": ["sleep"], "stop": STOP, **more}


def sleeps(c, i, seconds, **more):
    return c.in_background(call(i, program("sleep"), {"args": [str(seconds)], **more}), CUT)


def pids_in(tmp_path, n):
    def all_of_them():
        paths = [tmp_path / f"pid{i}" for i in range(n)]
        return all(p.exists() for p in paths) and [int(p.read_text()) for p in paths]

    return wait_until(all_of_them, 20, f"{n} programs")


def test_s09_programs_that_fit_end_by_themselves_and_those_that_wait_for_their_turn_were_not_sent(sluice, tmp_path):
    s = sluice.http(servers(lifecycle=LONG, f=cli(maxProcesses=4)), ready=False)
    s.wait_ready(30)
    with s.client() as c:
        running = [sleeps(c, i, life(20), note=str(tmp_path / f"pid{i}")) for i in range(4)]
        pids_in(tmp_path, 4)
        waiting = [sleeps(c, 10 + i, 0) for i in range(4)]
        in_flight(s, 8)
        terminate(s)
        assert all(w.join()["error"]["data"]["outcome"] == "not_sent" for w in waiting)
        assert [text_of(unwrap(r.join())) for r in running] == ["slept\n"] * 4
    assert s.wait(CUT) == 0
    assert ends(s) == (4, 0, 4)
    assert s.last_line()["backends_killed"] == 0


def test_s21_stubborn_programs_are_stopped_side_by_side_within_the_budget(sluice, tmp_path):
    s = sluice.http(servers(lifecycle=GRACE, f=cli(maxProcesses=12)), ready=False)
    s.wait_ready(30)
    with s.client(timeout=CUT) as c:
        running = [sleeps(c, i, 600, note=str(tmp_path / f"pid{i}"), stubborn=True) for i in range(8)]
        pids = pids_in(tmp_path, 8)
        begun = terminate(s)
        assert all(is_cut(r.join()) for r in running)
        assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(30) + 2 * PATIENCE
    assert not any(map(is_alive, pids))
    last = s.last_line()
    assert (last["aborted"], last["backends_killed"]) == (8, 8)


def test_s31_a_second_signal_ends_programs_soon(sluice, tmp_path):
    s = sluice.http(servers(lifecycle={**NO_LAME_DUCK, "gracePeriod": "10m"}, f=cli()), ready=False)
    s.wait_ready(30)
    with s.client(timeout=CUT) as c:
        running = sleeps(c, 1, 600, note=str(tmp_path / "pid0"), stubborn=True)
        pids = pids_in(tmp_path, 1)
        terminate(s)
        s.signal(SIGTERM)
        assert is_cut(running.join())
        assert s.wait(4) == 0
    assert not any(map(is_alive, pids))


# a process for each session


def test_s21_stubborn_processes_of_sessions_are_stopped_side_by_side(sluice):
    more = {"isolation": "session", "maxProcesses": 12, "stop": STOP, "idleTimeout": "never"}
    s = sluice.http(servers(lifecycle=LONG, f=fake(ignore_eof=True, ignore_term=True, more=more)))
    with ThreadPoolExecutor(4) as pool:
        clients = list(pool.map(lambda _: s.client(), range(12)))
        pids = list(pool.map(lambda c: int(c.text("f__pid")), clients))
    assert len(set(pids)) == 12
    begun = terminate(s, "stopping_backends")
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(12) + 3 * PATIENCE, "one after the other it would be twelve times 4 s"
    assert not any(map(is_alive, pids))
    for c in clients:
        c.close()


def test_s10_each_session_gets_the_end_of_its_own_call_and_no_process_is_started_any_more(sluice, tmp_path):
    more = {"isolation": "session", "maxProcesses": 6, "stop": STOP}
    s = sluice.http(servers(lifecycle=GRACE, f=fake(record=str(tmp_path / "record"), more=more)))
    clients = [s.client(timeout=CUT) for _ in range(6)]
    quick = [c.in_background(call(1, "f__sleep", {"ms": round(life(8) * 1000)}), CUT) for c in clients[:3]]
    slow = [c.in_background(call(1, "f__sleep", {"ms": 1000 * CUT}), CUT) for c in clients[3:]]
    in_flight(s, 6)
    wait_until(lambda: (tmp_path / "record").read_text().count("tools/call") == 6, 15, "six calls at six processes")
    started = len(s.log.find("child_started"))
    terminate(s)
    assert [text_of(unwrap(q.join())) for q in quick] == ["slept"] * 3
    assert all(is_cut(x.join()) for x in slow)
    assert s.wait(CUT) == 0
    assert ends(s) == (3, 3, 0)
    assert len(s.log.find("child_started")) == started
    assert (tmp_path / "record").read_text().count("notifications/cancelled") == 3
    for c in clients:
        c.close()


@pytest.mark.parametrize("signals", [1, 2, 3])
def test_s25_sigterm_while_processes_of_sessions_start(sluice, signals):
    more = {"isolation": "session", "maxProcesses": 8, "stop": STOP, "startup": "lazy"}
    s = sluice.http(servers(lifecycle=GRACE, f=fake(init_delay=600, more=more)), ready=False)
    s.wait_ready()
    clients = [s.client(timeout=CUT) for _ in range(8)]
    waiting = [c.in_background(call(1, "f__pid"), CUT) for c in clients]
    wait_until(lambda: s.log.find("child_started"), what="a process")
    in_flight(s, 8)
    begun = time.monotonic()
    for _ in range(signals):
        s.signal(SIGTERM)
        time.sleep(0.05)
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(30) + 2 * PATIENCE
    for w in waiting:
        if signals < 3:
            assert is_cut(w.join(), "not_sent")
        else:  # it left at once
            with contextlib.suppress(Closed, ConnectionError):
                w.join()
    for c in clients:
        c.close()
