"""S35 and S45 to S49: what readiness and liveness mean from the first moment to the last."""

import contextlib
import os
import threading
import time
from signal import SIGKILL, SIGTERM

import pytest

from harness import EXAMPLE, NO_LAME_DUCK, PATIENCE, children_of, example, fake, is_alive, servers, wait_until
from http_client import Closed, Connection
from mcp_client import RpcError, call, request
from scale import SCALE, dur, life

ADMIN = "127.0.0.1:0"


class Switch:
    """A server whose program is there or is not."""

    def __init__(self, directory, **more):
        self.path = directory / "server"
        self.entry = {"command": str(self.path), **more}

    def on(self):
        self.path.write_text(f'#!/bin/sh\nexec "{EXAMPLE}"\n')
        self.path.chmod(0o755)

    def off(self):
        self.path.unlink()


def metric(s, name):
    for line in s.get("/metrics", admin=True).body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


# S35


STARTS = {
    "a required server that never answers": fake(dumb=True, more={"startup": "required"}),
    "a required server that ignores everything": fake(dumb=True, ignore_eof=True, ignore_term=True, more={"startup": "required"}),
    "a required server that is not installed": {"command": "/no/such/server", "startup": "required"},
    "a required server that dies again and again": {"command": "/bin/false", "startup": "required"},
    "a required server that is slow": fake(start_delay=30, more={"startup": "required"}),
}


@pytest.mark.parametrize("entry", STARTS.values(), ids=STARTS)
def test_s35_sigterm_while_starting_ends_it_at_once_with_0(sluice, entry):
    s = sluice.http(servers(must=entry, ok=example(), lifecycle={}), ready=False)
    time.sleep(0.4)
    pids = children_of(s.pid)
    s.signal(SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 1 * PATIENCE
    assert not any(map(is_alive, pids)) and not s.log.find("phase", to="ready")
    assert s.last_line()["reason"] == "SIGTERM"


def test_s35_calls_that_wait_for_the_start_end_with_an_error(sluice):
    s = sluice.http(servers(must=fake(dumb=True, more={"startup": "required"}), lifecycle={}), ready=False)
    with s.client() as c:
        waiting = [c.in_background(call("call", "must__echo")), c.in_background(request("list", "tools/list"))]
        wait_until(lambda: s.health()["in_flight"] == 2, what="the calls")
        s.signal(SIGTERM)
        began = time.monotonic()
        for pending in waiting:
            data = pending.join()["error"]["data"]
            assert data["outcome"] == "not_sent" and data["retryable"] is True
    assert s.wait() == 0 and time.monotonic() - began < 1 * PATIENCE
    assert (s.last_line()["refused"], s.last_line()["aborted"]) == (2, 0)


# S45


def test_s45_a_required_server_that_is_down_holds_readiness_with_a_reason(sluice, tmp_path):
    must = Switch(tmp_path, startup="required")
    s = sluice.http(servers(must=must.entry, ok=example(), lifecycle=NO_LAME_DUCK), ready=False)
    wait_until(lambda: b"must: backoff" in s.get("/readyz").body and s.health()["backends_connected"] == 1, what="the first tries")
    for path in ("/startupz", "/readyz"):
        r = s.get(path)
        assert r.status == 503 and b"must: " in r.body and b"ok: " not in r.body, r
    assert b"No such file" in s.get("/readyz").body, "it says why"
    assert s.get("/readyz").body.startswith(b"starting\n") and s.get("/health").status == 503
    assert s.get("/livez").status == 200
    with s.client() as c:
        assert c.text("ok__echo", {"text": "early"}) == "early"
    must.on()
    began = time.monotonic()
    s.wait_ready(10)
    assert time.monotonic() - began < 10 * PATIENCE, "within the period of a probe"
    assert s.get("/startupz").status == 200 and s.health()["status"] == "ok"


def test_s45_a_start_that_its_probe_gives_up_ends_cleanly(sluice, tmp_path):
    must = Switch(tmp_path, startup="required")
    s = sluice.http(servers(must=must.entry, lifecycle={}), ready=False)
    time.sleep(1)
    assert s.process.poll() is None, "the verdict is the startup probe's"
    s.signal(SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 1 * PATIENCE


# S46


def test_s46_an_optional_server_that_is_down_is_told_and_does_not_matter(sluice, tmp_path):
    may = Switch(tmp_path)
    s = sluice.http(servers(may=may.entry, ok=example()), admin=ADMIN)
    health = s.get("/health")
    assert health.status == 200 and health.json()["status"] == "degraded"
    assert metric(s, "sluice_degraded") == 1 and metric(s, "sluice_backends_connected") == 1
    with s.client() as c:
        assert not [name for name in c.tool_names() if name.startswith("may__")]
        assert c.text("ok__echo", {"text": "well"}) == "well"
        wait_until(lambda: s.get("/status", admin=True).json()["backends"][0]["failures"] >= 5, 10, "five failures")
        with pytest.raises(RpcError) as e:
            c.call("may__echo")
        assert (e.value.data["reason"], e.value.data["outcome"]) == ("backend_unavailable", "not_sent")
        may.on()
        wait_until(lambda: s.health()["status"] == "ok", 20, "the server's return")
        assert metric(s, "sluice_degraded") == 0
        assert c.text("may__echo", {"text": "back"}) == "back"


# S47


@pytest.fixture
def lose(sluice, tmp_path):
    """A gateway whose only required server has been lost: (gateway, switch)."""

    def lose(**lifecycle):
        must = Switch(tmp_path, startup="required")
        must.on()
        s = sluice.http(servers(must=must.entry, ok=example(), lifecycle={**NO_LAME_DUCK, **lifecycle}), admin=ADMIN)
        with s.client() as c:
            pid = int(c.text("must__pid"))
        must.off()
        os.kill(pid, SIGKILL)
        wait_until(lambda: s.health()["status"] == "degraded", what="the loss")
        return s, must

    return lose


def stays_ready(s, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert s.get("/readyz").status == 200 and s.get("/livez").status == 200
        assert s.get("/startupz").status == 200
        time.sleep(0.05)


def test_s47_losing_a_required_server_at_run_time_does_not_flap_readiness(lose):
    s, must = lose()
    stays_ready(s, life(40) if SCALE < 1 else 35)
    assert metric(s, "sluice_degraded") == 1 and s.health()["backends_connected"] == 1
    must.on()
    wait_until(lambda: s.health()["status"] == "ok", 35, "the server's return")


def test_s47_readiness_that_is_to_fail_is_held_for_30_s(lose):
    """The hold is no setting, so that it passes only when time is true to life; the unit test moves a clock."""
    began = time.monotonic()
    s, _ = lose(readiness={"onRequiredLoss": "fail"})
    stays_ready(s, 3)
    if SCALE >= 1:
        wait_until(lambda: s.get("/readyz").status == 503, 40, "the end of readiness")
        assert 29 < time.monotonic() - began < 33 * PATIENCE
        r = s.get("/readyz")
        assert r.body.startswith(b"lost a required server\n") and b"must: " in r.body
        assert s.get("/livez").status == 200 and s.get("/startupz").status == 200


# S48


class Watch:
    """Asks /livez again and again, on a new connection each time, until nobody listens; remembers the slowest answer."""

    def __init__(self, address):
        self.address, self.slowest, self.answers, self.fault = address, 0.0, 0, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over.is_set():
            began = time.monotonic()
            try:
                with Connection(self.address, 10 * PATIENCE) as c:
                    status = c.exchange("GET", "/livez").status
            except (OSError, Closed):
                return
            except Exception as e:
                self.fault = e
                return
            if status != 200:
                self.fault = AssertionError(f"status {status}")
                return
            self.answers += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.02)

    def check(self):
        self.thread.join(15 * PATIENCE)
        assert self.fault is None, self.fault
        assert self.answers > 10 and self.slowest < 1 * PATIENCE, (self.answers, self.slowest)


def test_s48_liveness_answers_in_time_under_load_and_while_draining(sluice):
    lifecycle = {"gracePeriod": dur(60), "lameDuck": {"min": dur(5), "quiet": dur(2), "max": dur(10)}}
    s = sluice.http(servers(ex=example(), f=fake(), lifecycle=lifecycle), admin=ADMIN)
    watches = [Watch(s.address), Watch(s.admin)]
    over = threading.Event()

    def load(n):
        with contextlib.suppress(OSError, Closed, AssertionError, TimeoutError), s.client(timeout=10 * PATIENCE) as c:
            while not over.is_set():
                tool, arguments = (("ex__big", {"bytes": 2_000_000}), ("f__echo", {"text": "x" * 100_000}), ("ex__echo", {"text": "x"}))[n % 3]
                c.post(call(1, tool, arguments))
                c.close()  # answers are not waited for: the gateway is to have its hands full

    threads = [threading.Thread(target=load, args=(n,), daemon=True) for n in range(12)]
    for t in threads:
        t.start()
    time.sleep(1.5)
    s.signal(SIGTERM)
    s.log.wait("phase", to="lame_duck")
    time.sleep(life(5))
    over.set()
    assert s.wait(30) == 0
    for t in threads:
        t.join(10 * PATIENCE)
    for watch in watches:
        watch.check()


# S49


def test_s49_a_storm_of_probes_does_not_prolong_lame_duck(sluice):
    lifecycle = {"gracePeriod": dur(120), "lameDuck": {"min": dur(5), "quiet": dur(5), "max": dur(80)}}
    s = sluice.http(servers(ex=example(), lifecycle=lifecycle), admin=ADMIN)
    s.signal(SIGTERM)
    s.log.wait("phase", to="lame_duck")
    began = time.monotonic()

    def storm(n):
        paths = ("/livez", "/readyz", "/startupz", "/health")
        with contextlib.suppress(OSError, Closed, AssertionError):
            while time.monotonic() - began < life(80):
                s.get(paths[n % 4]), s.get(paths[n % 4], admin=True)
                with s.connect() as c:
                    c.exchange("GET", "/mcp", {"User-Agent": ("kube-probe/1.34", "ELB-HealthChecker/2.0", "GoogleHC/1.0")[n % 3]})
                s.connect().close()
                time.sleep(0.02)

    threads = [threading.Thread(target=storm, args=(n,), daemon=True) for n in range(6)]
    for t in threads:
        t.start()
    assert s.wait(30) == 0
    assert life(5) * 0.9 < time.monotonic() - began < life(40) * PATIENCE
    for t in threads:
        t.join(10 * PATIENCE)
