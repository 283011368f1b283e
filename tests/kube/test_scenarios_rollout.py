"""Whole pods behind a Service: the kubelet, the endpoint controller, slow proxies and good clients around real gateways
(kit/). What is asserted everywhere: no request is lost, nobody is reset, nothing is left behind."""

import asyncio
import dataclasses
import json
import os

import pytest

from harness import PATIENCE
from kit import drills, gateways, load
from kit.cluster import Cluster
from kit.endpoints import draw_delays
from kit.kubelet import Hook, PodSpec, Probe
from scale import SCALE

LIFE = max(SCALE, 0.2)  # below that, clients are slower than the cluster
TARGET = gateways.Target(prefix=f"{gateways.SERVER}__")


def spec(cluster, name, grace=30, lifecycle=None, admin=False, server=None, **more):
    """A pod with Sluice in it, whose lifecycle is scaled like the cluster's."""
    port = cluster.node.port()
    admin_port = cluster.node.port() if admin else None
    config = gateways.sluice_config(server or drills.example_server(), LIFE, grace, **(lifecycle or {}))
    extra = ("--admin", f"127.0.0.1:{admin_port}") if admin else ()
    command = gateways.sluice_command(port, None, cluster.node.directory, config, extra)
    ready = Probe("/readyz", period=1, failure=1, timeout=5 * PATIENCE / LIFE)
    alive = Probe("/livez", period=2, timeout=5 * PATIENCE / LIFE)
    env = gateways.environment(cluster.node.directory)
    return PodSpec(name, command, port, env, str(cluster.node.directory), grace, readiness=ready, liveness=alive, more={"admin": admin_port}, **more)


def in_cluster(tmp_path, run, delays=(0.0,)):
    async def go():
        async with Cluster(tmp_path, LIFE, delays) as c:
            return await run(c, load.Load(c.clock, c.proxies, TARGET, 120))

    return asyncio.run(go())


def last_line(pod):
    lines = [line for line in pod.process.log_text().splitlines() if '"shutdown_complete"' in line]
    assert len(lines) == 1, pod.process.log_text()[-2000:]
    return json.loads(lines[0])


async def gone(c, pod):
    """It ended by itself, with 0, in time, and left nothing."""
    left, ports = await c.gone(pod)
    assert (left, ports) == ([], set())
    assert pod.times("killed") == 0 and pod.process.exited.result() == 0
    return last_line(pod)


def check(ledger, at_once=False):
    lost = [r for r in ledger.requests if not r.ok]
    assert ledger.requests and not lost, lost[:3]
    kinds = {a.kind for r in ledger.requests for a in r.attempts}
    assert kinds <= ({"ok"} if at_once else {"ok", "unavailable", "refused"}), kinds


@pytest.mark.parametrize("notice", [0, 2], ids=["before the proxies", "after most proxies"])
def test_s02_s04_a_pod_is_replaced_while_proxies_are_slow_and_nobody_notices(tmp_path, notice):
    """Proxies hear of it 0 to 3 s later, the kubelet `notice` seconds; clients with and without keep-alive, newcomers, and
    a long call."""

    async def run(c, ledger):
        old = c.add(spec(c, "old", notice=notice))
        await c.settle([old], 120)
        ledger.short_calls(4, 0.05)
        ledger.short_calls(2, 0.05, keep_alive=False)
        ledger.newcomers(0.1)
        long = ledger.long_call(12)
        ledger.open_streams(5)
        await c.clock.sleep(2)
        await c.add(spec(c, "new")).wait_ready(120)
        old.delete()
        last = await gone(c, old)
        await c.clock.sleep(1)
        await ledger.settle()
        check(ledger, at_once=True)
        assert (await long).ok and last["aborted"] == 0 and last["refused"] == 0
        assert all(s.kind == "clean" for s in ledger.streams if s.pod == "old")

    in_cluster(tmp_path, run, (0.0, 0.1, 1, 3))


def test_s03_through_a_proxy_that_never_learns_requests_are_refused_politely_and_succeed_elsewhere(tmp_path):
    async def run(c, ledger):
        old = c.add(spec(c, "old"))
        await c.settle([old], 120)
        ledger.short_calls(6, 0.05)
        long = ledger.long_call(16)  # so that there is a drain
        await c.clock.sleep(1)
        await c.add(spec(c, "new")).wait_ready(120)
        old.delete()
        await gone(c, old)
        await c.clock.sleep(2)
        await ledger.settle()
        check(ledger)
        assert (await long).ok

    in_cluster(tmp_path, run, (0.1, None))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rolling_update_of_three_replicas_loses_nothing(tmp_path, seed):
    async def run(c, ledger):
        old = [c.add(spec(c, f"old-{n}")) for n in range(3)]
        await c.settle(old, 120)
        ledger.short_calls(6, 0.05)
        ledger.newcomers(0.1)
        ledger.open_streams(9)
        calls = [ledger.long_call(10) for _ in range(6)]
        await c.clock.sleep(1)
        await c.roll(lambda n: spec(c, f"new-{n}"), 3, min_ready=1)
        for pod in old:
            await gone(c, pod)
        await c.clock.sleep(1)
        await ledger.settle()
        check(ledger, at_once=True)
        assert all([(await call).ok for call in calls])

    in_cluster(tmp_path, run, draw_delays(seed, 4, longest=3))


def test_one_replica_that_stays_ready_serves_until_the_next_one_is(tmp_path):
    """Recreate: the old pod is deleted first, and is the only endpoint for 4 s. Its clients find it all the while."""

    async def run(c, ledger):
        duck = {"min": f"{round(LIFE * 8000)}ms", "quiet": "0s", "max": f"{round(LIFE * 12000)}ms"}
        old = c.add(spec(c, "old", lifecycle={"readyWhileDraining": True, "lameDuck": duck}))
        await c.settle([old], 120)
        ledger.short_calls(4, 0.05)
        await c.clock.sleep(1)
        old.delete()
        await c.clock.sleep(4)
        await c.add(spec(c, "new")).wait_ready(120)
        await gone(c, old)
        await c.clock.sleep(1)
        await ledger.settle()
        check(ledger, at_once=True)

    in_cluster(tmp_path, run, (0.1, 1))


def test_s40_a_hook_that_sleeps_changes_nothing_until_the_signal(tmp_path):
    async def run(c, ledger):
        pod = c.add(spec(c, "pod", lifecycle={"preStop": f"{round(LIFE * 5000)}ms"}, pre_stop=Hook(sleep=5)))
        await c.settle([pod], 120)
        pod.delete()
        await c.clock.sleep(3)
        assert pod.serving and pod.times("signalled") == 0
        request = await ledger.echo(ledger.client())
        assert request.ok_at_once
        await gone(c, pod)
        assert [detail for _, what, detail in pod.events if what == "stop"][0] in (24, 25)
        await ledger.settle()

    in_cluster(tmp_path, run)


def hook(pod_spec, query="hook=1&wait=1"):
    return Hook(path=f"/drain?{query}", port=pod_spec.more["admin"], headers=(("Sluice-Drain", "1"),))


def with_hook(cluster, name, **more):
    s = spec(cluster, name, admin=True, **more)
    return dataclasses.replace(s, pre_stop=hook(s))


def test_s41_an_http_hook_waits_for_the_drain_and_the_signal_goes_on_from_there(tmp_path):
    async def run(c, ledger):
        pod = c.add(with_hook(c, "pod"))
        await c.settle([pod], 120)
        long = ledger.long_call(8)
        await c.clock.sleep(1)
        pod.delete()
        last = await gone(c, pod)
        assert (await long).ok
        assert pod.times("hook_done") == 1
        assert pod.when("exited") - pod.when("signalled") < 4 + 2 * PATIENCE / LIFE, "the lame-duck was spent in the hook"
        assert last["aborted"] == 0
        await ledger.settle()

    in_cluster(tmp_path, run)


def test_s56_a_kubelet_that_is_restarted_runs_the_hook_twice_and_there_is_one_drain(tmp_path):
    async def run(c, ledger):
        pod = c.add(with_hook(c, "pod"))
        await c.settle([pod], 120)
        long = ledger.long_call(10)
        await c.clock.sleep(1)
        pod.delete()
        await c.clock.sleep(2)
        pod.restart_kubelet()
        await gone(c, pod)
        assert (await long).ok and pod.times("hook") == 2
        assert pod.process.log_text().count('"to":"lame_duck"') == 1
        await ledger.settle()

    in_cluster(tmp_path, run)


def test_s44_a_grace_that_is_shortened_midway_leaves_no_process(tmp_path):
    async def run(c, ledger):
        pod = c.add(spec(c, "pod", pid_namespace=os.geteuid() == 0))
        await c.settle([pod], 120)
        ledger.long_call(60)
        await c.clock.sleep(1)
        pod.delete()
        await c.clock.sleep(1)
        pod.delete(3)
        left, ports = await c.gone(pod)
        assert pod.times("signalled") == 1 and pod.times("killed") == 1
        assert (left, ports) == ([], set())
        await ledger.settle(1)

    in_cluster(tmp_path, run)


def test_s45_a_server_that_is_late_holds_readiness_and_not_the_process(tmp_path):
    async def run(c, ledger):
        pod = c.add(spec(c, "pod", server=drills.fake_server('{"init_delay": %f}' % (LIFE * 6))))
        await c.clock.sleep(4)
        assert not pod.serving and pod.process.running and pod.restarts == 0
        await pod.wait_ready(120)
        assert pod.when("ready") - pod.when("started") > 5
        pod.delete()
        await gone(c, pod)

    in_cluster(tmp_path, run)


def test_s45_a_start_that_the_startup_probe_gives_up_ends_cleanly_and_begins_again(tmp_path):
    """The server never answers initialize; after four failures the kubelet stops the container and starts it anew, and a
    kubelet that is restarted in between counts from the start."""

    async def run(c, _ledger):
        asks = Probe("/startupz", period=1, failure=4, timeout=5 * PATIENCE / LIFE)
        pod = c.add(dataclasses.replace(spec(c, "pod", server=drills.fake_server('{"dumb": true}')), startup=asks))
        await c.clock.sleep(2)
        pod.restart_kubelet()
        for _ in range(round(60 / LIFE * PATIENCE)):
            if pod.restarts:
                break
            await c.clock.sleep(0.1)
        assert pod.restarts == 1 and pod.times("ready") == 0
        ended = [(at, detail) for at, what, detail in pod.events if what == "exited"]
        assert [code for _, code in ended] == [0] and pod.times("killed") == 0
        assert ended[0][0] - pod.when("probe_kill") < 1 + 2 * PATIENCE / LIFE, "nobody waits for a start that is over"
        assert pod.when("probe_kill") - pod.when("kubelet_restarted") > 2.9
        pod.delete()
        await gone(c, pod)

    in_cluster(tmp_path, run)


@pytest.mark.slow
def test_cycles_of_start_and_stop_under_load_leave_nothing(tmp_path):
    """500 of them when it is true to life, else 20: no process, port or descriptor is left, and none is killed."""

    async def run(c, ledger):
        cycles = 500 if SCALE >= 1 else 20
        first = c.add(spec(c, "first"))
        await c.settle([first], 120)
        fds, times, old = None, [], first
        ledger.short_calls(2, 0.1)
        duck = {"min": "250ms", "quiet": "50ms", "max": "1s"}  # more than the clients' pause
        often = Probe("/readyz", period=0.1 / LIFE, failure=1, timeout=5 * PATIENCE / LIFE)
        for n in range(cycles):
            wanted = dataclasses.replace(spec(c, f"pod-{n}", lifecycle={"lameDuck": duck}), readiness=often)
            fresh = await c.add(wanted).wait_ready(120)
            old.delete()
            await gone(c, old)
            times.append(old.when("exited") - old.when("signalled"))
            old = fresh
            if n == 4:
                fds = len(os.listdir("/proc/self/fd"))
        await ledger.settle()
        check(ledger)
        assert len(os.listdir("/proc/self/fd")) <= fds + 10
        times.sort()
        print(f"{cycles} cycles, exit p50 {times[len(times) // 2] * LIFE:.3f} s, p99 {times[len(times) * 99 // 100] * LIFE:.3f} s")

    in_cluster(tmp_path, run)
