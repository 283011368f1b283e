"""The standard drills: each does to a gateway what Kubernetes does, and scores what became of it. All gateways get the same
server, the same load and the same grace, and are started as their own documentation says.
"""

import asyncio
import os
import pathlib
import shlex
import shutil
import sys
import tempfile

from . import gateways
from .cluster import Cluster
from .kubelet import PodSpec, Probe
from .load import Load
from .score import Score

SYSTEM = gateways.ROOT / "tests" / "system"
GRACE = 30
LONG_AGO = 300  # seconds: a call that no grace period waits for
LEAVING = 2  # seconds in which a process that was told to go may still go
SLOW_PROXIES = (0.1, 1, 3)  # seconds until each hears of a change


def example_server():
    built = gateways.ROOT / "build" / "examples" / "example-server"
    return (os.environ.get("EXAMPLE_SERVER", str(built)),)


def fake_server(knobs):
    return (sys.executable, "-S", "-E", str(SYSTEM / "fake_server.py"), knobs)


def behind_npx(server):
    """npx, its shell, the server: neither of the two hands a signal on. Without npx a shell stands for both."""
    if shutil.which("npx"):
        return ("npx", "--offline", "-c", shlex.join(server))
    return ("sh", "-c", f"{shlex.join(server)}; true")


class Bench:
    """One gateway in a cluster of its own, for one drill."""

    def __init__(self, gateway, scale, name, directory):
        self.gateway, self.scale, self.directory = gateway, scale, directory
        self.score = Score(name, gateway.name)

    def cluster(self, delays=(0.0,)):
        return Cluster(self.directory, self.scale, delays)

    def command(self, port, server):
        if self.gateway.name != "sluice":
            return self.gateway.command(port, server, self.directory)
        config = gateways.sluice_config(server, self.scale, GRACE)
        return gateways.sluice_command(port, server, self.directory, config)

    def pod(self, cluster, server=None, **more):
        port = cluster.node.port()
        ready = Probe(self.gateway.health, period=0.5, failure=1) if self.gateway.health else None
        spec = PodSpec(
            f"pod-{port}", self.command(port, server or example_server()), port, gateways.environment(self.directory),
            self.directory, GRACE, readiness=ready, **more,
        )  # fmt: skip
        return cluster.add(spec)

    def load(self, cluster):
        return Load(cluster.clock, cluster.proxies, self.gateway.target)

    async def ready(self, cluster, *pods):
        """Waits for readiness, looks whether it was true, and waits until a call works in any case: what is drilled is
        the end of a gateway that serves."""
        await cluster.settle(pods, 120)
        load = self.load(cluster)
        first = await load.echo(load.client())
        self.score.readiness_honest = first.ok_at_once
        while not first.ok:
            await cluster.clock.sleep(0.5)
            first = await load.echo(load.client())
        await load.settle()

    async def delete(self, cluster, pod):
        """Deletes it; what is left counts only if it is still there a while after the end."""
        pod.delete()
        left, ports = await cluster.gone(pod)
        if left or ports:
            await cluster.clock.sleep(LEAVING)
            left, ports = cluster.left_by(pod)
        self.score.end_of(pod, left, ports)


async def idle(b):
    """Nothing is going on."""
    async with b.cluster() as c:
        pod = b.pod(c)
        await b.ready(c, pod)
        await b.delete(c, pod)


async def rollout(b):
    """One pod is replaced by another under load, while proxies learn of it after 0.1 to 3 s."""
    async with b.cluster(SLOW_PROXIES) as c:
        old = b.pod(c)
        await b.ready(c, old)
        load = b.load(c)
        load.short_calls(6, 0.1)
        load.newcomers(0.2)
        await c.clock.sleep(2)
        await b.pod(c).wait_ready(120)
        await b.delete(c, old)
        await c.clock.sleep(3)
        await load.settle()
        b.score.count(load.requests)


async def with_a_call(b, seconds, **more):
    async with b.cluster() as c:
        pod = b.pod(c, **more)
        await b.ready(c, pod)
        load = b.load(c)
        load.long_call(seconds)
        await c.clock.sleep(1)
        if more.get("signals_again"):
            c.clock.later(1, pod.signal, pod.spec.stop_signal)
        await b.delete(c, pod)
        await load.settle()
        b.score.count(load.requests)


async def long_call_that_fits(b):
    """A call of 8 s is in flight; the grace is 30 s."""
    await with_a_call(b, 8)


async def long_call_that_does_not(b):
    """A call of 300 s is in flight; the grace is 30 s."""
    await with_a_call(b, LONG_AGO)


async def two_signals(b):
    """The same, and a second SIGTERM comes a second after the first."""
    await with_a_call(b, LONG_AGO, signals_again=True)


async def streams(b):
    """Twenty standalone streams are open."""
    async with b.cluster() as c:
        pod = b.pod(c)
        await b.ready(c, pod)
        load = b.load(c)
        load.open_streams(20)
        await c.clock.sleep(2)
        await b.delete(c, pod)
        await load.settle()
        b.score.count((), load.streams)


async def stop_with(b, server):
    async with b.cluster() as c:
        pod = b.pod(c, server)
        await b.ready(c, pod)
        await b.delete(c, pod)


async def stubborn_server(b):
    """The server minds neither the end of its stdin nor SIGTERM."""
    await stop_with(b, fake_server('{"ignore_eof": true, "ignore_term": true}'))


async def server_tree(b):
    """The server is started by npx."""
    await stop_with(b, behind_npx(example_server()))


async def deaf_tree(b):
    """The same with a server that does not mind the end of its stdin, but would obey the SIGTERM that npx keeps to itself."""
    await stop_with(b, behind_npx(fake_server('{"ignore_eof": true}')))


async def slow_start(b):
    """The server takes 3 s to answer initialize: is readiness still true? Nothing is going on when it is stopped."""
    await stop_with(b, fake_server('{"init_delay": %g}' % (3 * b.scale)))


async def during_start(b):
    """SIGTERM comes a second after the start, while the server takes 60 s to answer initialize."""
    async with b.cluster() as c:
        pod = b.pod(c, fake_server('{"init_delay": 60}'))
        await c.clock.sleep(1)
        await b.delete(c, pod)


DRILLS = {
    "idle": idle,
    "rollout": rollout,
    "long-fits": long_call_that_fits,
    "long-does-not": long_call_that_does_not,
    "streams": streams,
    "stubborn": stubborn_server,
    "tree": server_tree,
    "deaf-tree": deaf_tree,
    "slow-start": slow_start,
    "start": during_start,
    "two-signals": two_signals,
}


async def drill(name, gateway, scale=1.0):
    """Runs one; what goes wrong with the gateway itself is a note, not the end of the run."""
    with tempfile.TemporaryDirectory(prefix="drill-", ignore_cleanup_errors=True) as directory:
        b = Bench(gateway, scale, name, directory)
        try:
            async with asyncio.timeout(180):
                await DRILLS[name](b)
        except (TimeoutError, OSError, AssertionError) as e:
            why = str(e).splitlines()[0] if str(e) else type(e).__name__
            b.score.notes.append(f"the drill did not come to its end: {why}")
        return b.score
