"""S26, and what the other scenarios say of calls, streams and sessions, for servers over HTTP: they hang, die, drain and
come back while the gateway starts, serves and stops."""

import contextlib
import os
import shutil
import socket
import ssl
import threading
import time
from signal import SIGKILL, SIGTERM

import pytest

from certificates import Authority
from fake_http_server import FakeHttpServer
from harness import NO_LAME_DUCK, PATIENCE, clean_env, servers, wait_until
from mcp_client import call, text_of
from modern_client import ModernHttp
from scale import dur, life
from unshare import UNSHARE

STOP = {"eof": dur(2), "term": dur(2)}
GRACE = {**NO_LAME_DUCK, "gracePeriod": dur(30), "margin": dur(2)}
LONG = {**GRACE, "gracePeriod": dur(90)}
CUT = life(30) + 10 * PATIENCE
MODES = ["legacy", "modern", "dual", "sse"]
AT_ONCE = 2 * PATIENCE


def terminate(s, phase="draining"):
    s.signal(SIGTERM)
    s.log.wait("phase", to=phase)
    return time.monotonic()


def in_flight(s, n):
    wait_until(lambda: s.health()["in_flight"] == n, what=f"{n} calls in flight")


def is_cut(message):
    data = message["error"]["data"]
    return (data["reason"], data["outcome"]) == ("draining", "unknown")


def was_not_sent(message):
    """Cut at STOP, or told before, when the try has failed and no other one is made while draining."""
    data = message["error"]["data"]
    return data["outcome"] == "not_sent" and data["reason"] in ("draining", "backend_unavailable")


def ends(s):
    last = s.last_line()
    return last["completed"], last["aborted"], last["refused"]


@pytest.fixture
def remote():
    made = []

    def make(mode="legacy", **knobs):
        made.append(FakeHttpServer(mode, **knobs))
        return made[-1]

    yield make
    for server in made:
        server.close()


# S26: at the start, and when a server is looked for again


class Silent:
    """Listens, and says to each connection what it is told to, then nothing."""

    def __init__(self, says=b"", backlog=64, accepts=True):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(backlog)
        self.port = self.sock.getsockname()[1]
        self.says, self.taken, self.fillers = says, [], []
        if accepts:
            threading.Thread(target=self.accept, daemon=True).start()
        else:
            self.fill()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.sock.accept()[0])
                self.taken[-1].sendall(self.says)

    def fill(self):
        """With a full backlog the kernel leaves SYNs unanswered."""
        for _ in range(8):
            self.fillers.append(socket.socket())
            self.fillers[-1].setblocking(False)
            self.fillers[-1].connect_ex(("127.0.0.1", self.port))

    def close(self):
        for sock in [self.sock, *self.taken, *self.fillers]:
            with contextlib.suppress(OSError):
                sock.close()


HANGS = {
    "connect": {"accepts": False, "backlog": 0},
    "answer": {},
    "head": {"says": b"HTTP/1.1 200 OK\r\nContent-Type: applic"},
    "body": {"says": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"},
    "event": {"says": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {"},
    "endpoint": {"says": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: nothing\n\n"},
    "tls": {},
    "proxy": {},
}


@contextlib.contextmanager
def hanging(what):
    """Where a server hangs so: its entry, and the environment."""
    silent = Silent(**HANGS[what])
    scheme = "https" if what in ("tls", "proxy") else "http"
    kind = {"type": "sse"} if what == "endpoint" else {}
    env = clean_env()
    entry = {"url": f"{scheme}://127.0.0.1:{silent.port}/mcp", "stop": STOP, "startupTimeout": "10m", **kind}
    if what == "proxy":
        env["HTTPS_PROXY"] = f"http://127.0.0.1:{silent.port}"
        entry["url"] = "https://server.example/mcp"
    try:
        yield entry, env, silent
    finally:
        silent.close()


def reached(silent, what):
    if what == "connect":
        time.sleep(0.2)
    else:
        wait_until(lambda: silent.taken, what="a connection")


@pytest.mark.parametrize("what", HANGS)
def test_s26_sigterm_while_a_server_hangs_at_the_start(sluice, what):
    with hanging(what) as (entry, env, silent):
        s = sluice.http(servers(lifecycle=LONG, f={**entry, "startup": "required"}), ready=False, env=env)
        reached(silent, what)
        begun = time.monotonic()
        s.signal(SIGTERM)
        assert s.wait() == 0
        assert time.monotonic() - begun < AT_ONCE


@pytest.mark.parametrize("what", HANGS)
def test_s26_sigterm_while_a_server_that_is_wanted_hangs(sluice, what):
    """It serves, and calls wait for that server: they were not sent, and are told so at STOP at the
    latest."""
    with hanging(what) as (entry, env, silent):
        s = sluice.http(servers(lifecycle=GRACE, f={**entry, "startup": "lazy"}), env=env)
        with s.client(timeout=CUT) as c:
            waiting = [c.in_background(call(i, "f__x"), CUT) for i in range(5)]
            in_flight(s, 5)
            reached(silent, what)
            begun = terminate(s)
            for w in waiting:
                assert was_not_sent(w.join())
        assert s.wait(CUT) == 0
        assert time.monotonic() - begun < life(30) + 2 * PATIENCE
        assert ends(s) == (0, 0, 5)


def test_s26_sigterm_between_two_tries(sluice):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/mcp"
        s = sluice.http(servers(lifecycle=LONG, f={"url": url, "startup": "required"}), ready=False)
        s.log.wait("backend_state", count=4, timeout=20, to="backoff")
        begun = time.monotonic()
        s.signal(SIGTERM)
        assert s.wait() == 0
        assert time.monotonic() - begun < AT_ONCE


@contextlib.contextmanager
def deaf_name_server(directory):
    """A resolv.conf that leads to somebody who never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for n in range(2, 250):
            with contextlib.suppress(OSError):
                sock.bind((f"127.7.7.{n}", 53))
                break
        else:
            pytest.skip("no address for a name server")
        path = directory / "resolv.conf"
        path.write_text(f"nameserver {sock.getsockname()[0]}\noptions timeout:30 attempts:5\n")
        yield path, sock


needs_mounts = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="a mount of its own needs root and unshare")


@needs_mounts
@pytest.mark.parametrize("startup", ["required", "lazy"])
def test_s26_sigterm_while_a_name_is_looked_up(sluice, tmp_path, startup):
    with deaf_name_server(tmp_path) as (conf, sock):
        wrap = [*UNSHARE, "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(conf)]
        entry = {"url": "http://server.sluice-test.example/mcp", "startup": startup, "startupTimeout": "10m", "stop": STOP}
        s = sluice.http(servers(lifecycle=GRACE, f=entry, g={**entry, "url": "http://other.sluice-test.example/mcp"}), ready=False, wrap=wrap)
        waiting = None
        if startup == "lazy":
            s.wait_ready()
            c = s.client(timeout=CUT)
            waiting = c.in_background(call(1, "f__x"), CUT)
        sock.settimeout(10 * PATIENCE)
        sock.recv(1000)
        begun = time.monotonic()
        s.signal(SIGTERM)
        if waiting:
            assert was_not_sent(waiting.join())
            c.close()
        assert s.wait(CUT) == 0
        assert time.monotonic() - begun < (life(30) if waiting else 0) + AT_ONCE


# S9, S10: calls in flight


@pytest.mark.parametrize("mode", MODES)
def test_s09_a_call_at_a_server_over_http_that_fits_is_answered_and_the_process_leaves_with_it(sluice, remote, mode):
    server = remote(mode)
    s = sluice.http(servers(lifecycle=LONG, f=server.entry(stop=STOP)))
    with s.client() as c, ModernHttp(s.address) as m:
        pending = c.in_background(call(1, "f__sleep", {"ms": round(life(10) * 1000)}), CUT)
        modern = threading.Thread(target=lambda: setattr(m, "got", m.call("f__sleep", {"ms": round(life(10) * 1000)}, CUT)))
        modern.start()
        server.wait_seen("tools/call", 2)
        begun = terminate(s)
        assert text_of(pending.join()["result"]) == "slept"
        modern.join()
        assert text_of(m.got) == "slept"
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(30) + 2 * PATIENCE
    assert ends(s) == (2, 0, 0)
    assert bool(server.seen(verb="DELETE")) == (mode in ("legacy", "dual"))


@pytest.mark.parametrize("mode", MODES)
def test_s10_calls_at_a_server_over_http_that_do_not_fit_are_cut_and_the_server_is_told(sluice, remote, mode):
    server = remote(mode)
    s = sluice.http(servers(lifecycle=GRACE, f=server.entry(stop=STOP)))
    steps = {"steps": [{"progress": 1}, {"wait": 1000 * CUT}]}
    with s.client(timeout=CUT) as c:
        silent = c.in_background(call("silent", "f__sleep", {"ms": 1000 * CUT}), CUT)
        telling = c.in_background(call("telling", "f__steps", steps, token="t"), CUT)
        server.wait_seen("tools/call", 2)
        wait_until(lambda: telling.client.notifications, what="progress")
        begun = terminate(s)
        assert is_cut(silent.join()) and is_cut(telling.join())
    assert s.wait(CUT) == 0
    assert life(15) < time.monotonic() - begun < life(30) + 2 * PATIENCE
    assert ends(s) == (0, 2, 0)
    if mode in ("legacy", "sse"):
        server.wait_seen("notifications/cancelled", 2)
    if mode == "legacy":
        assert [r.verb for r in server.requests][-1] == "DELETE", "cancelled is said before the session ends"


def test_s10_of_a_call_that_waits_for_a_lost_session_nothing_was_sent(sluice, remote):
    """The session is lost, and while another one is made the server hangs."""
    server = remote()
    s = sluice.http(servers(lifecycle=GRACE, f=server.entry(stop=STOP)))
    with s.client(timeout=CUT) as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
        server.knobs["fail"] = {"initialize": lambda r: time.sleep(CUT)}
        server.forget_sessions()
        waiting = c.in_background(call(1, "f__echo", {"text": "y"}), CUT)
        server.wait_seen("initialize", 2)
        begun = terminate(s)
        assert was_not_sent(waiting.join())
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(30) + 2 * PATIENCE
    assert ends(s) == (0, 0, 1)


# S12: streams


@pytest.mark.parametrize("mode", MODES)
def test_s12_streams_for_news_end_with_the_server_and_listens_with_their_result(sluice, remote, mode):
    server = remote(mode)
    s = sluice.http(servers(lifecycle={**LONG, "lameDuck": {"min": dur(5), "quiet": "0s", "max": dur(5)}}, f=server.entry(stop=STOP)))
    with s.client() as c, ModernHttp(s.address, timeout=CUT) as m:
        stream = c.get_stream(CUT)
        listen, first = m.listen(toolsListChanged=True)
        assert first["method"] == "notifications/subscriptions/acknowledged"
        pending = c.in_background(call(1, "f__sleep", {"ms": round(life(12) * 1000)}), CUT)
        server.wait_seen("tools/call")
        begun = terminate(s, "lame_duck")
        assert stream.messages(CUT) == []
        assert listen.messages(CUT)[-1]["result"]["resultType"] == "complete"
        assert time.monotonic() - begun < life(5) + 2 * PATIENCE
        assert text_of(pending.join()["result"]) == "slept"
    assert s.wait(CUT) == 0
    assert ends(s) == (1, 0, 0)


# S19 to S23, S33: servers that stop, hang and die at the stop


def test_s21_servers_that_do_not_answer_the_delete_cost_the_time_of_one(sluice, remote):
    deaf = {None: lambda r: time.sleep(CUT) if r.verb == "DELETE" else None}
    many = {f"f{i}": remote(fail=deaf).entry(stop=STOP) for i in range(10)}
    s = sluice.http(servers(lifecycle=LONG, **many))
    begun = terminate(s, "stopping_backends")
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(8) + 2 * PATIENCE


def test_s21_sessions_of_many_clients_end_side_by_side(sluice, remote):
    """Each client has a session of its own there, and its DELETE takes a while."""
    server = remote(fail={None: lambda r: time.sleep(life(1)) if r.verb == "DELETE" else None})
    s = sluice.http(servers(lifecycle=LONG, f=server.entry(isolation="session", stop={"eof": dur(20), "term": dur(20)})))
    clients = [s.client() for _ in range(40)]
    for c in clients:
        assert c.text("f__echo", {"text": "x"}) == "x"
    begun = terminate(s, "stopping_backends")
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(20) + 3 * PATIENCE, "one after the other would be 40 of those whiles"
    wait_until(lambda: len(server.seen(verb="DELETE")) >= 40, what="the DELETE of each")
    for c in clients:
        c.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["ends", "hangs up"])
def test_s23_a_server_that_goes_at_the_same_moment_ends_its_calls_and_is_not_waited_for(sluice, remote, mode, how):
    server = remote(mode)
    s = sluice.http(servers(lifecycle=GRACE, f=server.entry(stop=STOP)))
    with s.client(timeout=CUT) as c:
        pending = c.in_background(call(1, "f__sleep", {"ms": 1000 * CUT}), CUT)
        server.wait_seen("tools/call")
        begun = terminate(s)
        server.close() if how == "ends" else server.drop_all()
        data = pending.join()["error"]["data"]
        assert data["outcome"] == "unknown" and data["reason"] in ("backend_exited", "draining")
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(30) + 2 * PATIENCE
    assert ends(s) == (0, 1, 0)


def test_s24_a_server_that_went_just_before_is_not_waited_for(sluice, remote):
    server = remote()
    s = sluice.http(servers(lifecycle=LONG, f=server.entry(stop=STOP)))
    with s.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
    server.close()
    begun = terminate(s)
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(8) + AT_ONCE


class Flood(Silent):
    """Answers whatever comes with one line that never ends."""

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock = self.sock.accept()[0]
                self.taken.append(sock)
                threading.Thread(target=self.pour, args=(sock,), daemon=True).start()

    def pour(self, sock):
        sock.recv(65536)
        with contextlib.suppress(OSError):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ")
            while True:
                sock.sendall(b"x" * 65536)


@pytest.mark.parametrize("startup", ["required", "lazy"])
def test_s27_servers_that_flood_hold_up_nobody_and_take_no_memory(sluice, startup):
    flood = Flood()
    entry = {"url": f"http://127.0.0.1:{flood.port}/mcp", "type": "http", "startup": startup, "startupTimeout": "10m", "stop": STOP}
    s = sluice.http(servers(lifecycle=GRACE, limits={"maxMessageBytes": 1 << 20}, f=entry), ready=False)
    if startup == "lazy":
        s.wait_ready()
        c = s.client(timeout=CUT)
        pending = c.in_background(call(1, "f__x"), CUT)
    wait_until(lambda: flood.taken, what="a connection")
    time.sleep(0.3)
    with open(f"/proc/{s.pid}/status") as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
    begun = time.monotonic()
    s.signal(SIGTERM)
    assert s.wait(CUT) == 0
    assert time.monotonic() - begun < life(30) + AT_ONCE
    assert peak < (100 << 10) * PATIENCE
    if startup == "lazy":
        assert pending.join()["error"]["data"]["outcome"] == "not_sent"
        c.close()
    flood.close()


def test_s33_sessions_of_a_gateway_that_was_killed_are_the_servers_to_end_and_a_successor_gets_new_ones(sluice, remote):
    server = remote()
    config = servers(lifecycle=LONG, f=server.entry(stop=STOP))
    a = sluice.http(config)
    a.expected_codes = {-SIGKILL}
    with a.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
    a.process.kill()
    a.wait()
    b = sluice.http(config)
    with b.client() as c:
        assert c.text("f__echo", {"text": "x"}) == "x"
    assert len(server.seen("initialize")) == 2


# TLS towards the server


def test_s26_a_server_over_tls_is_drained_like_any_other(sluice, remote, tmp_path):
    ca = Authority(tmp_path)
    pair = ca.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    server = remote(tls=context)
    s = sluice.http(servers(lifecycle=GRACE, f=server.entry(stop=STOP, tls={"ca": str(ca.cert)})))
    with s.client(timeout=CUT) as c:
        fits = c.in_background(call(1, "f__sleep", {"ms": round(life(5) * 1000)}), CUT)
        does_not = c.in_background(call(2, "f__sleep", {"ms": 1000 * CUT}), CUT)
        server.wait_seen("tools/call", 2)
        terminate(s)
        assert text_of(fits.join()["result"]) == "slept" and is_cut(does_not.join())
    assert s.wait(CUT) == 0
    assert ends(s) == (1, 1, 0)
    server.wait_seen("notifications/cancelled")
    assert [r.verb for r in server.requests][-1] == "DELETE"
