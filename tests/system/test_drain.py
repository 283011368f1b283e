"""/drain on the admin port and the command `sluice drain`: interface.md, sections 1 and 3."""

import contextlib
import signal
import threading
import time

import pytest

from harness import PATIENCE, clean_env, example, fake, servers, wait_until
from http_client import Closed, Connection
from mcp_client import call, text_of, unwrap

LAME = {"min": "300ms", "quiet": "100ms", "max": "1500ms"}
ADMIN = "127.0.0.1:0"


@pytest.fixture
def gateway(sluice):
    return sluice.http(servers(ex=example(), lifecycle={"lameDuck": LAME}), admin=ADMIN)


def drain(s, query="", method="POST", headers=(), body=b"", timeout=None):
    with Connection(s.admin) as c:
        return c.exchange(method, "/drain" + query, headers, body, timeout)


def in_background(work, *args, **more):
    """Runs it in a thread; the result is appended to the list that is returned with the thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work(*args, **more)), daemon=True)
    thread.start()
    return thread, results


@contextlib.contextmanager
def call_in_flight(s, ms=60000):
    with s.client() as c:
        pending = c.in_background(call("long", "ex__sleep", {"ms": ms}), 30 * PATIENCE)
        wait_until(lambda: s.health()["in_flight"] == 1, what="the call in flight")
        yield pending


def is_untouched(s):
    return s.get("/readyz").status == 200 and s.health()["phase"] == "ready"


# what it does


def test_a_drain_is_lame_duck_without_an_end(gateway):
    r = drain(gateway)
    assert r.status == 200 and r.header("content-type") == "application/json"
    body = r.json()
    assert (body["phase"], body["drained"], body["in_flight"]) == ("lame_duck", False, 0)
    assert body["since_ms"] >= 0 and "budget_left_ms" not in body
    time.sleep(2)  # longer than lameDuck.max
    assert gateway.get("/readyz").status == 503 and gateway.get("/livez").status == 200
    assert b'sluice_phase{phase="lame_duck"} 1' in gateway.get("/metrics", admin=True).body
    with gateway.client() as c:
        answer = c.post(call(1, "ex__echo", {"text": "served"}))
        assert text_of(unwrap(answer.json())) == "served" and answer.closes
    assert drain(gateway).json()["since_ms"] >= 2000


def test_a_get_with_the_header_will_do(gateway):
    assert drain(gateway, method="GET", headers={"Sluice-Drain": "1"}).json()["phase"] == "lame_duck"


@pytest.mark.parametrize("headers", [{}, {"Sluice-Drain": "0"}, {"Sluice-Drain": ""}])
def test_a_get_without_it_says_what_is_missing_and_does_nothing(gateway, headers):
    r = drain(gateway, "?cancel=0", "GET", headers)
    assert r.status in (403, 405) and b"Sluice-Drain: 1" in r.body
    assert is_untouched(gateway)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_verbs_get_405_and_do_nothing(gateway, method):
    r = drain(gateway, method=method, headers={"Sluice-Drain": "1"})
    assert r.status == 405 and r.header("allow") == "GET, POST"
    assert is_untouched(gateway)


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_a_foreign_origin_gets_403_and_does_nothing(gateway, headers):
    assert drain(gateway, headers=headers).status == 403
    assert is_untouched(gateway)


def test_a_foreign_host_gets_403_and_does_nothing(gateway):
    with Connection(gateway.admin) as c:
        c.send("POST /drain HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n")
        assert c.response().status == 403
    assert is_untouched(gateway)


def test_the_main_port_does_not_know_it(gateway):
    assert gateway.connect().exchange("POST", "/drain").status == 404
    assert is_untouched(gateway)


FAULTS = {
    "?no=1": "no",
    "?hook=yes": "hook",
    "?hook": "hook",
    "?wait=": "wait",
    "?wait=1&timeout=soon": "timeout",
    "?wait=1&timeout=-1s": "timeout",
    "?timeout=5s": "timeout",
    "?cancel=2": "cancel",
    "?cancel=1&hook=1": "cancel",
    "?cancel=1&wait=1": "cancel",
    "?cancel=1&wait=0&timeout=1s": "cancel",
    "?WAIT=1": "WAIT",
    "?%77ait=1": "%77ait",
}


@pytest.mark.parametrize("query", FAULTS)
def test_a_parameter_that_is_not_understood_is_named_and_nothing_is_done(gateway, query):
    r = drain(gateway, query)
    assert r.status == 400 and FAULTS[query].encode() in r.body
    assert is_untouched(gateway)


def test_parameters_in_a_body_are_refused_not_ignored(gateway):
    r = drain(gateway, headers={"Content-Type": "application/x-www-form-urlencoded"}, body=b"wait=1")
    assert r.status == 400 and b"query" in r.body
    assert is_untouched(gateway)


# the way back


def test_a_cancel_returns_to_ready_as_often_as_one_likes(gateway):
    for _ in range(2):
        drain(gateway)
        assert gateway.get("/readyz").status == 503
        for _ in range(2):
            r = drain(gateway, "?cancel=1")
            assert (r.status, r.json()["phase"], "since_ms" in r.json()) == (200, "ready", False)
        with gateway.client() as c:
            assert is_untouched(gateway) and not c.post(call(1, "ex__echo", {"text": "x"})).closes


def test_a_cancel_without_a_drain_changes_nothing(gateway):
    assert drain(gateway, "?cancel=1").json()["phase"] == "ready"


def test_a_cancel_after_sigterm_says_that_it_is_too_late(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "2s", "quiet": "0s", "max": "2s"}}), admin=ADMIN)
    drain(s)
    s.signal(signal.SIGTERM)
    s.log.wait("shutdown_started")
    r = drain(s, "?cancel=1")
    assert r.status == 409 and r.json()["phase"] == "lame_duck" and r.json()["budget_left_ms"] > 20000
    assert s.wait() == 0


# waiting


def test_a_wait_ends_when_lame_duck_would_have(gateway):
    start = time.monotonic()
    r = drain(gateway, "?wait=1")
    assert r.json()["drained"] is True and r.json()["phase"] == "lame_duck"
    assert 0.29 < time.monotonic() - start < 1.3 * PATIENCE
    start = time.monotonic()
    assert drain(gateway, "?wait=1").json()["drained"] is True
    assert time.monotonic() - start < 0.25 * PATIENCE, "it is drained already"


def test_a_wait_ends_with_the_last_call(gateway):
    with call_in_flight(gateway, 900) as pending:
        body = drain(gateway, "?wait=1&timeout=20s", timeout=20 * PATIENCE).json()
        assert (body["drained"], body["in_flight"]) == (True, 0)
        assert text_of(unwrap(pending.join())) == "slept"


def test_a_wait_has_an_end_and_says_that_it_is_not_drained(gateway):
    with call_in_flight(gateway):
        for query, least, most in (("?wait=1&timeout=400ms", 0.39, 1.2), ("?wait=1", 1.49, 3)):
            start = time.monotonic()
            body = drain(gateway, query).json()
            assert (body["drained"], body["in_flight"]) == (False, 1)
            assert least < time.monotonic() - start < most * PATIENCE


def test_a_wait_that_is_cancelled_hears_so(gateway):
    waiting, answers = in_background(drain, gateway, "?wait=1&timeout=30s")
    with call_in_flight(gateway):
        wait_until(lambda: gateway.health()["phase"] == "lame_duck", what="the drain")
        drain(gateway, "?cancel=1")
        waiting.join(5 * PATIENCE)
        assert answers and answers[0].json()["drained"] is False and answers[0].json()["phase"] == "ready"


def test_a_wait_after_sigterm_is_answered_before_the_end(gateway):
    with call_in_flight(gateway, 1500) as pending:
        gateway.signal(signal.SIGTERM)
        gateway.log.wait("phase", to="draining")
        body = drain(gateway, "?wait=1&timeout=30s", timeout=30 * PATIENCE).json()
        assert body["drained"] is True and body["in_flight"] == 0
        assert text_of(unwrap(pending.join())) == "slept"
    assert gateway.wait() == 0


def test_nobody_who_waits_keeps_the_process_from_ending(gateway):
    waiting = [in_background(drain, gateway, "?wait=1&timeout=1h", timeout=30 * PATIENCE) for _ in range(20)]
    with call_in_flight(gateway) as pending:
        wait_until(lambda: gateway.health()["phase"] == "lame_duck", what="the drain")
        start = time.monotonic()
        gateway.signal(signal.SIGTERM)
        time.sleep(0.1)
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert time.monotonic() - start < 4 * PATIENCE
        assert pending.join()["error"]["data"]["reason"] == "draining"
    for thread, answers in waiting:
        thread.join(5 * PATIENCE)
        assert answers and answers[0].status == 200


def test_too_many_who_wait_are_turned_away(gateway):
    with call_in_flight(gateway), contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(Connection(gateway.admin)) for _ in range(64)]
        for c in waiting:
            c.request("POST", "/drain?wait=1&timeout=1h")
        assert all(c.is_quiet(0.001) for c in waiting)
        wait_until(lambda: drain(gateway, "?wait=1&timeout=1ms").status == 503, what="the bound")
        assert drain(gateway).status == 200, "who does not wait is answered"
        waiting[0].reset()
        wait_until(lambda: drain(gateway, "?wait=1&timeout=1ms").status == 200, what="room after one has left")
    assert gateway.terminate(signal.SIGQUIT) == 0


def test_drains_are_neither_calls_nor_requests_that_prolong_lame_duck(sluice):
    s = sluice.http(servers(ex=example(), lifecycle={"lameDuck": {"min": "200ms", "quiet": "500ms", "max": "20s"}}), admin=ADMIN)
    s.signal(signal.SIGTERM)
    start = time.monotonic()
    with contextlib.suppress(OSError, Closed):
        while time.monotonic() - start < 10:
            assert drain(s).json()["in_flight"] == 0
            time.sleep(0.03)
    assert s.wait() == 0
    assert time.monotonic() - start < 4 * PATIENCE


def test_many_drains_at_once_are_one(gateway):
    waiting = [in_background(drain, gateway, query, timeout=10 * PATIENCE) for query in ["?wait=1&hook=1", "?hook=1", ""] * 10]
    for thread, answers in waiting:
        thread.join(10 * PATIENCE)
        assert answers and answers[0].status == 200
    assert len(gateway.log.find("phase", to="lame_duck")) == 1
    assert gateway.terminate() == 0
    assert len(gateway.log.find("shutdown_started")) == 1


def test_a_drain_before_the_start_is_over_is_answered_too(sluice):
    s = sluice.http(servers(must=fake(dumb=True, more={"startup": "required"}), lifecycle={}), ready=False, admin=ADMIN)
    assert drain(s, "?hook=1&wait=1").json()["drained"] is True
    assert s.get("/startupz").status == 503
    s.signal(signal.SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 1.5 * PATIENCE, "no lame-duck while starting"


def test_in_stdio_mode_there_is_a_drain_too(sluice):
    s = sluice.stdio(servers(ex=example()), "--admin", ADMIN)
    s.admin = s.log.wait("admin_listening")["address"]
    c = s.stdio_client().initialize()
    assert drain(s).json()["phase"] == "lame_duck"
    assert c.text("ex__echo", {"text": "served"}) == "served"
    s.process.stdin.close()
    assert s.wait() == 0


# the command


def test_the_command_drains_waits_and_cancels(sluice, gateway):
    at = ("drain", "--admin", gateway.admin)
    for _ in range(2):
        code, out, err = sluice.output(*at)
        assert (code, err) == (0, "") and "lame_duck" in out
    assert gateway.health()["phase"] == "lame_duck"
    code, out, err = sluice.output(*at, "--wait", "--hook")
    assert (code, err) == (0, "") and "in flight: 0" in out
    assert "budget_left_ms" in drain(gateway).json()
    code, out, err = sluice.output(*at, "--cancel")
    assert (code, err) == (0, "") and "ready" in out
    assert is_untouched(gateway)


def test_a_wait_of_the_command_that_ends_too_early_is_1(sluice, gateway):
    with call_in_flight(gateway):
        code, out, err = sluice.output("drain", "--admin", gateway.admin, "--wait", "--timeout", "300ms")
        assert code == 1 and out == "" and "not drained in time" in err and "in flight: 1" in err


def test_a_cancel_of_the_command_that_comes_too_late_is_1(sluice, gateway):
    with call_in_flight(gateway, 2000):
        gateway.signal(signal.SIGTERM)
        gateway.log.wait("shutdown_started")
        code, out, err = sluice.output("drain", "--admin", gateway.admin, "--cancel")
        assert code == 1 and out == "" and "too late" in err
    assert gateway.wait() == 0


def test_the_command_is_69_when_nobody_is_there(sluice, gateway):
    assert gateway.terminate() == 0
    code, out, err = sluice.output("drain", "--admin", gateway.admin, "--wait")
    assert code == 69 and out == "" and gateway.admin in err


@pytest.mark.parametrize(
    "args", [["--cancel", "--wait"], ["--cancel", "--hook"], ["--wait", "--timeout", "soon"], ["--admin", "off"], ["now"]], ids=" ".join
)
def test_wrong_usage_of_the_command_is_64(sluice, args):
    code, out, err = sluice.output("drain", *args)
    assert code == 64 and out == "" and err.startswith("sluice drain: ")


def test_the_command_needs_no_environment(sluice, gateway):
    code, out, err = sluice.output("drain", "--admin", gateway.admin, env={})
    assert (code, err) == (0, "")
    assert sluice.output("drain", "--help", env=clean_env())[0] == 0
