"""A gateway that a client has started as its command. The official SDKs' clients close its stdin, send SIGTERM 2 s later
and SIGKILL 2 s after that; it must be gone before SIGKILL whatever its servers do, for that would leave them behind.
These are the clients' times, so nothing here is scaled."""

import subprocess
import time
from signal import SIGTERM

import pytest

from harness import PATIENCE, example, fake, servers
from mcp_client import call, dumps, initialize_params, notification, request, text_of, unwrap

TERM_AFTER_S = 2
KILL_AFTER_S = 2

STUBBORN = {"ignore_eof": True, "ignore_term": True}
DEAF = {"ignore_eof": True}


def start(sluice, lifecycle=None, **entries):
    s = sluice.stdio(servers(lifecycle=lifecycle or {}, **entries))
    return s, s.stdio_client().initialize()


def leave(s):
    """What the clients do when they close. Returns the seconds from the end of stdin to the exit."""
    begun = time.monotonic()
    s.process.stdin.close()
    try:
        s.process.wait(TERM_AFTER_S)
    except subprocess.TimeoutExpired:
        s.signal(SIGTERM)
        try:
            s.process.wait(KILL_AFTER_S * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("SIGKILL would have come:\n" + s.log.text()) from None
    seconds = time.monotonic() - begun
    assert s.process.returncode == 0
    return seconds


def test_good_servers_and_nothing_in_flight_need_no_signal(sluice):
    s, c = start(sluice, a=example(), b=fake())
    c.text("a__echo", {"text": "x"})
    assert leave(s) < 1 * PATIENCE
    last = s.last_line()
    assert (last["reason"], last["backends_stopped"], last["backends_killed"], last["forced"]) == ("stdin_eof", 2, 0, False)


@pytest.mark.parametrize("knobs", [DEAF, STUBBORN], ids=["deaf", "stubborn"])
@pytest.mark.parametrize("stop", [{}, {"stop": {"eof": "10s", "term": "10s"}}], ids=["default", "patient"])
def test_servers_that_do_not_leave_are_gone_before_the_client_loses_patience(sluice, knobs, stop):
    s, c = start(sluice, **{f"f{i}": fake(knobs, more=stop) for i in range(5)})
    c.text("f0__echo", {"text": "x"})
    assert leave(s) < TERM_AFTER_S + 1.5 * PATIENCE


def test_a_call_in_flight_has_its_error_before_the_client_loses_patience(sluice):
    s, c = start(sluice, f=fake(STUBBORN))
    c.send(call("long", "f__sleep", {"ms": 600000}))
    c.text("f__echo", {"text": "the call before has arrived"})
    assert leave(s) < TERM_AFTER_S + 1.8 * PATIENCE
    data = c.answer_of("long")["error"]["data"]
    assert (data["reason"], data["outcome"]) == ("draining", "unknown")
    assert s.last_line()["aborted"] == 1


def test_a_call_that_waits_for_a_start_is_refused_before_the_client_loses_patience(sluice):
    s, c = start(sluice, f=fake(STUBBORN, dumb=True, more={"startup": "lazy"}))
    c.send(call("waits", "f__echo", {"text": "x"}))
    assert leave(s) < TERM_AFTER_S + 1.8 * PATIENCE
    data = c.answer_of("waits")["error"]["data"]
    assert (data["reason"], data["outcome"]) == ("draining", "not_sent")


def test_grandchildren_that_hold_on_are_gone_too(sluice):
    """The harness looks for who is left behind."""
    s, c = start(sluice, f=fake(STUBBORN))
    c.call("f__script", {"steps": [{"fork": 3, "holds_stdout": True}, {"fork": 2, "same_group": True}, {"answer": "done"}]})
    assert leave(s) < TERM_AFTER_S + 1.8 * PATIENCE


def unread(sluice, answers=8, **entries):
    """A client that has asked for more than the pipe takes, and never reads an answer."""
    s = sluice.stdio(servers(lifecycle={}, ex=example(), **entries))
    messages = [request(0, "initialize", initialize_params()), notification("notifications/initialized")]
    messages += [call(n, "ex__big", {"bytes": 400_000}) for n in range(1, answers + 1)]
    for m in messages:
        s.process.stdin.write(dumps(m).encode() + b"\n")
    s.process.stdin.flush()
    s.log.wait("phase", to="ready")
    time.sleep(0.5)
    return s


def test_a_client_that_does_not_read_holds_nothing_up_and_what_it_did_not_take_is_not_completed(sluice):
    """Its end of file stands behind what is not read from it either; its SIGTERM is the second request all the same."""
    s = unread(sluice)
    assert leave(s) < TERM_AFTER_S + 1.9 * PATIENCE
    last = s.last_line()
    assert (last["reason"], last["forced"]) == ("stdin_eof", True)
    assert last["aborted"] > 4 and last["completed"] + last["aborted"] <= 8


def test_a_client_that_does_not_read_and_stubborn_servers_hold_nothing_up(sluice):
    s = unread(sluice, f=fake(STUBBORN))
    s.process.stdin.write(dumps(call("long", "f__sleep", {"ms": 600000})).encode() + b"\n")
    assert leave(s) < TERM_AFTER_S + 1.9 * PATIENCE
    assert s.last_line()["backends_killed"] == 1


def test_a_client_that_stops_reading_after_its_end_of_file_holds_nothing_up(sluice):
    """SIGTERM then comes when the servers are gone and only stdout is waited for."""
    s = unread(sluice, answers=1)
    begun = time.monotonic()
    assert leave(s) < TERM_AFTER_S + 1.9 * PATIENCE
    assert time.monotonic() - begun >= TERM_AFTER_S, "the answer was waited for"
    assert s.log.find("phase", to="exiting"), "it had seen the end of file"
    assert s.last_line()["aborted"] == 1


def test_a_client_that_reads_late_has_all_its_answers(sluice):
    s = unread(sluice)
    s.process.stdin.close()
    time.sleep(1)
    c = s.stdio_client()
    for n in range(1, 9):
        assert len(text_of(unwrap(c.answer_of(n)))) == 400_000
    assert s.wait() == 0
    last = s.last_line()
    assert (last["aborted"], last["forced"]) == (0, False)
