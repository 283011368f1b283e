"""S53, S54 and S55: the words at the end come whatever the log, the disk and the wall clock do, and hold up nothing."""

import json
import os
import pty
import resource
import statistics
import subprocess
import threading
import time
from datetime import datetime
from signal import SIGINT, SIGQUIT, SIGTERM

import pytest

import faults
import harness
from harness import BINARY, NO_LAME_DUCK, PATIENCE, clean_env, example, fake, known_children, servers, wait_until
from mcp_client import call, text_of, unwrap
from scale import dur, life
from unshare import UNSHARE

LIFECYCLE = {"gracePeriod": dur(30), "margin": dur(2), "lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}


class PausingLog(harness.Log):
    """A reader of the log that can be told to stop reading."""

    def __init__(self, pipe):
        self.reading = threading.Event()
        self.reading.set()
        super().__init__(pipe)

    def _read(self, pipe):
        super()._read(Gated(pipe, self.reading))


class Gated:
    def __init__(self, pipe, gate):
        self.pipe, self.gate = pipe, gate

    def __iter__(self):
        for line in self.pipe:
            yield line
            self.gate.wait()

    def close(self):
        self.pipe.close()


@pytest.fixture
def talkative(sluice, monkeypatch):
    """A gateway that logs every trifle, and whose log's reader can be stopped."""
    monkeypatch.setattr(harness, "Log", PausingLog)
    s = sluice.http(servers(ex=example(), lifecycle=LIFECYCLE), "--log-level", "trace", admin="127.0.0.1:0")
    yield s
    s.log.reading.set()


def dropped(s):
    for line in s.get("/metrics", admin=True).body.decode().splitlines():
        if line.startswith("sluice_log_dropped_lines_total "):
            return int(line.split()[1])
    raise AssertionError("no such metric")


def latencies(c, n):
    """Milliseconds of so many calls, one after another."""
    times = []
    for i in range(n):
        start = time.monotonic()
        assert c.text("ex__echo", {"text": f"{i} " + "x" * 100}) == f"{i} " + "x" * 100
        times.append((time.monotonic() - start) * 1000)
    return times


def fill(s, c):
    """Nobody reads, and the room for waiting lines is used up."""
    s.log.reading.clear()
    for _ in range(100):
        latencies(c, 100)
        if dropped(s) > 0:
            return
    raise AssertionError("the log takes line after line although nobody reads it")


# S53: the reader of the log stands still


def test_s53_a_log_that_nobody_reads_slows_no_call(talkative):
    s = talkative
    with s.client() as c:
        read = latencies(c, 500)
        fill(s, c)
        unread = latencies(c, 500)
        print(f"p50 {statistics.median(read):.2f} ms, unread {statistics.median(unread):.2f} ms; p99 {sorted(read)[494]:.2f} and {sorted(unread)[494]:.2f} ms")
        assert statistics.median(unread) < statistics.median(read) * 2 + 2 * PATIENCE
        s.log.reading.set()
    assert s.terminate() == 0


def test_s53_a_log_that_nobody_reads_holds_up_the_end_for_a_second_at_the_most(talkative):
    s = talkative
    with s.client() as c:
        fill(s, c)
        pending = c.in_background(call("late", "ex__sleep", {"ms": 200}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        start = time.monotonic()
        s.signal(SIGTERM)
        assert text_of(unwrap(pending.join())) == "slept"
        assert s.process.wait(10 * PATIENCE) == 0
        assert time.monotonic() - start < 0.2 + 1 + 1 * PATIENCE
    s.log.reading.set()
    s.log.thread.join(2 * PATIENCE)
    assert s.log.strange == [], "what is in the pipe are whole lines"


def test_s53_a_reader_that_comes_back_for_the_drain_gets_the_last_line_and_the_number_of_those_lost(talkative):
    s = talkative
    with s.client() as c:
        fill(s, c)
        lost = dropped(s)
        s.signal(SIGTERM)
        s.log.reading.set()
        assert s.wait() == 0
    assert s.log.events[-1]["event"] == "shutdown_complete"
    assert s.last_line()["log_lines_dropped"] >= lost
    assert sum(e["lines"] for e in s.log.find("log_dropped")) == s.last_line()["log_lines_dropped"]


def test_s53_the_wait_for_the_reader_ends_before_the_kubelet_comes(sluice, monkeypatch):
    """All of the budget is used by a stubborn server; what is left of the margin is less than a second."""
    monkeypatch.setattr(harness, "Log", PausingLog)
    lifecycle = {"gracePeriod": "2s", "margin": "400ms", "lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}
    stubborn = fake(ignore_eof=True, ignore_term=True, more={"stop": {"eof": "10s", "term": "10s"}})
    s = sluice.http(servers(ex=example(), f=stubborn, lifecycle=lifecycle), "--log-level", "trace", admin="127.0.0.1:0")
    with s.client() as c:
        pending = c.in_background(call("long", "f__sleep", {"ms": 60000}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        fill(s, c)
        start = time.monotonic()
        s.signal(SIGTERM)
        code = s.process.wait(10 * PATIENCE)
        seconds = time.monotonic() - start
        s.log.reading.set()
        assert code == 0 and seconds < 1.8 + 0.2 * PATIENCE, "of its own accord, and before 2 s"
        pending.thread.join(1)


@pytest.mark.parametrize("kind", ["closed", "/dev/null", "/dev/full", "file", "file at its limit", "terminal", "socket nobody reads"])
def test_s53_a_stderr_of_any_kind_is_as_good(sluice, tmp_path, kind):
    path = sluice.write(servers(ex=example(), lifecycle={**NO_LAME_DUCK, "terminationLog": str(tmp_path / "words")}))
    (tmp_path / "words").write_text("")
    command = [str(BINARY), "serve", "--config", str(path), "--log-level", "trace"]
    ours, theirs = [], subprocess.DEVNULL
    limit = None
    if kind == "closed":
        command = ["sh", "-c", 'exec "$0" "$@" 2>&-', *command]
    elif kind.startswith("/dev/"):
        theirs = os.open(kind, os.O_WRONLY)
    elif kind == "terminal":
        ours, theirs = pty.openpty()
    elif kind.startswith("file"):
        theirs = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
        limit = 2000 if "limit" in kind else None
    else:
        import socket

        a, b = socket.socketpair()
        ours, theirs = a.detach(), b.detach()

    def set_limit():
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, env=clean_env(), preexec_fn=set_limit)
    known_children.add(p.pid)
    try:
        c = harness.McpStdio(p.stdout, p.stdin).initialize()
        for n in range(1000):
            assert c.text("ex__echo", {"text": "x"}) == "x"
        start = time.monotonic()
        p.stdin.close()
        assert p.wait(5 * PATIENCE) == 0
        assert time.monotonic() - start < 1 + 1 * PATIENCE
        if "limit" not in kind:
            assert json.loads((tmp_path / "words").read_text())["reason"] == "stdin_eof"
    finally:
        p.kill()
        p.wait()
        known_children.discard(p.pid)
        for fd in (ours, theirs):
            if isinstance(fd, int) and fd >= 0:
                os.close(fd)


# S54: the termination log cannot be written


def make_a_place(kind, tmp_path):
    path = tmp_path / "words"
    if kind == "a directory":
        path.mkdir()
    elif kind == "a fifo nobody reads":
        os.mkfifo(path)
    elif kind == "one that is read only":
        return "/proc/version"
    elif kind == "a full disk":
        return "/dev/full"
    elif kind == "below a file":
        path.write_text("")
        return str(path / "words")
    return str(path)


@pytest.mark.parametrize("kind", ["missing", "a directory", "a fifo nobody reads", "one that is read only", "a full disk", "below a file"])
def test_s54_a_termination_log_that_cannot_be_written_changes_nothing(sluice, tmp_path, kind):
    place = make_a_place(kind, tmp_path)
    s = sluice.http(servers(ex=example(), lifecycle={**LIFECYCLE, "terminationLog": place}))
    start = time.monotonic()
    assert s.terminate() == 0
    assert time.monotonic() - start < 1.5 * PATIENCE
    assert s.last_line()["exit_code"] == 0
    assert os.path.exists(place) == (kind not in ("missing", "below a file")), "it is not made"


# every way to the end has its words


def words(path):
    text = path.read_text()
    assert len(text) <= 4096, "Kubernetes cuts at that"
    (line,) = text.splitlines()
    return json.loads(line)


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "words"
    path.write_text("the words of the one before, longer than ours are going to be " * 30)
    return path


@pytest.mark.parametrize("way", ["normal", "fast", "SIGQUIT", "stdin_eof"])
def test_the_words_are_there_on_every_way_out(sluice, place, way):
    config = servers(ex=example(), lifecycle={**LIFECYCLE, "terminationLog": str(place)})
    s = sluice.stdio(config) if way == "stdin_eof" else sluice.http(config)
    if way == "stdin_eof":
        s.stdio_client().initialize()
        s.process.stdin.close()
    elif way == "SIGQUIT":
        s.signal(SIGQUIT)
    else:
        with s.client() as c:
            c.in_background(call(1, "ex__sleep", {"ms": 60000 if way == "fast" else 100}))
            wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
            s.signal(SIGTERM)
            s.log.wait("phase", to="draining")
            if way == "fast":
                s.signal(SIGINT)
    assert s.wait() == 0
    said, logged = words(place), s.last_line()
    assert s.log.events[-1] == logged
    assert {k: logged[k] for k in said} == said
    assert said["reason"] == ("SIGTERM" if way in ("normal", "fast") else way)
    assert said["forced"] == (way in ("fast", "SIGQUIT"))


def test_a_port_that_is_taken_is_told_in_the_last_words(sluice, place):
    config = servers(ex=example(), lifecycle={**LIFECYCLE, "terminationLog": str(place)})
    first = sluice.http(config)
    code, _, err = sluice.output("serve", "--http", first.address, "--admin", "off", "--config", sluice.write(config), "--log-format", "json")
    assert code == 69
    last = json.loads(err.splitlines()[-1])
    assert last["event"] == "shutdown_complete" and last["reason"] == "fatal"
    said = words(place)
    assert (said["exit_code"], said["reason"]) == (69, "fatal") and first.address in said["error"]


def test_the_start_deadline_is_told_in_the_last_words(sluice, place):
    lifecycle = {**LIFECYCLE, "startDeadline": "300ms", "terminationLog": str(place)}
    s = sluice.http(servers(must=fake(dumb=True, more={"startup": "required"}), lifecycle=lifecycle), ready=False)
    s.expected_codes = {69}
    assert s.wait() == 69
    assert (words(place)["exit_code"], words(place)["reason"]) == (69, "fatal")


def test_a_fault_of_the_configuration_is_told_in_the_last_words(sluice, tmp_path):
    """In the place that Kubernetes gives to them, for where else they should go is not known."""
    if os.geteuid() != 0:
        pytest.skip("needs the right to make a mount namespace")
    path = sluice.write({"mcpServers": {"ex": {"comand": "true"}}})
    script = (
        "mount -t tmpfs none /dev && mknod /dev/null c 1 3 && : >/dev/termination-log || exit 99\n"
        '"$0" serve --http 127.0.0.1:0 --config "$1" 2>/dev/null </dev/null; echo $?; cat /dev/termination-log'
    )
    done = subprocess.run([*UNSHARE, "--mount", "sh", "-c", script, str(BINARY), str(path)], capture_output=True, env=clean_env(), timeout=20 * PATIENCE)
    if done.returncode == 99:
        pytest.skip("may not mount here")
    code, line = done.stdout.decode().splitlines()
    said = json.loads(line)
    assert code == "78" and (said["exit_code"], said["reason"]) == (78, "fatal")
    assert "mcpServers.ex.comand" in said["error"] and "command" in said["error"]


# S55: the wall clock jumps


@pytest.mark.parametrize("jump", [faults.CLOCK_FORWARD, faults.CLOCK_BACK], ids=["an hour forward", "an hour back"])
def test_s55_a_jump_of_the_wall_clock_in_the_drain_changes_nothing(sluice, jump):
    lifecycle = {"gracePeriod": dur(30), "margin": dur(2), "lameDuck": {"min": dur(5), "quiet": dur(2), "max": dur(10)}}
    s = sluice.http(servers(f=fake(more={"requestTimeout": dur(60)}), lifecycle=lifecycle), env=faults.with_faults())
    with s.client() as c:
        pending = c.in_background(call("late", "f__sleep", {"ms": life(8) * 1000}), timeout=60)
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        start = time.monotonic()
        s.signal(SIGTERM)
        s.log.wait("shutdown_started")
        s.signal(jump)
        with s.raw_client() as d:
            d.session, d.revision = c.session, c.revision
            assert d.text("f__echo", {"text": "the session is still good"}) == "the session is still good"
        assert text_of(unwrap(pending.join())) == "slept"
        assert s.wait(30) == 0
        seconds = time.monotonic() - start
    assert life(7) < seconds < life(12) + 2 * PATIENCE
    last = s.last_line()
    assert last["completed"] == 2 and last["aborted"] == 0 and abs(last["elapsed_ms"] / 1000 - seconds) < 1 * PATIENCE
    first = datetime.fromisoformat(s.log.find("shutdown_started")[0]["ts"][:-1])
    jumped = (datetime.fromisoformat(last["ts"][:-1]) - first).total_seconds()
    assert 3500 < abs(jumped) < 3700, "the clock did jump"
