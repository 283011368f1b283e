"""S19 to S25, S27 to S30, S33 and S37: servers that are polite, slow, stubborn, dead or too many, and who they leave
behind; wherever the gateway runs."""

import itertools
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import time
from signal import SIGKILL, SIGTERM

import pytest

import places
from harness import FAKE, NO_LAME_DUCK, PATIENCE, ROOT, children_of, command_of, descendants_of, example, fake, is_alive, kill_and_wait, servers, wait_until
from mcp_client import call
from scale import SCALE, dur, life

GRACE = {**NO_LAME_DUCK, "gracePeriod": "30s"}
STOP = {"eof": dur(2), "term": dur(2)}
FIRM = {"startup": "required", "stop": STOP}


def records(path, *words):
    """The times of what a fake server has recorded, by its first word."""
    lines = [line.split(None, 1) for line in path.read_text().splitlines()] if path.exists() else []
    return [(what.split()[0], float(at)) for at, what in lines if what.split()[0] in words]


def names(path, *words):
    return [word for word, _ in records(path, *words)]


def stop_counts(s):
    last = s.last_line()
    return last["backends_stopped"], last["backends_killed"]


def family_of(s, least):
    """All descendants, when there are that many."""
    return wait_until(lambda: (d := descendants_of(s.pid)) and len(d) >= least and d, what=f"a family of {least}")


def wait_for_calls(s, n):
    """Until so many are in flight, and their lines were written at the end of that turn."""
    wait_until(lambda: s.health()["in_flight"] == n, what=f"{n} calls in flight")
    assert s.get("/livez").status == 200


def still_alive(pids):
    return [(pid, command_of(pid)) for pid in pids if is_alive(pid)]


def noise(s):
    return [e for e in s.log.events if e["level"] in ("warn", "error")]


def place_of_event(s, event, **fields):
    return s.log.events.index(s.log.wait(event, **fields))


# S19 to S22: the ladder


def test_s19_a_good_server_leaves_at_the_end_of_its_stdin_and_gets_no_signal(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(ex=example(), f=fake(record=str(record)), lifecycle=GRACE))
    code, seconds = (s.signal(SIGTERM), s.timed_wait())[1]
    assert code == 0 and seconds < 1.5 * PATIENCE
    assert names(record, "EOF", "TERM") == ["EOF"] and stop_counts(s) == (2, 0)


def test_s19_a_server_that_says_10_mb_at_its_end_is_heard_out(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record), last_words=10_000_000, more={"stop": {"eof": "10s"}}), lifecycle=GRACE))
    s.signal(SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 5 * PATIENCE
    assert names(record, "EOF", "SAID", "TERM") == ["EOF", "SAID"] and stop_counts(s) == (1, 0)


def test_s19_calls_are_cancelled_and_lines_completed_before_the_stdin_closes(sluice, tmp_path):
    """The server sleeps in the middle of a request of 1 MB, which its pipe does not hold, over the point STOP."""
    record = tmp_path / "record"
    budget = {**NO_LAME_DUCK, "gracePeriod": f"{6 * PATIENCE}s"}  # STOP after 2.25 s; then 1.9 s for the end of stdin
    s = sluice.http(servers(f=fake(record=str(record), more={"stop": {"eof": "60s", "term": "2s"}}), lifecycle=budget))
    with s.client() as c:
        first = c.in_background(call(1, "f__script", {"steps": [{"block": 3000 * PATIENCE}]}))
        wait_until(lambda: "tools/call" in record.read_text(), what="the first call")
        second = c.in_background(call(2, "f__sleep", {"ms": 60000, "text": "x" * 1_000_000}))
        wait_for_calls(s, 2)
        s.signal(SIGTERM)
        reasons = [each.join()["error"]["data"]["reason"] for each in (first, second)]
    assert s.wait() == 0 and reasons == ["draining"] * 2
    got = [line.split(None, 1)[1] for line in record.read_text().splitlines()]
    assert got[-1] == "EOF" and stop_counts(s) == (1, 0)
    messages = [json.loads(line) for line in got[1:-1]]
    assert [m["method"] for m in messages[-4:]] == ["tools/call"] * 2 + ["notifications/cancelled"] * 2
    assert len(messages[-3]["params"]["arguments"]["text"]) == 1_000_000


def test_s20_a_server_that_ignores_the_end_of_its_stdin_gets_sigterm(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(record=str(record), ignore_eof=True, more=FIRM), lifecycle=GRACE))
    assert s.terminate() == 0
    (eof, at_eof), (term, at_term) = records(record, "EOF", "TERM")
    assert (eof, term) == ("EOF", "TERM") and at_term - at_eof > life(2) * 0.9
    assert stop_counts(s) == (1, 0)


def test_s21_twenty_stubborn_servers_cost_one_ladder(sluice):
    stubborn = {f"f{n}": fake(ignore_eof=True, ignore_term=True, more={**FIRM, "startupTimeout": "60s"}) for n in range(20)}
    s = sluice.http(servers(lifecycle={**GRACE, "strictExit": True}, **stubborn), ready=False)
    s.wait_ready(30)
    s.expected_codes = {75}
    s.signal(SIGTERM)
    code, seconds = s.timed_wait(30)
    assert code == 75 and stop_counts(s) == (0, 20)
    assert life(4) * 0.95 < seconds < life(4) + 2.5 * PATIENCE
    print(f"20 stubborn servers, a ladder of {life(4):.1f} s: {seconds:.2f} s from SIGTERM to exit")


def tree(knobs, **more):
    """A server behind a shell that does not hand signals on, as npx starts it."""
    command = [sys.executable, "-S", "-E", str(FAKE), json.dumps(knobs)]
    return {"command": "sh", "args": ["-c", '"$@"; exit $?', "sh", *command], **more}


@pytest.mark.parametrize("knobs", [{}, {"ignore_eof": True}, {"ignore_eof": True, "ignore_term": True}], ids=str)
def test_s22_the_whole_tree_of_a_wrapped_server_goes(sluice, knobs):
    s = sluice.http(servers(f=tree(knobs, **FIRM), lifecycle=GRACE))
    with s.client() as c:
        c.call("f__script", {"steps": [{"fork": 2, "holds_stdout": True}, {"fork": 1, "same_group": True}, {"answer": "ok"}]})
        family = family_of(s, 5)
    s.signal(SIGTERM)
    code, seconds = s.timed_wait(20)
    assert code == 0 and seconds < life(4) + 2 * PATIENCE
    assert still_alive(family) == [] and s.last_line()["orphans_reaped"] >= 2


def test_s22_a_wrapped_server_has_its_time_when_the_wrapper_leaves_at_once(sluice, tmp_path):
    """The shell dies of SIGTERM; what it has wrapped cleans up for longer than anybody waits for an output."""
    record = tmp_path / "record"
    script = f'exec 3<&0; (trap "sleep 0.8; echo done > {record}; exit" TERM; "$@" <&3 & wait) & wait'
    entry = tree({"ignore_eof": True}, stop={"eof": "100ms", "term": "10s"}, startup="required")
    entry["args"][1] = script
    s = sluice.http(servers(f=entry, lifecycle={**GRACE, "gracePeriod": "60s"}))
    assert s.terminate(timeout=15) == 0
    assert record.exists() and s.last_line()["backends_killed"] == 0


EVERYTHING = ROOT / "tests" / "sdk" / "node_modules" / ".bin" / "mcp-server-everything"


@pytest.mark.skipif(not EVERYTHING.exists() or not shutil.which("npx"), reason="npx and the packages of tests/sdk are not there")
def test_s22_npx_and_what_it_started_go_without_a_signal(sluice, tmp_path):
    entry = {"command": "npx", "args": ["--offline", "mcp-server-everything"], "cwd": str(ROOT / "tests" / "sdk"), "startup": "required"}
    s = sluice.http(servers(e={**entry, "env": {"npm_config_cache": str(tmp_path)}, "stop": {"eof": "10s"}}, lifecycle=GRACE), ready=False)
    s.wait_ready(40)
    with s.client() as c:
        assert c.text("e__echo", {"message": "hello"}) == "Echo: hello"
        family = family_of(s, 2)
    assert s.terminate() == 0
    assert still_alive(family) == [] and stop_counts(s) == (1, 0)


# S23 and S24: SIGTERM does not come to us alone, or not first


def signal_in_order(s, order):
    """What systemd does with KillMode=control-group: SIGTERM to everybody, in no order that one could rely on."""
    family = descendants_of(s.pid)
    pids = {"the gateway first": [s.pid, *family], "the servers first": [*family, s.pid], "the last one first": [*family[::-1], s.pid]}
    for pid in pids[order]:
        os.kill(pid, SIGTERM)


ORDERS = ["the gateway first", "the servers first", "the last one first"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("lame_duck", [0, 3], ids=["no lame-duck", "lame-duck"])
def test_s23_a_sigterm_for_the_whole_group_is_no_crash_of_anybody(sluice, tmp_path, order, lame_duck):
    record = tmp_path / "record"
    ducks = {"min": dur(lame_duck), "quiet": "0s", "max": dur(lame_duck)}
    kinds = {"dies": example(), "leaves": fake(term_code=0), "fails": fake(term_code=1, record=str(record))}
    s = sluice.http(servers(lifecycle={**GRACE, "lameDuck": ducks}, **kinds))
    with s.client() as c:
        calls = [c.in_background(call(name, f"{name}__sleep", {"ms": 60000})) for name in kinds]
        wait_for_calls(s, 3)
        signal_in_order(s, order)
        ends = [each.join()["error"]["data"] for each in calls]
    code, seconds = s.timed_wait(20)
    assert code == 0 and seconds < life(lame_duck) + 3 * PATIENCE
    assert {(e["reason"], e["outcome"]) for e in ends} <= {("backend_exited", "unknown"), ("draining", "unknown")}
    assert noise(s) == []
    starts = len(names(record, "START"))
    assert starts == 1 if lame_duck == 0 else 1 <= starts <= 2, "no restart storm"
    assert s.last_line()["aborted"] <= 3 and not s.last_line()["forced"], "some may have ended before the signal"


def test_s23_a_server_that_somebody_else_ended_is_a_crash_only_if_we_go_on(sluice):
    s = sluice.http(servers(f=fake(), lifecycle=GRACE))
    with s.client() as c:
        os.kill(int(c.text("f__pid")), SIGTERM)
        s.log.wait("backend_exited", level="info", how="exited with code 143")
        s.log.wait("backend_crashed", level="warn")
        assert c.text("f__echo", {"text": "back"}) == "back"
    assert s.terminate() == 0
    assert len(noise(s)) == 1


@pytest.mark.parametrize("after", [0.0, 0.1])
def test_s24_a_server_that_was_killed_just_before_is_not_started_again(sluice, after):
    s = sluice.http(servers(f=fake(more=FIRM), ex=example(), lifecycle=GRACE))
    with s.client() as c:
        pid = int(c.text("f__pid"))
    os.kill(pid, SIGKILL)
    time.sleep(after)
    s.signal(SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < life(4) + 2 * PATIENCE
    draining = place_of_event(s, "phase", to="draining")
    assert [e for e in s.log.events[draining:] if e["event"] == "child_started"] == []


def test_s24_a_call_that_waits_for_the_restart_ends_not_sent_when_draining_begins(sluice, tmp_path):
    knobs = {"fail_starts": 3, "counter": str(tmp_path / "counter")}
    s = sluice.http(servers(f=fake(knobs, more={"startup": "lazy"}), ex=example(), lifecycle=GRACE))
    with s.client() as c:
        waiting = c.in_background(call(1, "f__echo", {"text": "x"}))
        s.log.wait("backend_state", to="backoff", failures=3)  # the next try is 300 ms away
        s.signal(SIGTERM)
        data = waiting.join()["error"]["data"]
    assert s.wait() == 0
    assert (data["reason"], data["outcome"], data["retryable"]) == ("backend_unavailable", "not_sent", True)


# S25: SIGTERM in the middle of a start


@pytest.mark.parametrize("stubborn", [False, True])
def test_s25_a_server_that_has_not_answered_initialize_is_stopped_fast(sluice, tmp_path, stubborn):
    record = tmp_path / "record"
    knobs = {"dumb": True, "record": str(record), "ignore_eof": stubborn, "ignore_term": stubborn}
    s = sluice.http(servers(f=fake(knobs, more={"startup": "required"}), lifecycle={"gracePeriod": "30s"}), ready=False)
    wait_until(lambda: record.exists() and "initialize" in record.read_text(), what="the handshake")
    s.signal(SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < (0.5 if stubborn else 0) + 1 * PATIENCE
    assert stop_counts(s) == ((0, 1) if stubborn else (1, 0))


def test_s25_sigterm_at_any_moment_of_a_start_ends_it_with_0(sluice):
    """From the moment that the signal is blocked; what comes before it is S34's."""
    entries = {f"f{n}": fake(ignore_eof=n == 0, init_delay=n * 0.01, more={"stop": {"eof": "200ms"}}) for n in range(3)}
    config = sluice.write(servers(lifecycle=GRACE, **entries))
    for attempt in range(max(10, round(50 * SCALE))):
        s = sluice.run("serve", "--http", "127.0.0.1:0", "--admin", "off", "--config", config, "--log-format", "json")
        wait_until(lambda: blocks_sigterm(s.pid), what="the first statement of main")
        time.sleep(random.Random(attempt).random() * 0.15)
        s.signal(SIGTERM)
        code, seconds = s.timed_wait()
        assert code == 0 and seconds < 0.2 + 1 * PATIENCE
        s.stop()


def blocks_sigterm(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    blocked = next(line for line in status.splitlines() if line.startswith("SigBlk:"))
    return int(blocked.split()[1], 16) >> (SIGTERM - 1) & 1


# S27 to S30: while serving, and while it is bad


def peak_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


@pytest.mark.parametrize("where", ["stdout", "stderr"])
def test_s27_a_flood_without_a_line_feed_takes_bounded_memory_and_holds_up_no_exit(sluice, where):
    limits = {"maxMessageBytes": 1 << 20}
    lifecycle = {**NO_LAME_DUCK, "gracePeriod": dur(30)}
    s = sluice.http(servers(f=fake(ignore_term=True, more=FIRM), ex=example(), lifecycle=lifecycle, limits=limits))
    with s.client() as c:
        flood = c.in_background(call(1, "f__script", {"steps": [{"flood_for_ever": where}]}), timeout=life(30) + 5 * PATIENCE)
        wait_for_calls(s, 1)
        before = peak_kib(s.pid)
        assert c.text("ex__echo", {"text": "others are served"}) == "others are served"
        s.signal(SIGTERM)
        assert flood.join()["error"]["data"]["outcome"] == "unknown"
        assert peak_kib(s.pid) - before < 16 * 1024 * PATIENCE
    code, seconds = s.timed_wait(30)
    assert code == 0 and seconds < life(28) + 2 * PATIENCE
    assert stop_counts(s) == (1, 1)


def test_s28_a_server_that_the_kernel_kills_is_brought_back_and_nobody_else_notices(sluice):
    s = sluice.http(servers(victim=fake(), other=example(), lifecycle=GRACE))
    with s.client() as c:
        other = c.in_background(call("other", "other__sleep", {"ms": 1000}))
        lost = c.in_background(call("lost", "victim__sleep", {"ms": 60000}))
        wait_for_calls(s, 2)
        pid = int(c.text("victim__pid"))
        os.kill(pid, SIGKILL)
        data = lost.join()["error"]["data"]
        assert (data["reason"], data["outcome"]) == ("backend_exited", "unknown")
        assert int(c.text("victim__pid")) != pid
        assert "result" in other.join()
        s.log.wait("backend_crashed", how="killed by signal 9 (Killed)")
    assert s.terminate() == 0


def test_s29_without_descriptors_a_restart_is_tried_again_and_the_gateway_lives(sluice):
    s = sluice.http(servers(f=fake(), ex=example(), lifecycle=GRACE))
    with s.client() as c:
        assert c.text("ex__echo", {"text": "up"}) == "up"
        used = len(os.listdir(f"/proc/{s.pid}/fd"))
        limits = resource.prlimit(s.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(s.pid, resource.RLIMIT_NOFILE, (used - 2, limits[1]))
        os.kill(pid_of(s, "f"), SIGKILL)
        s.log.wait("backend_spawn_failed", count=2)
        assert c.text("ex__echo", {"text": "alive"}) == "alive"
        resource.prlimit(s.pid, resource.RLIMIT_NOFILE, limits)
        assert c.text("f__echo", {"text": "back"}) == "back"
    assert s.terminate() == 0


def pid_of(s, name):
    """The process of a server, from the log."""
    return [e["pid"] for e in s.log.find("child_started") if e["child"].startswith(f"{name}.")][-1]


PIDS = pathlib.Path("/sys/fs/cgroup/pids")


@pytest.fixture
def pids_cgroup():
    group = PIDS / f"sluice-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as e:
        pytest.skip(f"no cgroup with a limit of pids can be made here: {e}")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text(), what="an empty cgroup")
    group.rmdir()


def test_s29_at_the_limit_of_processes_a_restart_is_tried_again_and_the_gateway_lives(sluice, pids_cgroup):
    s = sluice.http(servers(f=fake(), ex=example(), lifecycle=GRACE))
    with s.client() as c:
        for pid in [s.pid, *descendants_of(s.pid)]:
            (pids_cgroup / "cgroup.procs").write_text(str(pid))
        limit = int((pids_cgroup / "pids.current").read_text()) - 1
        (pids_cgroup / "pids.max").write_text(str(limit))
        os.kill(pid_of(s, "f"), SIGKILL)
        failed = s.log.wait("backend_spawn_failed", count=2)
        assert "Resource temporarily unavailable" in json.dumps(failed)
        assert c.text("ex__echo", {"text": "alive"}) == "alive"
        assert s.get("/readyz").status == 200
        (pids_cgroup / "pids.max").write_text("max")
        assert c.text("f__echo", {"text": "back"}) == "back"
    assert s.terminate() == 0


def test_s30_a_server_that_fails_at_each_start_is_tried_less_and_less_often(sluice, tmp_path):
    record = tmp_path / "record"
    knobs = {"record": str(record), "die_on": {"initialize": 1}}
    s = sluice.http(servers(f=fake(knobs), ex=example(), lifecycle=GRACE))
    s.log.wait("backend_state", to="backoff", failures=5, timeout=15)
    times = [at for _, at in records(record, "START")]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len(gaps) == 4 and all(gap > 0.1 * 2**n * 0.75 for n, gap in enumerate(gaps)), gaps
    with s.client() as c:
        assert "error" in c.ask(call(1, "f__echo", {"text": "x"}))
    assert s.get("/readyz").status == 200, "it is not required"
    assert s.health()["status"] == "degraded"
    assert s.terminate() == 0


def test_s30_a_required_server_that_flaps_keeps_the_start_back_and_says_why(sluice):
    s = sluice.http(servers(f=fake(die_on={"initialize": 1}, more={"startup": "required"}), lifecycle=GRACE), ready=False)
    wait_until(lambda: b"f: backoff: exited with code 1" in s.get("/readyz").body, what="the reason")
    assert s.get("/readyz").status == 503
    assert s.get("/livez").status == 200
    assert s.terminate() == 0


def test_s30_thousands_of_ends_leave_no_zombie_and_no_descriptor(sluice):
    """1,000 cycles in real life: 10 servers that die after each answer."""
    flappers = {f"f{n}": example() for n in range(10)}
    s = sluice.http(servers(lifecycle=GRACE, **flappers))
    with s.client() as c:
        fds = len(os.listdir(f"/proc/{s.pid}/fd"))
        for _ in range(round(100 * SCALE)):
            for name in flappers:
                kill_and_wait(int(c.text(f"{name}__pid")))
        for name in flappers:
            assert c.text(f"{name}__echo", {"text": "still here"}) == "still here"
        wait_until(lambda: len(descendants_of(s.pid)) == 10 and all(map(is_alive, descendants_of(s.pid))), what="no zombies")
        assert len(os.listdir(f"/proc/{s.pid}/fd")) == fds
    assert s.terminate() == 0
    assert len(s.log.find("child_started")) == 10 + round(1000 * SCALE)


# S33 and S37, wherever it runs


@places.needs_namespaces
@pytest.mark.parametrize("place", places.PLACES)
def test_s33_nobody_and_no_port_is_left_when_the_gateway_is_killed(sluice, place):
    with places.started(sluice, servers(ex=example(), f=tree({}), lifecycle=GRACE), place) as s:
        s.expected_codes, s.allow_orphans = {-SIGKILL, 256 - SIGKILL, 1}, True
        s.allow_strange = True  # unshare complains, and ends with 1
        family = family_of(s, 3)
        os.kill(s.pid, SIGKILL)
        s.wait()
        wait_until(lambda: still_alive(family) == [], 2, "the end of the whole family")
        again = sluice.http(servers(ex=example(), lifecycle=GRACE), at=s.address)
        assert again.terminate() == 0


@places.needs_namespaces
@pytest.mark.parametrize("place", places.PLACES)
def test_s37_500_orphans_are_reaped_and_no_status_is_stolen(sluice, place):
    with places.started(sluice, servers(f=fake(), ends=fake(), lifecycle=GRACE), place) as s:
        with s.client() as c:
            for code in (3, 4, 5):
                orphans = c.fork().in_background(call(code, "f__script", {"steps": [{"orphans": 167}, {"answer": "ok"}]}))
                c.ask(call(code, "ends__script", {"steps": [{"exit": code}]}))
                orphans.join(30)
                s.log.wait("backend_exited", how=f"exited with code {code}")
            wait_until(lambda: len(descendants_of(s.pid)) == 2, 1, "no zombies")
        assert s.terminate() == 0
        assert s.last_line()["orphans_reaped"] >= 500


@places.needs_namespaces
@pytest.mark.parametrize("place", places.PLACES)
def test_the_ladder_works_wherever_the_gateway_runs(sluice, tmp_path, place):
    record = tmp_path / "record"
    kinds = {
        "good": fake(record=str(record)),
        "slow": fake(ignore_eof=True, more=FIRM),
        "stubborn": fake(ignore_eof=True, ignore_term=True, more=FIRM),
        "family": tree({}, **FIRM),
    }
    with places.started(sluice, servers(lifecycle=GRACE, **kinds), place) as s:
        with s.client() as c:
            c.call("family__script", {"steps": [{"fork": 3}, {"answer": "ok"}]})
            family = family_of(s, 8)
        os.kill(places.init_of(s) if place.startswith("under") else s.pid, SIGTERM)
        code, seconds = s.timed_wait(20)
        assert code == 0 and seconds < life(4) + 3 * PATIENCE
        assert stop_counts(s) == (3, 1) and names(record, "EOF", "TERM") == ["EOF"]
        wait_until(lambda: still_alive(family) == [], 2, "the end of the whole family")


# Strangers: what `kubectl exec` or another container has left behind


def left_behind_by_exec(s):
    """Two processes of a command that entered the namespace of the gateway and is gone: one lives on, one ends soon."""
    script = "setsid sleep 1000 & setsid sleep 0.05 & exit 0"
    subprocess.run(["nsenter", "--target", str(s.pid), "--pid", "--mount", "--root", "sh", "-c", script], check=True, stdin=subprocess.DEVNULL)


def sleeper_of(s):
    return [pid for pid in descendants_of(s.pid) if command_of(pid) == "sleep 1000"]


@places.needs_namespaces
@pytest.mark.parametrize("place", ["pid 1", "pid 1 with a foreign /proc"])
def test_a_stranger_is_reaped_but_not_killed_before_the_end(sluice, place):
    with places.started(sluice, servers(f=fake(), lifecycle=GRACE), place) as s:
        left_behind_by_exec(s)
        wait_until(lambda: sleeper_of(s) and len(descendants_of(s.pid)) == 2, what="one stranger reaped, the other not")
        (stranger,) = sleeper_of(s)
        with s.client() as c:  # an end and a restart, with their sweeps
            kill_and_wait(next(pid for pid in children_of(s.pid) if FAKE.name in command_of(pid)))
            assert c.text("f__echo", {"text": "back"}) == "back"
        time.sleep(1.2)  # longer than an orphan of a dead server would live
        assert is_alive(stranger)
        os.kill(s.pid, SIGTERM)
        assert s.wait() == 0
        assert not is_alive(stranger), "the namespace ends with its init"


@places.needs_namespaces
def test_a_process_of_another_container_of_the_pod_is_none_of_our_business(sluice):
    with places.pause() as (enter, init):
        s = places.start(sluice, servers(f=fake(), lifecycle=GRACE), enter)
        left_behind_by_exec(s)
        (stranger,) = wait_until(lambda: [pid for pid in children_of(init) if command_of(pid) == "sleep 1000"], what="the stranger")
        os.kill(s.pid, SIGTERM)
        assert s.wait() == 0
        assert is_alive(stranger) and is_alive(init)
        sluice.close()
