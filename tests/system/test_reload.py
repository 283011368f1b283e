"""The configuration changes while the gateway runs: by SIGHUP, and because a file of it has changed."""

import base64
import os
import threading
import time
from signal import SIGHUP

import pytest

from harness import PATIENCE, clean_env, example, fake, is_alive, servers, wait_until
from http_client import EventStream
from mcp_client import RpcError, call, text_of, unwrap
from reloading import Mount, Reloading, counts, dumps, replace


def sleeping(client, tool, ms):
    """A call that is at its server."""
    background = client.in_background(call(77, tool, {"ms": ms}))
    time.sleep(0.15 * PATIENCE)
    return background


def slept(background):
    return text_of(unwrap(background.join()))


def gone(pid):
    wait_until(lambda: not is_alive(pid), 10, f"the end of {pid}")


# servers


def test_servers_come_go_and_change_and_what_stays_is_not_touched(sluice):
    r = Reloading(sluice, servers(stays=fake(), goes=fake(), changes=fake(), times=fake()))
    before = r.backends()
    with r.s.client() as c:
        told = r.reload(servers(times=fake(more={"requestTimeout": "9s"}), comes=fake(), changes=fake(tools=["new"]), stays=fake()))
        assert counts(told) == (1, 1, 2, 1, 1)
        wait_until(lambda: "changes__new" in c.tool_names(), what="the new list")
        names = c.tool_names()
        assert [n.partition("__")[0] for n in names if n.endswith("__pid")] == ["times", "comes", "changes", "stays"]
        for name in ("stays", "times"):
            assert int(c.text(f"{name}__pid")) == before[name]["pid"]
        assert int(c.text("changes__pid")) != before["changes"]["pid"]
        assert int(c.text("comes__pid")) == r.pid("comes")
        with pytest.raises(RpcError) as e:
            c.call("goes__pid")
        assert e.value.code == -32602
    gone(before["goes"]["pid"]), gone(before["changes"]["pid"])
    r.s.log.wait("backend_removed", backend="goes")
    assert r.reloads("applied") == 1 and r.reloads("refused") == 0


def test_calls_in_flight_live_on_whatever_becomes_of_their_server(sluice):
    r = Reloading(sluice, servers(stays=fake(), goes=fake(), changes=fake()))
    pids = {name: b["pid"] for name, b in r.backends().items()}
    with r.s.client() as c:
        calls = [sleeping(c, f"{name}__sleep", 1200 * PATIENCE) for name in ("stays", "goes", "changes")]
        r.reload(servers(stays=fake(), changes=fake(tools=["new"])))
        assert int(c.text("changes__pid")) != pids["changes"]  # beside the old one, which still works
        assert all(map(is_alive, pids.values()))
        assert not any(b.done for b in calls)
        assert [slept(b) for b in calls] == ["slept"] * 3
    gone(pids["goes"]), gone(pids["changes"])
    assert is_alive(pids["stays"])


def test_the_path_and_the_stream_of_a_removed_server_end(sluice):
    r = Reloading(sluice, servers(goes=fake(), stays=fake()))
    with r.s.client("/mcp/server/goes") as c, r.s.client("/mcp/server/stays") as d:
        stream, kept = c.get_stream(), d.get_stream()
        assert isinstance(stream, EventStream)
        r.reload(servers(stays=fake(tools=["x"])))
        assert stream.next_message(5 * PATIENCE) is None
        assert c.post(call(1, "pid")).status == 404
        assert kept.next_message(5 * PATIENCE)["method"] == "notifications/tools/list_changed"
        assert "x" in d.tool_names()


def test_clients_hear_of_changed_lists_once_and_not_of_equal_ones(sluice):
    r = Reloading(sluice, servers(a=example(), b=example()))
    with r.s.client() as c:
        c.tool_names()
        stream = c.get_stream()
        r.reload(servers(a=example(requestTimeout="1s"), b=example()))
        r.reload(servers(a=example(requestTimeout="1s"), b=example(exclude=["*"])))
        assert stream.next_message(5 * PATIENCE)["method"] == "notifications/tools/list_changed"
        with pytest.raises(TimeoutError):
            stream.next_message(0.5)
        assert not any(name.startswith("b__") for name in c.tool_names())


def test_a_shorter_time_limit_holds_for_the_next_call(sluice):
    r = Reloading(sluice, servers(a=fake()))
    with r.s.client() as c:
        r.reload(servers(a=fake(more={"requestTimeout": "200ms"})))
        with pytest.raises(RpcError) as e:
            c.call("a__sleep", {"ms": 20000})
        assert e.value.data["reason"] == "backend_timeout"


def test_a_disabled_server_is_a_removed_one_and_comes_back(sluice):
    r = Reloading(sluice, servers(a=fake(), b=fake()))
    pid = r.pid("b")
    assert counts(r.reload(servers(a=fake(), b=fake(more={"disabled": True})))) == (0, 1, 0, 0, 1)
    gone(pid)
    assert counts(r.reload(servers(a=fake(), b=fake()))) == (1, 0, 0, 0, 1)
    with r.s.client() as c:
        assert int(c.text("b__pid")) != pid


def test_all_servers_can_go(sluice):
    r = Reloading(sluice, servers(a=fake()))
    pid = r.pid("a")
    r.reload(servers())
    gone(pid)
    with r.s.client() as c:
        assert c.tool_names() == []
    assert r.s.get("/readyz").status == 200


# servers in every state


def test_a_server_that_is_starting_can_be_taken_out_or_put_right(sluice):
    r = Reloading(sluice, servers(a=fake(), dumb=fake(dumb=True, more={"startup": "required"})), ready=False)
    pid = wait_until(lambda: r.pid("dumb"), what="its process")
    assert r.s.get("/readyz").status == 503
    r.reload(servers(a=fake(), dumb=fake(more={"startup": "required"})))
    r.s.wait_ready()
    gone(pid)
    r.reload(servers(a=fake(), slow=fake(dumb=True)))
    pid = wait_until(lambda: r.pid("slow"), what="its process")
    r.reload(servers(a=fake()))
    gone(pid)


def test_a_server_in_backoff_can_be_taken_out_or_put_right(sluice):
    r = Reloading(sluice, servers(a=fake(), bad=fake(before=[{"exit": 3}]), worse=fake(before=[{"exit": 3}])))
    wait_until(lambda: all(r.backends()[n]["state"] == "backoff" for n in ("bad", "worse")), 10, "backoff")
    r.reload(servers(a=fake(), bad=fake()))
    with r.s.client() as c:
        assert c.text("bad__echo", {"text": "well"}) == "well"
    assert "worse" not in r.backends()
    r.s.log.wait("backend_removed", 10, backend="worse")


def test_an_idle_server_can_be_taken_out_changed_or_kept(sluice):
    idle = {"idleTimeout": "100ms"}
    r = Reloading(sluice, servers(kept=fake(more=idle), goes=fake(more=idle), changes=fake(more=idle)))
    wait_until(lambda: all(b["state"] == "idle" for b in r.backends().values()), 20, "idleness")
    told = r.reload(servers(kept=fake(more=idle), changes=fake(tools=["new"], more=idle)))
    assert counts(told) == (0, 1, 1, 1, 1)
    with r.s.client() as c:
        assert c.text("kept__echo", {"text": "x"}) == "x"
        assert c.text("changes__new", {"text": "y"}) == "y"
    assert r.backends()["kept"]["starts"] == 2


def test_a_lazy_server_stays_unborn_and_can_become_eager(sluice):
    r = Reloading(sluice, servers(a=fake(), lazy=fake(more={"startup": "lazy"}), other=fake(more={"startup": "lazy"})))
    r.reload(servers(a=fake(), lazy=fake(tools=["new"], more={"startup": "lazy"}), other=fake()))
    wait_until(lambda: r.backends()["other"]["state"] == "ready", 10, "the eager one")
    assert r.backends()["lazy"]["starts"] == 0


def test_a_server_that_is_being_stopped_does_not_hold_up_the_next_reload(sluice):
    stubborn = {"stop": {"eof": "1s", "term": "1s"}}
    r = Reloading(sluice, servers(a=fake(), slow=fake(ignore_eof=True, ignore_term=True, more=stubborn)))
    pid = r.pid("slow")
    r.reload(servers(a=fake()))
    r.reload(servers(a=fake(), slow=fake()))
    assert is_alive(pid)
    with r.s.client() as c:
        assert int(c.text("slow__pid")) != pid
    gone(pid)


# readiness


def test_an_added_required_server_does_not_make_a_ready_gateway_unready(sluice):
    r = Reloading(sluice, servers(a=fake()))
    r.reload(servers(a=fake(), needed=fake(dumb=True, more={"startup": "required"})))
    for _ in range(10):
        assert r.s.get("/readyz").status == 200
        time.sleep(0.02)


def test_readiness_does_not_flap_while_a_required_server_is_replaced(sluice):
    needed = {"startup": "required"}
    fail = {"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}, "readiness": {"onRequiredLoss": "fail"}}
    r = Reloading(sluice, servers(a=fake(more=needed), lifecycle=fail))
    r.reload(servers(a=fake(init_delay=0.3, more=needed), lifecycle=fail))
    while r.backends()["a"]["state"] != "ready":
        assert r.s.get("/readyz").status == 200


# files


def test_a_changed_file_is_noticed_without_a_signal(sluice):
    r = Reloading(sluice, servers(a=fake()))
    replace(r.path, dumps(servers(a=fake(), b=fake())))
    assert counts(r.s.log.wait("reloaded", 10)) == (1, 0, 0, 0, 1)
    r.path.write_text(dumps(servers(b=fake())))
    r.s.log.wait("reloaded", 10, count=2)
    assert list(r.backends()) == ["b"]


def test_a_file_that_says_the_same_makes_no_noise(sluice):
    r = Reloading(sluice, servers(a=fake()))
    lines = len(r.s.log.lines)
    replace(r.path, dumps(servers(a=fake())) + "\n\n// and a comment\n")
    wait_until(lambda: r.reloads("unchanged") == 1, 10, "the look")
    assert len(r.s.log.lines) == lines
    r.reload(event="reload_unchanged")


def test_a_mounted_config_map_is_swapped(sluice, tmp_path):
    mount = Mount(tmp_path / "mount", servers__json=servers(a=fake()))
    r = Reloading(sluice, None, path=mount.path("servers.json"))
    for i in range(1, 4):
        mount.swap(servers__json=servers(a=fake(), **{f"b{i}": fake()}))
        r.s.log.wait("reloaded", 10, count=i)
        assert list(r.backends()) == ["a", f"b{i}"]
    assert r.backends()["a"]["starts"] == 1


def test_a_rotated_secret_restarts_the_server_that_uses_it_and_no_other(sluice, tmp_path):
    mount = Mount(tmp_path / "secrets", token="one")
    config = servers(uses=fake(more={"env": {"TOKEN": "${file:%s}" % mount.path("token")}}), other=fake())
    r = Reloading(sluice, config)
    before = r.backends()
    with r.s.client() as c:
        running = sleeping(c, "uses__sleep", 1000 * PATIENCE)
        mount.swap(token="two")
        assert counts(r.s.log.wait("reloaded", 10)) == (0, 0, 1, 1, 1)
        assert c.text("uses__env", {"name": "TOKEN"}) == "two"
        assert int(c.text("other__pid")) == before["other"]["pid"]
        assert slept(running) == "slept"
    gone(before["uses"]["pid"])


def test_a_secret_that_is_not_there_yet_is_waited_for(sluice, tmp_path):
    r = Reloading(sluice, servers(a=fake()))
    secret = tmp_path / "late"
    r.reload(servers(a=fake(), b=fake(more={"env": {"S": "${file:%s}" % secret}})), "reload_failed")
    secret.write_text("here")
    r.s.log.wait("reloaded", 10)
    with r.s.client() as c:
        assert c.text("b__env", {"name": "S"}) == "here"


def test_a_configuration_in_the_environment_is_read_again_with_its_files(sluice, tmp_path):
    (tmp_path / "secret").write_text("one")
    inline = dumps(servers(a=fake(more={"env": {"S": "${file:%s}" % (tmp_path / "secret")}})))
    s = sluice.run("serve", "--http", "127.0.0.1:0", "--log-format", "json", env=clean_env(MCP_SERVERS_CONFIG=inline))
    s.wait_listening().wait_ready()
    with s.client() as c:
        assert c.text("a__env", {"name": "S"}) == "one"
        replace(tmp_path / "secret", "two")
        s.log.wait("reloaded", 10)
        assert c.text("a__env", {"name": "S"}) == "two"


# what is refused


@pytest.mark.parametrize("text", ['{"mcpServers": {', '{"mcpServers": {"a": {"comand": "x"}}}', ""])
def test_a_file_with_errors_changes_nothing_and_is_told_like_at_the_start(sluice, text):
    r = Reloading(sluice, servers(a=fake(), lifecycle={"gracePeriod": "20s"}))
    pid = r.pid("a")
    told = r.reload(text, "reload_failed")
    assert told["level"] == "error" and told["errors"] >= 1
    assert r.s.log.find("config_error")
    assert r.pid("a") == pid and r.reloads("refused") >= 1
    with r.s.client() as c:
        assert int(c.text("a__pid")) == pid
    r.reload(servers(a=fake(), b=fake()))


def test_a_file_that_is_gone_changes_nothing(sluice):
    r = Reloading(sluice, servers(a=fake()))
    os.unlink(r.path)
    r.s.log.wait("reload_failed", 10)
    assert list(r.backends()) == ["a"]
    r.path.write_text(dumps(servers(b=fake())))
    r.s.log.wait("reloaded", 10)


def test_what_needs_a_restart_is_named_and_the_rest_is_applied(sluice):
    r = Reloading(sluice, servers(a=fake()))
    r.reload(servers(a=fake(), b=fake(), http={"basePath": "/x"}, limits={"maxInFlightPerServer": 1}, namespace="never"))
    told = r.s.log.wait("reload_needs_restart")
    assert told["keys"] == "namespace, http.basePath, limits.maxInFlightPerServer"
    with r.s.client() as c:
        assert "b__pid" in c.tool_names()
        calls = [sleeping(c, "b__sleep", 300) for _ in range(2)]
        assert [slept(b) for b in calls] == ["slept"] * 2
    r.reload(servers(a=fake(), b=fake(), http={"basePath": "/x"}), "reload_needs_restart", keys="http.basePath")


# the other things that are applied


def key(name, byte):
    return {"id": name, "secret": base64.b64encode(bytes([byte]) * 32).decode()}


def test_session_keys_are_rotated(sluice):
    config = {"a": fake(), "session": {"keys": [key("old", 1)]}}
    r = Reloading(sluice, servers(**config))
    with r.s.client() as c:
        r.reload(servers(a=fake(), session={"keys": [key("new", 2), key("old", 1)]}))
        assert c.text("a__echo", {"text": "x"}) == "x"
        with r.s.client() as d:
            stream = c.get_stream()
            r.reload(servers(a=fake(), session={"keys": [key("new", 2)]}))
            assert stream.next_message(5 * PATIENCE) is None
            assert c.post(call(1, "a__pid")).status == 404
            assert d.text("a__echo", {"text": "x"}) == "x"


def test_the_log_level_is_applied(sluice):
    r = Reloading(sluice, servers(a=fake()))
    assert not r.s.log.find("session_opened")
    assert r.reload(servers(a=fake(), top={"log": {"level": "debug"}}))["log_level"] is True
    with r.s.client():
        r.s.log.wait("session_opened")


def test_the_lifecycle_is_applied_to_the_stop_that_follows(sluice):
    r = Reloading(sluice, servers(a=fake(), lifecycle={"gracePeriod": "20s"}))
    quick = {"gracePeriod": "10s", "lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}
    assert r.reload(servers(a=fake(), lifecycle=quick))["lifecycle"] is True
    assert r.s.terminate() == 0
    last = r.s.last_line()
    assert last["budget_ms"] < 10000 and last["elapsed_ms"] < 2000 * PATIENCE


def test_stop_times_are_applied_to_servers_that_run(sluice):
    stubborn = {"ignore_eof": True, "ignore_term": True}
    lifecycle = {"gracePeriod": "1h", "lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}
    r = Reloading(sluice, servers(a=fake(stubborn, more={"stop": {"eof": "9m", "term": "9m"}}), lifecycle=lifecycle))
    pid = r.pid("a")
    r.reload(servers(a=fake(stubborn, more={"stop": {"eof": "50ms", "term": "50ms"}}), lifecycle=lifecycle))
    assert r.pid("a") == pid
    assert r.s.terminate(timeout=10) == 0


def test_it_works_over_stdio_too(sluice):
    path = sluice.write(servers(a=fake()), "stdio.json")
    s = sluice.run("serve", "--config", path, "--log-format", "json", stdin=-1, stdout=-1)
    c = s.stdio_client().initialize()
    assert "a__pid" in c.tool_names()
    replace(path, dumps(servers(a=fake(), b=fake())))
    s.signal(SIGHUP)
    s.log.wait("reloaded", 10)
    wait_until(lambda: "b__pid" in c.tool_names(), what="the new server's tools")
    wait_until(lambda: c.request("ping") == {} and c.notifications, what="the news")
    assert c.notifications[0]["method"] == "notifications/tools/list_changed"
    s.process.stdin.close()
    assert s.wait() == 0


# all together


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def test_fifty_reloads_under_load_lose_no_call_and_leave_nothing(sluice):
    r = Reloading(sluice, servers(stays=example(), turns=example("--tools", 0)))
    stopped, done, faults = threading.Event(), [0], []

    def load(tool):
        with r.s.client() as c:
            while not stopped.is_set():
                try:
                    assert c.text(tool, {"text": "x"}) == "x"
                    done[0] += 1
                except Exception as e:
                    faults.append(e)

    threads = [threading.Thread(target=load, args=(f"{name}__echo",)) for name in ("stays", "turns") for _ in range(2)]
    stays = r.pid("stays")
    for t in threads:
        t.start()
    try:
        for i in range(50):
            extra = {f"extra{i}": example(startup="lazy" if i % 2 else "eager")}
            r.reload(servers(stays=example(), turns=example("--tools", i % 3), **extra))
            if i == 10:
                fds_before, rss_before = fds(r.s.pid), rss_kib(r.s.pid)
    finally:
        stopped.set()
        for t in threads:
            t.join()
    assert not faults and done[0] > 50
    r.reload(servers(stays=example()))
    assert r.pid("stays") == stays
    wait_until(lambda: len(r.s.log.find("backend_removed")) >= 50 + 49, 20, "all that was removed gone")
    assert fds(r.s.pid) <= fds_before
    assert PATIENCE > 1 or rss_kib(r.s.pid) < rss_before + 4096


def test_signals_that_come_faster_than_they_can_be_answered_are_all_answered_by_the_last_state(sluice):
    r = Reloading(sluice, servers(a=fake()))
    for i in range(100):
        replace(r.path, dumps(servers(a=fake(), **{f"b{i}": fake(more={"startup": "lazy"})})))
        r.s.signal(SIGHUP)
    wait_until(lambda: list(r.backends()) == ["a", "b99"], 10, "the last state")
    assert r.backends()["a"]["starts"] == 1
