"""S40 to S44 and S56: preStop hooks, those that eat the grace period, a grace period that is cut short, and a kubelet
that does it all again. What the kubelet does here is a few lines; times that are its own (the 2 s between SIGTERM and
SIGKILL that it gives in any case) are those of real life."""

import contextlib
import json
import resource
import subprocess
import threading
import time
from signal import SIGKILL, SIGTERM

import pytest

from harness import BINARY, PATIENCE, example, fake, is_alive, servers, wait_until
from http_client import Connection
from mcp_client import call, text_of, unwrap
from scale import dur, life

LEAST = 2  # seconds: minimumGracePeriodInSeconds
STOP = {"eof": dur(2), "term": dur(2)}


def lifecycle(grace=30, **more):
    lame_duck = {"min": dur(5), "quiet": dur(2), "max": dur(10)}
    return {"gracePeriod": dur(grace), "lameDuck": lame_duck, "margin": dur(2), **more}


def start(sluice, *args, admin="127.0.0.1:0", grace=30, more=None, **entries):
    entries = entries or {"ex": example(stop=STOP)}
    return sluice.http(servers(lifecycle=lifecycle(grace, **(more or {})), **entries), *args, admin=admin)


def hook(s, query, timeout=30):
    """An httpGet hook. The kubelet does not look at the status; we do."""
    with Connection(s.admin) as c:
        c.request("GET", "/drain" + query, {"Sluice-Drain": "1", "User-Agent": "kube-lifecycle/1.34"})
        r = c.response(timeout * PATIENCE)
        assert r.status == 200, r
        return r.json()


def since(moment):
    return time.monotonic() - moment


@contextlib.contextmanager
def long_call(s, tool="ex__sleep", ms=3600_000):
    with s.client() as c:
        pending = c.in_background(call("long", tool, {"ms": ms}), 50 * PATIENCE)
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        yield pending


def is_cut(pending):
    data = pending.join()["error"]["data"]
    return data["reason"] == "draining" and data["outcome"] == "unknown"


class Load:
    """A client that calls until it is told to stop, and remembers whether its connection was closed on it."""

    def __init__(self, s):
        self.client, self.calls, self.closes, self.fault = s.client(), 0, 0, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.over.is_set():
                r = self.client.post(call(self.calls, "ex__echo", {"text": "x"}))
                assert text_of(unwrap(r.json())) == "x"
                self.calls, self.closes = self.calls + 1, self.closes + r.closes
                time.sleep(0.01)
        except Exception as e:
            self.fault = e

    def stop(self):
        self.over.set()
        self.thread.join(5 * PATIENCE)
        self.client.close()
        assert self.fault is None and self.calls > 0, self.fault


# S40


def test_s40_a_prestop_sleep_changes_nothing_and_leaves_a_budget_of_the_rest(sluice):
    s = start(sluice, more={"preStop": dur(5)})
    load, began = Load(s), time.monotonic()
    with long_call(s) as pending:
        while since(began) < life(5):  # the kubelet sleeps; the process does not know
            assert s.get("/readyz").status == 200 and s.get("/health").json()["phase"] == "ready"
            time.sleep(life(0.3))
        assert load.closes == 0
        signalled = time.monotonic()
        s.signal(SIGTERM)
        wait_until(lambda: s.get("/readyz").status == 503, what="the end of readiness")
        load.stop()
        assert is_cut(pending)
    assert s.wait() == 0
    assert since(signalled) < life(25) * PATIENCE
    assert s.last_line()["budget_ms"] <= life(25) * 1000 and s.last_line()["aborted"] == 1


# S41


@pytest.mark.parametrize("query", ["", "?hook=1", "?wait=1", "?hook=1&wait=1"])
def test_s41_an_httpget_hook_is_lame_duck_and_sigterm_goes_on_with_it(sluice, query):
    s = start(sluice, "--insecure", admin="0.0.0.0:0")  # the hook comes from the node's address
    s.admin = "127.0.0.1:" + s.admin.rpartition(":")[2]
    began = time.monotonic()
    answer = hook(s, query)
    waited = "wait" in query
    assert answer["phase"] == "lame_duck" and answer["drained"] is waited
    assert s.get("/readyz").status == 503 and s.get("/livez").status == 200
    assert since(began) >= life(5) * 0.99 or not waited
    if not waited:
        again = hook(s, query)
        assert again["since_ms"] >= answer["since_ms"], "the same drain"
        time.sleep(max(0, life(3) - since(began)))
    with s.client() as c:
        assert c.text("ex__echo", {"text": "late"}) == "late"
    s.signal(SIGTERM)
    signalled = time.monotonic()
    assert s.wait() == 0
    assert since(began) >= life(5) * 0.99
    assert since(signalled) < life(10) + 1.5 * PATIENCE
    assert len(s.log.find("shutdown_started")) == 1 and len(s.log.find("phase", to="lame_duck")) == 1
    assert s.last_line()["refused"] == 0 and s.last_line()["aborted"] == 0


def test_s41_time_spent_in_the_hook_counts_towards_lame_duck(sluice):
    s = start(sluice)
    assert hook(s, "?hook=1&wait=1")["drained"] is True
    s.signal(SIGTERM)
    s.log.wait("shutdown_complete")
    (started,) = s.log.find("shutdown_started")
    assert started["lame_duck_end_ms"] <= life(10) * 1000 + 50, "lameDuck.max counts from the hook"
    assert s.timed_wait()[1] < life(5) * 0.9 + 0.5 * PATIENCE, "min is over"


def test_s41_the_hook_is_answered_whatever_host_the_kubelet_names(sluice):
    s = start(sluice, "--insecure", admin="0.0.0.0:0")
    with Connection("127.0.0.1:" + s.admin.rpartition(":")[2]) as c:
        c.send("GET /drain?hook=1 HTTP/1.1\r\nHost: 10.244.1.17:9902\r\nSluice-Drain: 1\r\nConnection: close\r\n\r\n")
        assert c.response().json()["budget_left_ms"] > 0


# S42


def no_files():
    """Nothing can be written anywhere, as on a read-only root."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def exec_hook(s, *args):
    """An exec hook, without an environment."""
    command = [str(BINARY), "drain", "--admin", s.admin, *args]
    return subprocess.Popen(command, cwd="/", env={}, preexec_fn=no_files, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_s42_an_exec_hook_ends_with_0_when_all_is_quiet(sluice):
    s = start(sluice)
    with s.client() as c:
        pending = c.in_background(call(1, "ex__sleep", {"ms": round(life(7) * 1000)}), 30 * PATIENCE)
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        p = exec_hook(s, "--wait", "--hook", "--timeout", dur(20))
        out, err = p.communicate(timeout=30 * PATIENCE)
        assert p.returncode == 0 and b"in flight: 0" in out and err == b""
        assert text_of(unwrap(pending.join())) == "slept"
    code, seconds = (s.signal(SIGTERM), s.timed_wait())[1]
    assert code == 0 and seconds < 1.5 * PATIENCE, "all was drained before the signal"


def test_s42_an_exec_hook_that_waits_in_vain_fails_and_the_signal_does_the_rest(sluice):
    s = start(sluice)
    with long_call(s) as pending:
        p = exec_hook(s, "--wait", "--hook", "--timeout", dur(6))
        out, err = p.communicate(timeout=30 * PATIENCE)
        assert p.returncode == 1 and out == b"" and b"in flight: 1" in err
        s.signal(SIGTERM)
        assert is_cut(pending)
    assert s.wait() == 0
    assert s.last_line()["budget_ms"] <= life(30) * 1000


def test_s42_a_hook_whose_command_is_missing_does_no_harm(sluice):
    """FailedPreStopHook; SIGTERM follows."""
    s = start(sluice)
    load = Load(s)
    with pytest.raises(FileNotFoundError):
        subprocess.run(["/no/such/sluice", "drain", "--wait"], check=False)
    s.signal(SIGTERM)
    s.log.wait("phase", to="lame_duck")
    load.stop()
    assert s.wait() == 0
    assert s.last_line()["refused"] == 0 and s.last_line()["aborted"] == 0


# S43


@pytest.mark.parametrize("told", [True, False], ids=["told by the hook", "configured"])
def test_s43_a_hook_longer_than_the_grace_period_leaves_two_seconds_that_suffice(sluice, told):
    stubborn = fake(ignore_eof=True, ignore_term=True, more={"stop": {"eof": "10s", "term": "10s"}})
    more = {"margin": "2s", **({} if told else {"preStop": dur(40)})}
    s = start(sluice, more=more, ex=example(stop=STOP), f=stubborn)
    with s.client() as c:
        pids = [int(c.text("f__pid")), int(c.text("ex__pid"))]
    with long_call(s) as pending:
        if told:
            hook(s, "?hook=1")
        time.sleep(life(31))
        began = time.monotonic()
        s.signal(SIGTERM)
        assert is_cut(pending)
        code = s.wait()
    assert code == 0 and since(began) < LEAST * PATIENCE
    assert not any(map(is_alive, pids))
    last = s.last_line()
    assert (last["aborted"], last["backends_killed"]) == (1, 1)


def test_s43_a_hook_that_waits_is_let_go_before_it_has_eaten_what_the_signal_needs(sluice):
    s = start(sluice, grace=20)
    began = time.monotonic()
    with long_call(s) as pending:
        assert hook(s, f"?hook=1&wait=1&timeout={dur(300)}")["drained"] is False
        assert since(began) < life(20) * PATIENCE
        s.signal(SIGTERM)
        assert is_cut(pending)
    assert s.wait() == 0
    assert since(began) < life(20) * PATIENCE + LEAST


# S44


def test_s44_an_early_sigkill_leaves_neither_processes_nor_half_a_state(sluice, tmp_path):
    log = tmp_path / "termination-log"
    log.write_text("")
    more = {"terminationLog": str(log)}
    s = start(sluice, more=more, ex=example(stop=STOP), f=fake())
    s.expected_codes = {-SIGKILL}
    with s.client() as c:
        pids = [int(c.text("f__pid")), int(c.text("ex__pid"))]
    with long_call(s) as pending:
        s.signal(SIGTERM)
        s.log.wait("phase", to="lame_duck")
        time.sleep(life(5))
        s.signal(SIGKILL)  # the grace period was cut from 30 s to 5 s; no second signal tells
        assert s.wait() == -SIGKILL
        with pytest.raises(Exception):
            pending.join()
    wait_until(lambda: not any(map(is_alive, pids)), what="the end of the servers")
    assert log.read_text() == "", "no half of a last word"
    assert start(sluice, more=more).terminate() == 0
    assert json.loads(log.read_text())["exit_code"] == 0


# S56


def test_s56_a_kubelet_that_was_restarted_drains_only_once(sluice):
    s = start(sluice)
    began = time.monotonic()
    with s.client() as c:
        pending = c.in_background(call(1, "ex__sleep", {"ms": round(life(12) * 1000)}), 30 * PATIENCE)
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        first = hook(s, "?hook=1")
        time.sleep(life(3))
        second = hook(s, "?hook=1")
        assert second["budget_left_ms"] <= first["budget_left_ms"] - life(3) * 1000 + 50, "T0 stays where it was"
        s.signal(SIGTERM)
        s.log.wait("shutdown_started")
        third = hook(s, "?hook=1")  # StopContainer comes again too; containerd sends no second signal
        assert third["budget_left_ms"] <= second["budget_left_ms"]
        body = hook(s, "?hook=1&wait=1&timeout=1h")
        assert body["drained"] is True
        assert text_of(unwrap(pending.join())) == "slept"
    assert s.wait() == 0
    assert since(began) < life(30) * PATIENCE
    assert len(s.log.find("shutdown_started")) == 1 and len(s.log.find("phase", to="lame_duck")) == 1
    assert s.last_line()["forced"] is False and s.last_line()["completed"] == 1
