"""The start: probes, servers that hold readiness up or do not, and a stop in the middle of it."""

import signal
import time

import pytest

from harness import NO_LAME_DUCK, PATIENCE, example, fake, servers, wait_until


def test_a_required_server_holds_readiness_and_is_named(sluice):
    s = sluice.http(servers(must=example("--slow-start", 900, startup="required"), ex=example()), ready=False)
    r = s.get("/readyz")
    assert r.status == 503 and b"must" in r.body
    r = s.get("/startupz")
    assert r.status == 503 and b"must" in r.body and b'"ex"' not in r.body
    assert s.get("/livez").status == 200 and s.get("/health").json()["status"] == "starting"
    s.wait_ready()
    assert s.get("/startupz").status == 200


def test_an_eager_server_holds_it_only_until_it_was_tried(sluice):
    s = sluice.http(servers(may=fake(dumb=True, more={"startupTimeout": "500ms"}), ex=example()), ready=False)
    start = time.monotonic()
    s.wait_ready()
    assert time.monotonic() - start < 3 * PATIENCE
    assert s.health()["status"] == "degraded" and s.health()["backends_connected"] == 1


def test_a_lazy_server_holds_nothing(sluice):
    s = sluice.http(servers(lazy=fake(dumb=True, more={"startup": "lazy"})))
    assert s.get("/startupz").status == 200


def test_no_servers_at_all_is_ready_too(sluice):
    s = sluice.http(servers())
    with s.client() as c:
        assert c.request("ping") == {}


@pytest.mark.slow
def test_an_eager_server_that_is_never_done_holds_it_5_seconds(sluice):
    s = sluice.http(servers(may=fake(dumb=True)), ready=False)
    start = time.monotonic()
    s.wait_ready(8)
    assert 4 < time.monotonic() - start < 7 * PATIENCE


def test_a_start_deadline_ends_with_69(sluice):
    s = sluice.http(servers(must=fake(dumb=True, more={"startup": "required"}), lifecycle={**NO_LAME_DUCK, "startDeadline": "500ms"}), ready=False)
    s.expected_codes = {69}
    code, seconds = s.timed_wait()
    assert code == 69 and seconds < 3 * PATIENCE


def test_without_a_start_deadline_it_keeps_trying(sluice, tmp_path):
    counter = tmp_path / "count"
    s = sluice.http(servers(must=fake(fail_starts=3, counter=str(counter), more={"startup": "required"})), ready=False)
    s.wait_ready(15)
    assert len(counter.read_text()) == 4


def blocks_sigterm(pid):
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("SigBlk:"):
                return int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1
    except OSError:
        return False


@pytest.mark.parametrize("after_ms", [0, 1, 3, 10, 30, 80, 150])
def test_sigterm_at_any_moment_of_the_start_ends_it_with_0(sluice, after_ms):
    s = sluice.run(
        *("serve", "--http", "127.0.0.1:0", "--admin", "off", "--log-format", "json", "--config"),
        sluice.write(servers(ex=example(), f=fake(start_delay=0.05), slow=fake(dumb=True), lifecycle={})),
    )
    wait_until(lambda: blocks_sigterm(s.pid), what="main")
    time.sleep(after_ms / 1000)
    s.signal(signal.SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 2 * PATIENCE, "no lame-duck while starting"


def test_sigterm_while_a_server_starts_stops_it_fast(sluice, tmp_path):
    record = tmp_path / "record"
    s = sluice.http(servers(f=fake(dumb=True, record=str(record), more={"startup": "required"}), lifecycle={}), ready=False)
    wait_until(lambda: record.exists() and "initialize" in record.read_text(), what="the start")
    s.signal(signal.SIGTERM)
    code, seconds = s.timed_wait()
    assert code == 0 and seconds < 1.5 * PATIENCE
