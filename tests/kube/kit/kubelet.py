"""The kubelet for one pod with one container: starts it, probes it, restarts it, and ends it when the pod is deleted,
with hook, grace, stop signal and SIGKILL at the times that `grace` says. It owns the pod; the endpoint controller only
reads `ready`, `serving` and `terminating` of it and is told of each change.
"""

import asyncio
import signal
import subprocess
from dataclasses import dataclass, field

from . import grace, wire

USER_AGENT = "kube-probe/1.36"
START_RETRY = 0.05  # a probe waits that long for a container that is just being started


@dataclass(frozen=True)
class Hook:
    """preStop. One of: `sleep` seconds; `path` (httpGet); `command` (exec)."""

    sleep: float | None = None
    path: str | None = None
    port: int | None = None
    headers: tuple = ()
    command: tuple = ()


@dataclass(frozen=True)
class Probe:
    path: str
    port: int | None = None
    period: float = 10
    timeout: float = 1
    failure: int = 3
    success: int = 1
    initial_delay: float = 0
    grace: int | None = None  # the probe's own terminationGracePeriodSeconds


@dataclass(frozen=True)
class PodSpec:
    name: str
    command: tuple
    port: int
    env: dict | None = None
    cwd: str | None = None
    grace: int = 30
    pre_stop: Hook | None = None
    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    stop_signal: int = signal.SIGTERM
    signals_again: bool = False  # docker: each StopContainer signals; containerd: only the first
    pid_namespace: bool = False  # the gateway is PID 1
    notice: float = 0  # seconds until the kubelet sees the deletion
    more: dict = field(default_factory=dict)


class Pod:
    """`events` is what happened to it: (when, what, detail), in order."""

    def __init__(self, spec, node, clock, changed=lambda pod: None):
        self.spec, self.node, self.clock, self._changed = spec, node, clock, changed
        self.name, self.port = spec.name, spec.port
        self.started = self.serving = self.terminating = False
        self.restarts, self.process, self.events = 0, None, []
        self.gone = asyncio.Event()
        self._grace = self._orders = None
        self._termination = self._life = self._kill_timer = None
        self._deleted = asyncio.Event()
        self._workers, self._abandoned = [], set()

    @property
    def ready(self):
        return self.serving and not self.terminating

    def event(self, what, detail=None):
        self.events.append((self.clock.now(), what, detail))

    def when(self, what):
        """When that happened last; None if it did not."""
        return next((at for at, name, _ in reversed(self.events) if name == what), None)

    def times(self, what):
        return sum(1 for _, name, _ in self.events if name == what)

    def start(self):
        self._life = asyncio.ensure_future(self._live())
        return self

    async def wait_ready(self, timeout):
        deadline = self.clock.now() + timeout
        while not self.serving:
            if self.clock.now() > deadline or self.gone.is_set():
                raise TimeoutError(f"{self.name} was not ready after {timeout} s:\n{self.process.log_text()[-3000:]}")
            await asyncio.sleep(0.005)
        return self

    # the container

    async def _live(self):
        backoff = grace.Backoff()
        while not self.terminating:
            began = self.clock.now()
            self._orders = grace.StopOrders(self.spec.signals_again)
            self.process = self.node.start(
                f"{self.name}-{self.restarts}", self.spec.command, self.spec.env, self.spec.cwd, self.spec.pid_namespace
            )
            self.event("started")
            self._start_workers()
            code = await self.process.wait()
            self._on_exit(code)
            if not self.terminating:
                await self._wait_for_restart(backoff.after(self.clock.now() - began))
        self._end()

    def _on_exit(self, code):
        self.event("exited", code)
        self._stop_workers()
        if self._kill_timer:
            self._kill_timer.cancel()
        self.started = False
        self._set_serving(False)

    async def _wait_for_restart(self, seconds):
        self.event("backoff", seconds)
        try:
            await asyncio.wait_for(self._deleted.wait(), self.clock.real(seconds))
        except asyncio.TimeoutError:
            pass
        self.restarts += not self.terminating

    def _end(self):
        if self._termination:
            self._termination.cancel()
        self.event("gone")
        self.gone.set()
        self._changed(self)

    def _set_serving(self, serving):
        if serving != self.serving:
            self.serving = serving
            self.event("ready" if serving else "unready")
            self._changed(self)

    # probes

    def _start_workers(self):
        self.started = self.spec.startup is None
        if self.started and self.spec.readiness is None:
            self._set_serving(True)
        for kind in ("startup", "readiness", "liveness"):
            probe = getattr(self.spec, kind)
            if probe and not (self.terminating and kind != "readiness"):
                self._workers.append(asyncio.ensure_future(self._probe(kind, probe)))

    def _stop_workers(self):
        for worker in self._workers:
            if worker is not asyncio.current_task():
                worker.cancel()
        self._workers = []

    async def _probe(self, kind, probe):
        await self.clock.sleep(probe.initial_delay)
        threshold = grace.Threshold(probe.failure, probe.success, initially=kind == "liveness")
        while self.process.running:
            if self._stops(kind):
                return
            if kind == "startup" or self.started:
                good = await self._ask(probe)
                if self._stops(kind):
                    return
                threshold.feed(good)
                if self._on_result(kind, probe, threshold):
                    return
                await self.clock.sleep(probe.period)
            else:
                await self.clock.sleep(min(probe.period, START_RETRY))

    def _stops(self, kind):
        """Liveness and startup end with the deletion; readiness goes on."""
        return self.terminating and kind != "readiness"

    async def _ask(self, probe):
        status = await wire.get(
            probe.port or self.port, probe.path, (("User-Agent", USER_AGENT),), self.clock.real(probe.timeout)
        )
        return status in grace.HTTP_GOOD

    def _on_result(self, kind, probe, threshold):
        """True when this worker has done its work."""
        if kind == "readiness":
            self._set_serving(threshold.result)
        elif kind == "startup" and threshold.result:
            self.started = True
            self.event("startup_succeeded")
            if self.spec.readiness is None:
                self._set_serving(True)
            return True
        elif threshold.failed:
            self.event("probe_kill", kind)
            seconds = probe.grace if probe.grace is not None else self.spec.grace
            self._termination = asyncio.ensure_future(self._terminate(seconds, 0))
            return True
        return False

    # the end

    def delete(self, seconds=None):
        """DELETE, with the pod's own grace or another. A second one counts only if it is shorter."""
        wanted = grace.effective_grace(self.spec.grace if seconds is None else seconds, *filter(None, [self._grace]))
        if self.terminating and wanted == self._grace:
            return
        first, self._grace = not self.terminating, wanted
        if first:
            self.terminating = True
            self.event("deleted", wanted)
            self._deleted.set()
            self._changed(self)
        else:
            self.event("shortened", wanted)
        self._sync(self.spec.notice if first else 0)

    def restart_kubelet(self):
        """The kubelet forgets what it did: hook and full grace once more. The container runs on, and so does a hook in it."""
        self.event("kubelet_restarted")
        self._stop_workers()
        for kind in ("startup", "readiness", "liveness"):
            probe = getattr(self.spec, kind)
            if probe and not self._stops(kind) and not (kind == "startup" and self.started):
                self._workers.append(asyncio.ensure_future(self._probe(kind, probe)))
        if self.terminating:
            self._sync(0)

    def _sync(self, notice):
        if self._termination:
            self._termination.cancel()
        self._termination = asyncio.ensure_future(self._terminate(self._grace, notice))

    async def _terminate(self, seconds, notice):
        await self.clock.sleep(notice)
        began = self.clock.now()
        if self.spec.pre_stop and self.process.running:
            await self._run_hook(self.spec.pre_stop, seconds)
        self._stop_container(grace.after_hook(seconds, self.clock.now() - began))

    async def _run_hook(self, hook, seconds):
        """A hook that outlives the grace is left to itself; that of the kubelet's predecessor runs on too."""
        self.event("hook")
        task = asyncio.ensure_future(self._hook(hook))
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        done, _ = await asyncio.wait({task}, timeout=self.clock.real(seconds))
        if not done:
            self.event("hook_abandoned")
        elif not task.cancelled() and not task.result():
            self.event("hook_failed")
        else:
            self.event("hook_done")

    async def _hook(self, hook):
        if hook.sleep is not None:
            await self.clock.sleep(hook.sleep)
            return True
        if hook.path is not None:  # any status is a success
            return await wire.get(hook.port or self.port, hook.path, hook.headers, None) is not None
        return await self._exec(hook.command)

    async def _exec(self, command):
        try:
            popen = subprocess.Popen(
                [*map(str, command)],
                env=self.spec.env,
                cwd=self.spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return False
        self.node.own(popen.pid)
        try:
            while popen.poll() is None:
                await asyncio.sleep(0.01)
        finally:
            popen.kill()  # one that was left to itself ends with the drill
            popen.wait()
        return popen.returncode == 0

    def _stop_container(self, seconds):
        """What the runtime does with the order."""
        signals = self._orders.stop(self.clock.now(), seconds)
        self.event("stop", seconds)
        if signals:
            self._signal(self.spec.stop_signal)
        if self._kill_timer:
            self._kill_timer.cancel()
        if self.process.running:
            self._kill_timer = self.clock.later(seconds, self._kill)

    def _signal(self, number):
        if self.process.signal(number):
            self.event("signalled", number)

    def _kill(self):
        if self.process.signal(signal.SIGKILL):
            self.event("killed")

    def signal(self, number):
        """A signal from outside: an operator's, or docker's."""
        self._signal(number)

    async def close(self):
        tasks = [task for task in (self._life, self._termination, *self._workers, *self._abandoned) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._kill_timer:
            self._kill_timer.cancel()
