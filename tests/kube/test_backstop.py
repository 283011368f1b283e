"""The loop hangs: the process ends all the same, in time, with 70, nobody left behind and a word to the operator."""

import json
import os
import subprocess
import time
from datetime import datetime
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM

import pytest

import faults
import places
from harness import BINARY, PATIENCE, Log, children_of, descendants_of, example, fake, is_alive, known_children, servers, wait_until
from http_client import Connection
from scale import dur, life

STRIKES = 29  # G 30 s, margin 2 s: at T0 + G - margin / 2


def config(tmp_path, **entries):
    path = tmp_path / "termination-log"
    path.write_text("what the last one said, and a bit more than will be said now" * 10)
    lame_duck = {"min": dur(5), "quiet": dur(2), "max": dur(10)}
    lifecycle = {"gracePeriod": dur(30), "margin": dur(2), "lameDuck": lame_duck, "terminationLog": str(path)}
    return servers(lifecycle=lifecycle, **{"ex": example(), "f": fake(ignore_eof=True, ignore_term=True), **entries})


def start(sluice, tmp_path, **entries):
    s = sluice.http(config(tmp_path, **entries), env=faults.with_faults(), admin="127.0.0.1:0")
    s.expected_codes = {70}
    return s


def check_end(s, since, tmp_path, callback):
    assert s.wait(life(STRIKES) + 5) == 70
    assert life(STRIKES) * 0.98 <= time.monotonic() - since <= life(STRIKES) + 1 * PATIENCE
    (event,) = s.log.find("backstop")
    assert (event["level"], event["reason"], event["exit_code"], event["forced"]) == ("error", "fatal", 70, True)
    assert event["callback"] == callback and abs(event["elapsed_ms"] / 1000 - life(STRIKES)) < 0.5 * PATIENCE
    (line,) = (tmp_path / "termination-log").read_text().splitlines()
    assert json.loads(line) == event


WAYS = pytest.mark.parametrize("way", [faults.BUSY, faults.FULL_PIPE], ids=["busy", "full pipe"])


@WAYS
def test_a_loop_that_hangs_after_sigterm_is_ended_before_the_kubelet_does_it(sluice, tmp_path, way):
    s = start(sluice, tmp_path)
    family = descendants_of(s.pid)
    assert len(family) == 2
    since = time.monotonic()
    s.signal(SIGTERM)
    s.log.wait("phase", to="lame_duck")
    faults.hang(s, way)
    check_end(s, since, tmp_path, "listener.c:listener_ready")
    assert s.log.find("backstop")[0]["groups_killed"] == 2
    wait_until(lambda: not any(map(is_alive, family)), what="the end of the servers")


@WAYS
def test_a_loop_that_hangs_before_sigterm_is_ended_as_well(sluice, tmp_path, way):
    s = start(sluice, tmp_path)
    family = descendants_of(s.pid)
    faults.hang(s, way)
    time.sleep(life(5))
    assert s.process.poll() is None, "to hang is no reason to end: who asks for it?"
    since = time.monotonic()
    s.signal(SIGTERM)
    check_end(s, since, tmp_path, "listener.c:listener_ready")
    wait_until(lambda: not any(map(is_alive, family)), what="the end of the servers")


def test_a_grace_period_that_a_reload_has_changed_counts(sluice, tmp_path):
    short = config(tmp_path)
    short["lifecycle"]["gracePeriod"] = dur(12)
    s = sluice.http(short, env=faults.with_faults())
    s.expected_codes = {70}
    sluice.write(config(tmp_path), "servers-1.json")
    s.signal(SIGHUP)
    s.log.wait("reloaded")
    faults.hang(s, faults.BUSY)
    since = time.monotonic()
    s.signal(SIGTERM)
    check_end(s, since, tmp_path, "listener.c:listener_ready")


@pytest.mark.parametrize("before", [True, False], ids=["before SIGTERM", "after SIGTERM"])
def test_main_suspended_by_a_child_that_hangs_before_exec_is_ended(sluice, tmp_path, before):
    """No signal but SIGKILL gets through to main in that state."""
    place = tmp_path / "hangs"
    place.mkdir()
    s = start(sluice, tmp_path, late=example(cwd=str(place), startup="lazy"))
    family = descendants_of(s.pid)
    c = s.client()
    since = time.monotonic()
    if not before:
        s.signal(SIGTERM)
        s.log.wait("phase", to="lame_duck")
    pending = c.in_background({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "late__echo", "arguments": {}}})
    wait_until(lambda: len(descendants_of(s.pid)) == 3, what="the child on its way to exec")
    family = descendants_of(s.pid)
    if before:
        time.sleep(life(2))
        since = time.monotonic()
        s.signal(SIGTERM)
    assert s.wait(life(STRIKES) + 5) == 70
    assert life(STRIKES) * 0.98 <= time.monotonic() - since <= life(STRIKES) + 1 * PATIENCE
    assert s.log.find("backstop")[0]["groups_killed"] == 2
    wait_until(lambda: not any(map(is_alive, family)), what="the end of all of them")
    pending.thread.join(1)


def test_a_second_signal_brings_it_forward(sluice, tmp_path):
    s = start(sluice, tmp_path)
    with s.client() as c:
        c.in_background({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ex__sleep", "arguments": {"ms": 60000}}})
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        s.signal(SIGTERM)
        s.log.wait("phase", to="lame_duck")
        since = time.monotonic()
        s.signal(SIGINT)
        s.log.wait("phase", why="second_signal")
        faults.hang(s, faults.BUSY)
        assert s.wait() == 70
        # 1 s for calls, 0.75 s for the servers, neither of which is scaled, but never later than planned; then half the margin
        planned = min(1 + 0.75 + life(1), life(STRIKES))
        assert planned * 0.95 <= time.monotonic() - since <= planned + 1 * PATIENCE


def test_a_loop_that_is_late_counts_its_budget_from_the_signal_on(sluice, tmp_path):
    """It stands still while SIGTERM comes, then goes on: the kubelet's clock did not wait."""
    s = start(sluice, tmp_path)
    s.expected_codes = {0}
    faults.hang(s, faults.STALL)  # 400 ms
    time.sleep(0.05)
    s.signal(SIGTERM)
    assert s.wait(life(30)) == 0
    (started,), last = s.log.find("shutdown_started"), s.last_line()
    took = datetime.fromisoformat(last["ts"][:-1]) - datetime.fromisoformat(started["ts"][:-1])
    assert last["elapsed_ms"] - took.total_seconds() * 1000 >= 150, "what passed before main read the signal counts"
    stalled = s.log.find("loop_stalled")[0]
    assert stalled["callback"] == "listener.c:listener_ready" and 380 <= stalled["took_ms"] < 2000 * PATIENCE


def test_a_stall_is_told_and_counted(sluice, tmp_path):
    s = start(sluice, tmp_path)
    s.expected_codes = {0}
    faults.hang(s, faults.STALL)
    s.log.wait("loop_stalled", callback="listener.c:listener_ready")
    assert b"\nsluice_loop_stalls_total 1\n" in s.get("/metrics", admin=True).body


def test_as_pid_1_it_ends_by_itself_too(sluice, tmp_path):
    """Where no default action of a signal reaches it, and the end of it is the end of all in its namespace."""
    if os.geteuid() != 0:
        pytest.skip("needs the right to make a pid namespace")
    command = [*places.OWN_PROC, str(BINARY), "serve", "--http", "127.0.0.1:0", "--admin", "off"]
    command += ["--log-format", "json", "--config", str(sluice.write(config(tmp_path)))]
    p = subprocess.Popen(command, env=faults.with_faults(), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    known_children.add(p.pid)
    try:
        log = Log(p.stderr)
        address = log.wait("listening", 10)["address"]
        log.wait("phase", 10, to="ready")
        (inner,) = children_of(p.pid)
        family = descendants_of(inner)
        assert len(family) == 2
        os.kill(inner, faults.BUSY)
        Connection(address).close()
        since = time.monotonic()
        os.kill(inner, SIGTERM)
        assert p.wait((life(STRIKES) + 5) * PATIENCE) == 70
        assert life(STRIKES) * 0.98 <= time.monotonic() - since <= life(STRIKES) + 1 * PATIENCE
        wait_until(lambda: not any(map(is_alive, family)), what="the end of the servers")
        log.thread.join(2)
        assert log.find("backstop")[0]["groups_killed"] == 2
    finally:
        for pid in [*descendants_of(p.pid), p.pid]:
            try:
                os.kill(pid, SIGKILL)
            except ProcessLookupError:
                pass
        p.wait()
        known_children.discard(p.pid)
