"""/metrics: valid, complete, and right: numbers add up exactly, whatever happens."""

import os
import pathlib
import re
import signal
import threading
import time

import pytest

from harness import PATIENCE, ROOT, example, fake, kill_and_wait, servers, wait_until
from mcp_client import RpcError, call
from metrics import Metrics, scrape


def start(sluice, *args, **entries):
    return sluice.http(servers(**entries), *args, admin="127.0.0.1:0")


def assert_adds_up(m):
    accepted, ended = m.value("sluice_calls_accepted_total"), m.total("sluice_calls_total")
    assert accepted == ended + m.value("sluice_calls_in_flight"), m.text
    for name in {dict(key)["backend"] for key in m.samples["sluice_backend_calls_total"]}:
        of_backend = m.total("sluice_backend_calls_total", backend=name)
        assert of_backend == m.value("sluice_backend_call_duration_seconds_count", backend=name)
        assert m.total("sluice_backend_state", backend=name) == 1
    assert m.total("sluice_phase") == 1


# What the checker itself must refuse.
@pytest.mark.parametrize(
    "text",
    [
        "x 1\n",
        "# HELP x X.\n# TYPE x gauge\nx 1\nx 1\n",
        "# HELP x X.\n# TYPE x gauge\nx 1\n# HELP x X.\n",
        "# HELP x X.\n# TYPE x counter\nx 1\n",
        '# HELP x X.\n# TYPE x gauge\nx{a="b} 1\n',
        '# HELP x X.\n# TYPE x gauge\nx{a="b",a="c"} 1\n',
        "# HELP x X.\n# TYPE x gauge\ny 1\n",
        '# HELP x_seconds X.\n# TYPE x_seconds histogram\nx_seconds_bucket{le="1"} 2\nx_seconds_bucket{le="+Inf"} 1\n'
        "x_seconds_sum 1\nx_seconds_count 1\n",
        '# HELP x_seconds X.\n# TYPE x_seconds histogram\nx_seconds_bucket{le="+Inf"} 2\nx_seconds_sum 1\nx_seconds_count 1\n',
        "# HELP x X.\n# TYPE x gauge\nx 1",
    ],
)
def test_the_checker_refuses(text):
    with pytest.raises((AssertionError, KeyError)):
        Metrics(text)


def test_calls_are_counted_by_server_and_end(sluice):
    s = start(sluice, a=example(), b=fake(tools=["echo", "sleep"]), more=example(startup="lazy"))
    with s.client() as c:
        before = scrape(s)
        assert_adds_up(before)
        for _ in range(3):
            c.text("a__echo", {"text": "x"})
        c.call("b__echo", {"text": "x"})
        for tool in ("a__nothing_like_it", "nobody__echo"):
            with pytest.raises(RpcError):
                c.call(tool)
        slow = c.in_background(call(901, "a__sleep", {"ms": 1500}))
        wait_until(lambda: scrape(s).value("sluice_backend_calls_in_flight", backend="a") == 1)
        now = scrape(s)
        assert_adds_up(now)
        assert now.value("sluice_calls_in_flight") == 1
        slow.join()
        after = scrape(s)
    assert_adds_up(after)
    assert after.value("sluice_backend_calls_total", backend="a", end="result") == 4
    assert after.value("sluice_backend_calls_total", backend="a", end="error") == 1
    assert after.value("sluice_backend_calls_total", backend="b", end="result") == 1
    assert after.total("sluice_backend_calls_total", backend="more") == 0
    assert after.total("sluice_backend_calls_total", end="result") <= after.value("sluice_calls_total", end="result")
    assert after.value("sluice_calls_total", end="invalid") == 1
    assert after.value("sluice_backend_call_duration_seconds_sum", backend="a") >= 1.49
    assert after.value("sluice_backend_call_duration_seconds_bucket", backend="a", le="1") <= 4
    assert after.value("sluice_backend_call_duration_seconds_bucket", backend="a", le="600") == 5
    assert after.value("sluice_sessions") == 1
    assert after.value("sluice_backend_start_duration_seconds_count", backend="a") == 1
    assert after.value("sluice_backend_start_duration_seconds_count", backend="more") == 0
    assert after.value("sluice_backend_state", backend="more", state="stopped") == 1


def test_the_death_of_a_server_shows(sluice):
    s = start(sluice, a=example())
    with s.client() as c:
        pid = s.get("/status", admin=True).json()["backends"][0]["pid"]
        cut = c.in_background(call(1, "a__sleep", {"ms": 20000}))
        wait_until(lambda: scrape(s).value("sluice_calls_in_flight") == 1)
        kill_and_wait(pid)
        assert cut.join()["error"]["data"]["reason"] == "backend_exited"
        wait_until(lambda: scrape(s).value("sluice_backend_state", backend="a", state="ready") == 1)
    m = scrape(s)
    assert_adds_up(m)
    assert m.value("sluice_backend_calls_total", backend="a", end="backend_exited") == 1
    assert m.value("sluice_backend_calls_cut_total", backend="a", outcome="unknown") == 1
    assert m.value("sluice_calls_cut_total", outcome="unknown") == 1
    assert m.value("sluice_backend_starts_total", backend="a") == 2
    assert m.value("sluice_backend_restarts_total", backend="a") == 1
    assert m.value("sluice_backend_start_duration_seconds_count", backend="a") == 2
    assert m.value("sluice_child_processes_started_total") == 2
    assert m.value("sluice_child_processes") == 1
    assert m.value("sluice_child_processes_ended_total", step="none") == 1


def test_stop_steps_and_a_reload(sluice):
    """Three servers that are taken away leave on three different steps, and the counts of one that is replaced go on."""
    stop = {"eof": "100ms", "term": "100ms"}
    stays = dict(
        kept=example(),
        eof=example(stop=stop),
        term=fake({"ignore_eof": True}, more={"stop": stop}),
        kill=fake({"ignore_eof": True, "ignore_term": True}, more={"stop": stop}),
    )
    path = sluice.write(servers(**stays), "live.json")
    s = sluice.run(
        *("serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--config", path, "--log-format", "json")
    )
    s.wait_listening(True).wait_ready()
    with s.client() as c:
        c.text("kept__echo", {"text": "x"})
        before = scrape(s)
        path.write_text(sluice.write(servers(kept=example("--tools", "3"))).read_text())
        s.signal(signal.SIGHUP)
        wait_until(lambda: scrape(s).total("sluice_child_processes_ended_total") >= 4, 10)
        wait_until(lambda: scrape(s).value("sluice_backend_state", backend="kept", state="ready") == 1)
        c.text("kept__echo", {"text": "x"})
        m = scrape(s)
        path.write_text("{")
        s.signal(signal.SIGHUP)
        wait_until(lambda: scrape(s).value("sluice_config_last_reload_successful") == 0)
    assert_adds_up(m)
    assert m.value("sluice_child_processes_ended_total", step="eof") == 2  # and the one that was replaced
    assert [m.value("sluice_child_processes_ended_total", step=step) for step in ("none", "term", "kill")] == [0, 1, 1]
    for step in ("eof", "term", "kill"):
        count = m.value("sluice_backend_stop_duration_seconds_count", step=step)
        assert count == m.value("sluice_child_processes_ended_total", step=step)
    assert 0.19 <= m.value("sluice_backend_stop_duration_seconds_sum", step="kill") < 5 * PATIENCE
    assert m.value("sluice_backend_calls_total", backend="kept", end="result") == 2
    assert m.value("sluice_backend_starts_total", backend="kept") == 2
    assert not any("term" == dict(key).get("backend") for _, key in m.series())
    assert m.value("sluice_config_reloads_total", result="applied") == before.value("sluice_config_reloads_total", result="applied") + 1
    assert m.value("sluice_signals_received_total", signal="SIGHUP") == 1
    assert scrape(s).value("sluice_config_reloads_total", result="refused") >= 1


def test_a_drain_is_told_to_the_very_end(sluice):
    """Scraped as fast as it goes until nobody listens: every answer is whole, and the last ones tell of the end."""
    slow_to_leave = fake({"ignore_eof": True}, more={"stop": {"eof": "600ms", "term": "2s"}})
    config = servers(lifecycle={"lameDuck": {"min": "300ms", "quiet": "0s", "max": "300ms"}}, a=example(), b=slow_to_leave)
    s = sluice.http(config, admin="127.0.0.1:0")
    seen, faults = [], []

    def watch():
        while s.process.poll() is None:
            try:
                seen.append(scrape(s))
            except OSError:
                return
            except AssertionError as e:
                if s.process.poll() is None and "no answer" not in str(e):
                    faults.append(e)
                return

    with s.client() as c, s.client() as late:
        done = c.in_background(call(1, "a__sleep", {"ms": 900}))
        wait_until(lambda: scrape(s).value("sluice_calls_in_flight") == 1)
        thread = threading.Thread(target=watch)
        thread.start()
        s.signal(signal.SIGTERM)
        wait_until(lambda: seen and seen[-1].value("sluice_phase", phase="draining") == 1)
        with late.fork() as newcomer:  # its own connection has ended: it rested
            refused = newcomer.post(call(2, "a__echo", {"text": "x"}))
        assert refused.status == 503
        assert "result" in done.join()
    assert s.wait() == 0
    thread.join()
    assert not faults, faults[0]
    phases = [next(dict(k)["phase"] for k, v in m.samples["sluice_phase"].items() if v) for m in seen]
    assert phases == sorted(phases, key=["ready", "lame_duck", "draining", "stopping_backends", "exiting"].index)
    assert phases[-1] in ("stopping_backends", "exiting")
    for m in seen:
        assert_adds_up(m)
    last, words = seen[-1], s.last_line()
    assert last.value("sluice_calls_in_flight") == 0
    assert last.value("sluice_calls_refused_total", reason="draining") == words["refused"] == 1
    assert last.value("sluice_signals_received_total", signal="SIGTERM") == 1
    assert last.value("sluice_backend_calls_total", backend="a", end="result") == 1
    assert last.value("sluice_late_connections_total") <= words["late_connections"]


def test_streams_parked_calls_and_refusals_show(sluice):
    s = sluice.http(
        servers(limits={"maxInFlight": 1}, a=fake(tools=["ask", "sleep"])), admin="127.0.0.1:0"
    )
    with s.client() as c:
        stream = c.get_stream()
        wait_until(lambda: scrape(s).value("sluice_streams") == 1)
        slow = c.in_background(call(1, "a__sleep", {"ms": 500}))
        wait_until(lambda: scrape(s).value("sluice_calls_in_flight") == 1)
        with pytest.raises((RpcError, AssertionError)):
            c.call("a__sleep", {"ms": 1})
        slow.join()
        c.delete()  # a stream whose connection has ended is kept for a while, for a client that comes back
        wait_until(lambda: scrape(s).value("sluice_streams") == 0)
        stream.connection.close()
    m = scrape(s)
    assert m.value("sluice_calls_refused_total", reason="overloaded") == 1
    assert m.value("sluice_calls_in_flight_limit") == 1
    assert_adds_up(m)


def test_the_process_says_what_it_uses(sluice):
    s = start(sluice, a=example())
    m = scrape(s)
    assert abs(m.value("process_start_time_seconds") - time.time()) < 60 * PATIENCE
    assert m.value("process_open_fds") == pytest.approx(len(os.listdir(f"/proc/{s.pid}/fd")), abs=3)
    resident = int(pathlib.Path(f"/proc/{s.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    assert m.value("process_resident_memory_bytes") == pytest.approx(resident, rel=0.3)
    assert 0 < m.value("process_open_fds") < m.value("process_max_fds")
    assert m.value("process_threads") >= 1
    assert m.value("sluice_connections", port="admin") == 1
    assert m.value("sluice_loop_turn_duration_seconds_count") > 0
    assert m.value("sluice_build_info", version=s.health()["version"]) == 1
    assert scrape(s).value("sluice_http_requests_total", port="admin") == m.value("sluice_http_requests_total", port="admin") + 1


def test_connections_to_servers_are_counted(sluice):
    inner = sluice.http(servers(e=example()))
    s = start(sluice, web={"url": f"http://{inner.address}/mcp"})
    with s.client() as c:
        assert c.text("web__e__echo", {"text": "x"}) == "x"
    m = scrape(s)
    assert m.value("sluice_http_client_requests_total") >= 3
    assert m.value("sluice_http_client_connections_opened_total") >= 1
    assert m.total("sluice_http_client_connections") >= 1
    assert m.value("sluice_backend_calls_total", backend="web", end="result") == 1


# ---- what is written about them ----


def documented():
    """{name: (type, labels)} of the tables in docs/operations.md."""
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `((?:sluice|process)_\w+)(?:\{([\w, ]+)\})?` \| (\w+) \| (.+) \|$", text, re.M)
    names = [name for name, *_ in rows]
    assert len(names) == len(set(names)), "a metric is explained twice"
    return {name: (kind, set(labels.replace(" ", "").split(",")) - {""}) for name, labels, kind, _ in rows}


def test_the_documentation_and_the_metrics_agree(sluice):
    m = scrape(start(sluice, a=example()))
    labels = m.label_names()
    assert documented() == {name: (kind, labels[name]) for name, kind in m.types.items()}


DEPLOY = [ROOT / "deploy" / "grafana" / "sluice.json", ROOT / "deploy" / "prometheus" / "rules.yaml"]


@pytest.mark.parametrize("path", DEPLOY, ids=lambda p: p.name)
def test_what_is_deployed_asks_for_metrics_that_exist(sluice, path):
    m = scrape(start(sluice, a=example()))
    exists = set(m.samples)
    asked = set(re.findall(r"\b(?:sluice|process)_[a-z_]+", path.read_text()))
    assert asked, f"{path} asks for nothing"
    recorded = set(re.findall(r"record: (\S+)", path.read_text()))
    assert asked - exists - recorded == set()
