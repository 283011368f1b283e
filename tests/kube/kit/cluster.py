"""Pods behind a Service: node, endpoint controller and proxies put together, and the rollouts of a Deployment."""

import asyncio

from .clock import Clock
from .endpoints import EndpointController, Proxy
from .kubelet import Pod
from .node import Node, listening_ports


def relays(affinity=False, seed=0):
    return lambda cluster, n: Proxy(cluster.clock, 0.0, affinity, seed + n)


class Cluster:
    """`delays` are those of the proxies, one each (None: it never learns, once it knows the first pods). `balancer(cluster, n)`
    makes the proxy of that number."""

    def __init__(self, directory, scale=1.0, delays=(0.1,), controller_delay=0.0, balancer=relays()):
        self.clock, self.node = Clock(scale), Node(directory)
        self.controller = EndpointController(self.clock, controller_delay)
        self.proxies = [balancer(self, n) for n, _ in enumerate(delays)]
        self.delays, self.pods = list(delays), []

    async def __aenter__(self):
        for proxy in self.proxies:
            self.controller.proxies.append(await proxy.start())
        return self

    async def __aexit__(self, *_):
        for pod in self.pods:
            await pod.close()
        await self.node.sweep()
        for proxy in self.proxies:
            await proxy.close()

    def add(self, spec):
        """Starts a pod of the Service."""
        pod = Pod(spec, self.node, self.clock, self.controller.changed)
        self.pods.append(pod)
        self.controller.add(pod)
        return pod.start()

    async def settle(self, pods, timeout=60):
        """Waits until the pods are ready and every proxy knows it; from then on the proxies are as slow as they were to be."""
        for pod in pods:
            await pod.wait_ready(timeout)
        wanted = {pod.name for pod in pods}
        deadline = self.clock.now() + timeout
        while any(wanted - {e.pod for e in p.endpoints if e.ready} for p in self.proxies):
            if self.clock.now() > deadline:
                raise TimeoutError("the proxies did not learn of the pods")
            await asyncio.sleep(0.005)
        for proxy, delay in zip(self.proxies, self.delays):
            proxy.delay = delay

    async def gone(self, pod, timeout=120):
        """Waits for the end of a pod; returns what it left: (processes, ports)."""
        while not pod.gone.is_set() and timeout > 0:
            pod.process.remember()
            try:
                await asyncio.wait_for(pod.gone.wait(), 0.05)
            except asyncio.TimeoutError:
                timeout -= 0.05 / self.clock.scale
        if not pod.gone.is_set():
            raise TimeoutError(f"{pod.name} did not end:\n{pod.process.log_text()[-3000:]}")
        return self.left_by(pod)

    def left_by(self, pod):
        return pod.process.left(), {pod.port} & listening_ports()

    async def roll(self, make_spec, count, min_ready=0.0):
        """A rolling update with maxSurge 1 and maxUnavailable 0 of the pods that run: one new pod is awaited, one old one is
        deleted, and so on. Returns the old pods; they end on their own."""
        old = [p for p in self.pods if not p.terminating][:count]
        for n, pod in enumerate(old):
            fresh = self.add(make_spec(n))
            await fresh.wait_ready(120)
            await self.clock.sleep(min_ready)
            pod.delete()
        return old

