"""The drills of a whole Service: what Kubernetes does to a Deployment, under load and behind real balancers, with a record of
every request. Durations are seconds of life.
"""

import asyncio
import os
import pathlib
import time

from . import balancers, drills, gateways
from .cluster import Cluster
from .kubelet import PodSpec, Probe
from .load import Load
from .node import children_of
from .record import figures, pod_record, request_record, stream_record

LAGS = {  # seconds until each way into the Service hears of a change: the usual, the busy, the overloaded
    "kube-proxy": (0, 0.1, 1, 3, 5),
    "haproxy": (0.1, 1, 5),
    "nginx": (0.1, 1, 5),
}
GRACE = 30
LONG = 12  # seconds that a long call takes: what fits between the longest lame-duck and STOP, by the default plan
OLD_WORKER = 0.5  # real seconds in which a worker of nginx's last configuration, without pods, may still accept
PROBE_TIMEOUT = 5  # real seconds: the machine is slow, not the gateway


class Drill:
    """One gateway behind balancers of one kind, for one run. `ends` is what pods had left behind."""

    def __init__(self, gateway, balancer, scale, directory, rate=200, cycles=500):
        self.gateway, self.balancer, self.scale, self.directory = gateway, balancer, scale, directory
        self.rate, self.cycles = rate, cycles
        self.ends, self.marks, self.samples, self.notes = {}, [], [], []

    async def run(self, scenario):
        """Its record."""
        lags = scenario.lags or LAGS[self.balancer]
        kind = balancers.KINDS[self.balancer]
        async with Cluster(self.directory, self.scale, lags, balancer=kind) as self.c:
            self.clock = self.c.clock
            wall = time.time() - (time.monotonic() - self.clock.began)
            self.load = Load(self.clock, self.c.proxies, self.gateway.target, 120)
            await scenario.run(self)
            unfinished = await self.load.settle(60)
            if unfinished:
                self.notes.append(f"{unfinished} requests had no end a minute after the load")
            return await self.record(scenario, lags, wall)

    async def record(self, scenario, lags, wall):
        pods = [pod_record(p, self.clock, wall, *self.ends.get(p.name, ((), ()))) for p in self.c.pods]
        r = {
            "scenario": scenario.name,
            "title": scenario.title,
            "about": scenario.about,
            "gateway": f"{self.gateway.name} {self.gateway.version.removeprefix('sluice ')}".strip(),
            "balancer": self.balancer,
            "lags": list(lags),
            "scale": self.scale,
            "seconds": self.clock.now(),
            "began": wall,
            "marks": self.marks,
            "pods": pods,
            "balancers": [
                {"lag": lag, "learned": p.learned, "counters": await p.counters()} for lag, p in zip(lags, self.c.proxies)
            ],
            "requests": [request_record(q) for q in self.load.requests],
            "streams": [stream_record(s) for s in self.load.streams],
            "samples": self.samples,
            "notes": self.notes,
        }
        r["figures"] = figures(r)
        return r

    # what scenarios are made of

    def mark(self, text):
        self.marks.append((self.clock.now(), text))

    def pod(self, name, **more):
        return self.c.add(self.spec(name, **more))

    def spec(self, name, grace=GRACE, probe_period=1.0, told_grace=None, **lifecycle):
        """Of a pod whose gateway is PID 1 and is told that grace (or another, `told_grace`)."""
        port, directory = self.c.node.port(), self.c.node.directory
        if self.gateway.name == "sluice":
            durations = {key: self.durations(value) for key, value in lifecycle.items()}
            config = gateways.sluice_config(drills.example_server(), self.scale, told_grace or grace, **durations)
            command = gateways.sluice_command(port, None, directory, config)
        else:
            command = self.gateway.command(port, drills.example_server(), directory)
        timeout = PROBE_TIMEOUT / self.scale
        ready = Probe(self.gateway.health, period=probe_period, failure=1, timeout=timeout) if self.gateway.health else None
        environment = gateways.environment(directory)
        return PodSpec(name, command, port, environment, str(directory), grace, readiness=ready, pid_namespace=True)

    def durations(self, value):
        """Seconds of life as Sluice's configuration has them."""
        if isinstance(value, dict):
            return {key: self.durations(v) for key, v in value.items()}
        return value if isinstance(value, (bool, str)) else f"{round(value * self.scale * 1000)}ms"

    async def settled(self, *pods):
        """Ready, known to all balancers, and a call works: other gateways say that they are ready before they are."""
        await self.c.settle(pods, 120)
        first, until = self.load.client(), time.monotonic() + 60
        while not (request := await self.load.echo(first)).ok:
            if time.monotonic() > until:
                raise TimeoutError(f"no call works: {request.last}")
            await self.clock.sleep(0.5)
        await asyncio.sleep(OLD_WORKER)
        self.load.requests.clear()

    async def gone(self, *pods):
        async def one(pod):
            left, ports = await self.c.gone(pod, 400)
            if left or ports:
                await self.clock.sleep(drills.LEAVING)
                left, ports = self.c.left_by(pod)
            self.ends[pod.name] = left, ports

        await asyncio.gather(*map(one, pods))

    def usual_load(self, long=20, streams=50):
        """Short calls by clients that keep their connections, that do not, that come once, and that seldom say a word; long
        calls; and listeners."""
        self.load.steady_calls(self.rate * 0.68, 28)
        self.load.steady_calls(self.rate * 0.3, 12, keep_alive=False)
        self.load.newcomers(1 / (self.rate * 0.02))
        self.load.rare_calls(10, 9)
        self.load.long_calls(long, LONG)
        self.load.tuned_in(streams)


class Scenario:
    """`lags` None: those that are usual for the balancer."""

    def __init__(self, name, title, run, lags=None):
        self.name, self.title, self.run, self.lags = name, title, run, lags
        self.about = " ".join(run.__doc__.split())


async def rolling_update(d):
    """Three replicas are replaced one by one, with maxSurge 1 and maxUnavailable 0, while balancers hear of each change up to
    5 s later. Load: short calls with and without keep-alive, newcomers, clients that keep a connection for 9 s between two
    calls, 20 calls of 12 s in flight at any time, 50 streams."""
    old = [d.pod(f"old-{n}") for n in range(3)]
    await d.settled(*old)
    d.usual_load()
    await d.clock.sleep(4)
    d.mark("rollout begins")
    await d.c.roll(lambda n: d.spec(f"new-{n}"), 3, min_ready=2)
    d.mark("last pod deleted")
    await d.gone(*old)
    d.mark("last old pod gone")
    await d.clock.sleep(3)


LATER = 4  # seconds until the successor of the only replica is started


async def recreate(d, stays_ready):
    duck = {"min": 9, "quiet": 0, "max": 12}
    old = d.pod("old", lameDuck=duck, readyWhileDraining=stays_ready)
    await d.settled(old)
    d.load.steady_calls(d.rate / 4, 10)
    d.load.steady_calls(d.rate / 4, 10, keep_alive=False)
    d.load.tuned_in(10)
    await d.clock.sleep(2)
    d.mark("deleted")
    old.delete()
    await d.clock.sleep(LATER)
    await d.pod("new").wait_ready(120)
    d.mark("successor ready")
    await d.gone(old)
    await d.clock.sleep(2)


async def single_replica_that_stays_ready(d):
    """The only replica is deleted, and its successor is started 4 s later. With `readyWhileDraining` it stays a serving endpoint,
    and balancers go on sending to it, because there is no other."""
    await recreate(d, True)


async def single_replica_that_fails_ready(d):
    """The same without `readyWhileDraining`: once its readiness has failed there is no endpoint, until the successor is ready and
    known. The gap is what this scenario measures."""
    await recreate(d, False)


async def scale_in(d):
    """Ten replicas become two: eight pods are deleted at the same moment, as by an autoscaler. The load is the usual one, with 100
    streams, which come back elsewhere one by one."""
    pods = [d.pod(f"pod-{n}") for n in range(10)]
    await d.settled(*pods)
    d.usual_load(streams=100)
    await d.clock.sleep(4)
    d.mark("scaled in")
    for pod in pods[:8]:
        pod.delete()
    await d.gone(*pods[:8])
    d.mark("eight are gone")
    await d.clock.sleep(3)


CALLS_AT_SHUTDOWN = (2, 4, 6, 8, 10, 20, 40)  # seconds that calls still have to go when the node begins to shut down
BEFORE_SHUTDOWN = 10  # seconds in which the other pod starts


async def node_shutdown(d, told):
    first = d.pod("leaves", grace=60, told_grace=told)
    await d.settled(first)
    began = d.clock.now()
    calls = [d.load.long_call(seconds + BEFORE_SHUTDOWN) for seconds in CALLS_AT_SHUTDOWN]
    await d.clock.sleep(1)
    other = d.pod("stays", grace=60, told_grace=told)
    await d.c.settle([first, other], 120)
    d.load.steady_calls(d.rate / 2, 20)
    d.load.steady_calls(d.rate / 4, 10, keep_alive=False)
    d.load.tuned_in(20)
    await d.clock.sleep(began + BEFORE_SHUTDOWN - d.clock.now())
    d.mark("the node shuts down: 15 s")
    first.delete(15)
    await d.gone(first)
    await d.clock.sleep(2)
    await asyncio.gather(*calls)


async def node_shutdown_untold(d):
    """The pod's grace is 60 s, and Sluice is told so; but its node shuts down and gives it 15 s. Seven calls are in flight there, of
    which five end within the 15 s and two do not. New requests go on for as long as balancers send them."""
    await node_shutdown(d, 60)


async def node_shutdown_told(d):
    """The same with `--grace-period 15s`, which is what a cluster with such nodes should say: calls that do not fit are told
    so, instead of being cut by SIGKILL."""
    await node_shutdown(d, 15)


async def slow_load_balancer(d, duck, grace):
    pods = [d.pod(f"pod-{n}", grace=grace, lameDuck=duck) for n in range(2)]
    await d.settled(*pods)
    d.load.steady_calls(d.rate / 4, 10, keep_alive=False)
    d.load.newcomers(0.1)
    calls = [d.load.long_call(min(grace * 0.7, 50)) for _ in range(6)]
    await d.clock.sleep(1)
    d.mark("deleted")
    pods[0].delete()
    await d.gone(pods[0])
    d.mark("gone")
    await d.clock.sleep(3)
    await asyncio.gather(*calls)


async def slow_load_balancer_and_long_lame_duck(d):
    """A load balancer that goes on sending new connections for 120 s, and a lame-duck of 120 to 130 s with a grace of 200 s."""
    await slow_load_balancer(d, {"min": 120, "quiet": 2, "max": 130}, 200)


async def slow_load_balancer_and_default_lame_duck(d):
    """The same load balancer, and the default of at most 10 s: late requests are refused with 503 and Retry-After while calls in
    flight end, and by the kernel when the process is gone."""
    await slow_load_balancer(d, {"min": 5, "quiet": 2, "max": 10}, 30)


def gauge(d, stayer):
    """What must not grow from cycle to cycle."""
    pid = stayer.process.init_pid()
    sockets = dict(line.split(":", 1) for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines())
    tcp = sockets["TCP"].split()
    return {
        "at": d.clock.now(),
        "processes": len(all_below(os.getpid())),
        "orphans": len(d.c.node.adopted()),
        "cgroups": cgroups_below(),
        "sockets": int(tcp[tcp.index("inuse") + 1]),
        "sockets without an owner": int(tcp[tcp.index("orphan") + 1]),
        "drill's descriptors": len(os.listdir("/proc/self/fd")),
        "stayer's descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "stayer's processes": len(all_below(pid)),
        "stayer's memory": balancers.resident(pid),
    }


def all_below(pid):
    found = children_of(pid)
    return found + [p for child in found for p in all_below(child)]


def cgroups_below():
    """Control groups below our own, in all hierarchies."""
    count = 0
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for root in ("/sys/fs/cgroup", f"/sys/fs/cgroup/{controllers}", "/sys/fs/cgroup/unified"):
            own = pathlib.Path(root + path)
            if path != "/" and own.is_dir():
                count += sum(1 for _ in own.rglob("cgroup.procs"))
    return count


async def soak(d):
    """Pods start and stop one after another, two at a time, beside one that stays, under load. Lame-duck is 250 ms, and balancers
    hear of changes within 100 ms. Measured from cycle to cycle: processes, descriptors, sockets, control groups, memory."""
    duck = {"min": 0.25, "quiet": 0.05, "max": 1}

    def fresh(n):
        return d.pod(f"pod-{n}", probe_period=0.1, lameDuck=duck)

    stayer = d.pod("stayer")
    cycling = [fresh(-1 - n) for n in range(2)]
    await d.settled(stayer, *cycling)
    d.load.steady_calls(d.rate / 4, 10)
    d.load.steady_calls(d.rate / 8, 5, keep_alive=False)
    d.load.long_calls(2, 1)
    d.load.tuned_in(4)
    for n in range(0, d.cycles, 2):
        both = [fresh(n), fresh(n + 1)]
        await asyncio.gather(*(pod.wait_ready(120) for pod in both))
        await d.clock.sleep(0.15)
        for pod in cycling:
            pod.delete()
        await d.gone(*cycling)
        cycling = both
        d.samples.append(gauge(d, stayer))


# As in LAGS, for scenarios that are about something else.
PROMPT, NLB = (0.05, 0.1), (120,)
GROUPS = {
    "rolling": [Scenario("S57", "Rolling update of three replicas", rolling_update)],
    "single": [
        Scenario("S58", "One replica, which stays ready", single_replica_that_stays_ready, (0.1, 1)),
        Scenario("S58", "One replica, which fails ready", single_replica_that_fails_ready, (0.1, 1)),
    ],
    "scale-in": [Scenario("S59", "Ten replicas become two", scale_in)],
    "node-shutdown": [
        Scenario("S60", "Node shutdown: 15 s instead of 60 s", node_shutdown_untold),
        Scenario("S60", "Node shutdown: 15 s, as it was told", node_shutdown_told),
    ],
    "nlb": [
        Scenario("S61", "Load balancer 120 s late, lame-duck 130 s", slow_load_balancer_and_long_lame_duck, NLB),
        Scenario("S61", "Load balancer 120 s late, lame-duck 10 s", slow_load_balancer_and_default_lame_duck, NLB),
    ],
    "soak": [Scenario("S62", "Starts and stops under load", soak, PROMPT)],
}
