"""S31, S32, S36 and S39: signals, one after another, of every kind, in a storm, and a process that is stopped for a
while. What they mean is section 5 of the contract."""

import os
import time
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2

import pytest

from harness import PATIENCE, children_of, descendants_of, example, fake, is_alive, servers, wait_until
from mcp_client import call, text_of, unwrap
from scale import dur, life

LAME_DUCK = {"min": dur(5), "quiet": dur(2), "max": dur(10)}
LIFECYCLE = {"gracePeriod": dur(30), "margin": dur(2), "lameDuck": LAME_DUCK}
STUBBORN = {"ignore_eof": True, "ignore_term": True, "more": {"stop": {"eof": dur(10), "term": dur(10)}}}


def busy_gateway(sluice, tool="f__sleep", ms=60000, lifecycle=LIFECYCLE, **entries):
    """A gateway with a call in flight: (gateway, the call)."""
    s = sluice.http(servers(lifecycle=lifecycle, **{"f": fake(**STUBBORN), **entries}))
    c = s.client()
    pending = c.in_background(call("old", tool, {"ms": ms}), timeout=60)
    wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
    c.close()
    return s, pending


def phases(s):
    return [e["to"] for e in s.log.find("phase")]


# S31: the second and the third


def times_of(record):
    """When the server saw the end of its stdin and SIGTERM."""
    lines = [line.split(" ", 1) for line in record.read_text().splitlines()]
    return {what: float(at) for at, what in lines if what in ("EOF", "TERM")}


def test_s31_a_second_sigterm_in_lame_duck_skips_to_the_drain_and_makes_it_short(sluice, tmp_path):
    record = tmp_path / "record"
    s, pending = busy_gateway(sluice, lifecycle={"lameDuck": {"min": "20s", "max": "20s"}}, f=fake(record=str(record), **STUBBORN))
    s.signal(SIGTERM)
    s.log.wait("phase", to="lame_duck")
    start = time.monotonic()
    s.signal(SIGTERM)
    s.log.wait("phase", to="draining", why="second_signal")
    error = pending.join()["error"]
    assert 0.9 < time.monotonic() - start < 1.6 * PATIENCE, "calls get 1 s more"
    assert (error["data"]["reason"], error["data"]["outcome"]) == ("draining", "unknown")
    assert s.wait() == 0
    assert time.monotonic() - start < 2.5 * PATIENCE, "SIGKILL after 500 ms"
    at = times_of(record)
    assert abs(at["TERM"] - at["EOF"]) < 0.2 * PATIENCE, "EOF and SIGTERM together"
    last = s.last_line()
    assert last["forced"] is True and last["backends_killed"] == 1 and last["aborted"] == 1
    assert phases(s) == ["ready", "lame_duck", "draining", "stopping_backends", "exiting"], "each once"


def test_s31_a_second_sigterm_while_draining_makes_it_short(sluice):
    s, pending = busy_gateway(sluice, lifecycle={"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}})
    s.signal(SIGTERM)
    s.log.wait("phase", to="draining")
    start = time.monotonic()
    s.signal(SIGTERM)
    assert pending.join()["error"]["data"]["reason"] == "draining"
    assert s.wait() == 0
    assert 0.9 < time.monotonic() - start < 2.5 * PATIENCE
    assert len(s.log.find("shutdown_started")) == 1 and len(s.log.find("shutdown_complete")) == 1


def test_s31_a_second_signal_while_servers_stop_makes_that_short(sluice):
    slow_to_stop = {"ignore_eof": True, "ignore_term": True, "more": {"stop": {"eof": "5s", "term": "5s"}}}
    s = sluice.http(servers(f=fake(**slow_to_stop)))
    s.signal(SIGTERM)
    s.log.wait("phase", to="stopping_backends")
    start = time.monotonic()
    s.signal(SIGTERM)
    assert s.wait() == 0
    assert 0.4 < time.monotonic() - start < 1.6 * PATIENCE
    assert s.last_line()["backends_killed"] == 1


def test_s31_two_hundred_signals_run_the_shutdown_once(sluice):
    s, pending = busy_gateway(sluice)
    s.signal(SIGTERM)
    s.log.wait("shutdown_started")  # signals that arrive together count as one (signal(7)): the rest must be a second one
    for _ in range(199):
        try:
            s.signal(SIGTERM)
        except ProcessLookupError:
            break
    assert s.wait() == 0
    for event in ("shutdown_started", "shutdown_complete"):
        assert len(s.log.find(event)) == 1, event
    with pytest.raises((OSError, AssertionError, Exception)):
        unwrap(pending.join(2))


def test_s31_sigterm_while_starting_gives_a_server_that_is_not_up_half_a_second(sluice, tmp_path):
    record = tmp_path / "record"
    must = fake(dumb=True, record=str(record), ignore_eof=True, ignore_term=True, more={"startup": "required"})
    s = sluice.http(servers(must=must, lifecycle={}), ready=False)
    wait_until(lambda: record.exists() and "initialize" in record.read_text(), what="a start that is under way")
    start = time.monotonic()
    s.signal(SIGTERM)
    assert s.wait() == 0
    assert 0.45 < time.monotonic() - start < 1.5 * PATIENCE
    at = times_of(record)
    assert abs(at["TERM"] - at["EOF"]) < 0.2 * PATIENCE, "EOF and SIGTERM together"
    assert "lame_duck" not in phases(s)
    assert s.last_line()["backends_killed"] == 1 and s.last_line()["exit_code"] == 0


# S32: one of each kind


def test_s32_sigint_is_sigterm_without_lame_duck(sluice):
    s, pending = busy_gateway(sluice, tool="ex__sleep", ms=600, ex=example(), f=fake())
    s.signal(SIGINT)
    assert text_of(unwrap(pending.join())) == "slept", "a person has patience, too"
    assert s.wait() == 0
    assert "lame_duck" not in phases(s)
    last = s.last_line()
    assert (last["reason"], last["completed"], last["forced"]) == ("SIGINT", 1, False)


def test_s32_sigint_twice_is_fast(sluice):
    s, pending = busy_gateway(sluice)
    s.signal(SIGINT)
    s.log.wait("phase", to="draining")
    start = time.monotonic()
    s.signal(SIGINT)
    assert pending.join()["error"]["data"]["reason"] == "draining"
    assert s.wait() == 0
    assert time.monotonic() - start < 2.5 * PATIENCE and s.last_line()["forced"] is True


@pytest.mark.parametrize("phase", ["ready", "lame_duck", "draining", "stopping_backends"])
def test_s32_sigquit_ends_it_now_in_any_phase(sluice, phase):
    lame_duck = {"min": "20s", "max": "20s"} if phase == "lame_duck" else {"min": "0s", "quiet": "0s", "max": "0s"}
    s, _ = busy_gateway(sluice, ms=60000 if phase != "stopping_backends" else 100, lifecycle={"lameDuck": lame_duck})
    family = descendants_of(s.pid)
    if phase != "ready":
        s.signal(SIGTERM)
        s.log.wait("phase", to=phase)
    start = time.monotonic()
    s.signal(SIGQUIT)
    assert s.wait() == 0
    assert time.monotonic() - start < 1 * PATIENCE
    wait_until(lambda: not any(map(is_alive, family)), what="the end of the servers")
    last = s.last_line()
    assert last["forced"] is True and last["exit_code"] == 0
    assert last["reason"] == ("SIGQUIT" if phase == "ready" else "SIGTERM")
    assert last["elapsed_ms"] < 10000 * PATIENCE and last["budget_ms"] > 0


def test_s32_a_third_signal_ends_it_now(sluice):
    s, _ = busy_gateway(sluice, lifecycle={"lameDuck": {"min": "20s", "max": "20s"}})
    for number, why in ((SIGTERM, "SIGTERM"), (SIGINT, "second_signal")):
        s.signal(number)
        s.log.wait("phase", why=why)
    start = time.monotonic()
    s.signal(SIGTERM)
    assert s.wait() == 0
    assert time.monotonic() - start < 0.8 * PATIENCE, "sooner than the second that calls have"


def test_s32_sighup_is_ignored_while_draining(sluice):
    s, pending = busy_gateway(sluice, tool="ex__sleep", ms=700, ex=example(), f=fake(), lifecycle={"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}})
    s.signal(SIGTERM)
    s.log.wait("phase", to="draining")
    for _ in range(20):
        s.signal(SIGHUP)
    s.log.wait("signal", signo=int(SIGHUP))
    assert text_of(unwrap(pending.join())) == "slept"
    assert s.wait() == 0
    assert s.last_line()["forced"] is False and phases(s).count("draining") == 1


@pytest.mark.parametrize("number", [SIGUSR1, SIGUSR2, SIGPIPE])
def test_s32_signals_that_mean_nothing_change_nothing(sluice, number):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}))
    with s.client() as c:
        pid = c.text("ex__pid")
        for _ in range(20):
            s.signal(number)
        assert c.text("ex__pid") == pid
        pending = c.in_background(call(1, "ex__sleep", {"ms": 500}))
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        s.signal(SIGTERM)
        s.log.wait("phase", to="draining")
        s.signal(number)
        assert text_of(unwrap(pending.join())) == "slept"
    assert s.wait() == 0


def test_s32_a_server_starts_with_every_signal_at_its_default(sluice):
    """What Sluice ignores or blocks is no business of its servers."""
    s = sluice.http(servers(ex=example()))
    (pid,) = children_of(s.pid)
    with open(f"/proc/{pid}/status") as f:
        masks = {line.split()[0]: int(line.split()[1], 16) for line in f if line.startswith(("SigBlk:", "SigIgn:"))}
    assert masks == {"SigBlk:": 0, "SigIgn:": 0}


# S36: SIGTERM in a storm of SIGCHLD

STORM = 50


def test_s36_fifty_servers_that_end_at_once_are_all_reaped_with_their_statuses(sluice):
    s = sluice.http(servers(lifecycle=LIFECYCLE, **{f"n{i}": example() for i in range(STORM)}))
    pids = children_of(s.pid)
    assert len(pids) == STORM
    victims = pids[::2]
    for pid in victims:
        os.kill(pid, SIGKILL)
    s.signal(SIGTERM)
    assert s.wait(30) == 0
    died = {e["pid"]: e for e in s.log.find("child_exited")}
    assert set(pids) <= set(died)
    assert all(died[pid].get("signal") == SIGKILL for pid in victims), "its own status, nobody else's"
    assert all(died[pid].get("code") == 0 for pid in pids if pid not in victims)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids), "no zombie is left"
    assert s.last_line()["backends_killed"] == 0, "not by us"


# S39: stopped for 5 s


def test_s39_who_was_stopped_for_a_while_times_no_answer_out_and_keeps_its_deadline(sluice):
    """Answers that came during the stop are read before their timeouts, which are over by then, can fire."""
    patient = {"requestTimeout": dur(6), "stop": {"eof": dur(1), "term": dur(1)}}
    s = sluice.http(servers(
        lifecycle={**LIFECYCLE, "lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}},
        **{f"f{n}": fake(more={**patient}) for n in range(4)},
        long=fake(more={"requestTimeout": dur(120), "stop": {"eof": dur(1), "term": dur(1)}}),
    ))
    c = s.client(timeout=60)
    pending = [c.in_background(call(f"{n}.{i}", f"f{n}__sleep", {"ms": life(3) * 1000})) for n in range(4) for i in range(5)]
    cut = c.in_background(call("long", "long__sleep", {"ms": life(100) * 1000}))
    wait_until(lambda: s.health()["in_flight"] == 21, what="the calls in flight")
    start = time.monotonic()
    s.signal(SIGTERM)
    s.log.wait("phase", to="draining")
    s.signal(SIGSTOP)
    time.sleep(life(7))  # all answers are written, all timeouts have passed
    s.signal(SIGCONT)
    assert [text_of(unwrap(p.join())) for p in pending] == ["slept"] * 20
    assert cut.join()["error"]["data"]["reason"] == "draining"
    assert s.wait() == 0
    assert time.monotonic() - start < life(30) + 0.7 * PATIENCE, "by the clock that ran on meanwhile"
    last = s.last_line()
    assert (last["completed"], last["aborted"]) == (20, 1)
    c.close()
