"""The kubelet's arithmetic, without a clock and without a process: the grace of a pod, what a hook leaves of it, when a
probe has spoken, how long a crashed container waits, and what the runtime does when it is told to stop.

The rules are those of kuberuntime_container.go, pod_workers.go and prober/worker.go of Kubernetes 1.36 and of
container_stop.go of containerd. Grace is whole seconds there, and so it is here.
"""

import math
from dataclasses import dataclass

FLOOR = 2  # seconds that StopContainer always gets, whatever the hook has taken
HTTP_GOOD = range(200, 400)  # statuses by which an HTTP probe succeeds


def effective_grace(*seconds):
    """The shortest of what the pod, the deletion and the kubelet (eviction, node shutdown) say; never below 1."""
    return max(1, min(seconds))


def after_hook(grace, hook_seconds):
    """What StopContainer gets: whole seconds that the hook took are deducted, its fraction is not."""
    return max(FLOOR, grace - math.floor(hook_seconds))


@dataclass(frozen=True)
class StopPlan:
    """Seconds after the deletion."""

    signal_at: float
    kill_at: float


def stop_plan(grace, hook_seconds=0.0, notice=0.0):
    """When the stop signal and SIGKILL come, for a kubelet that sees the deletion after `notice` seconds. A hook that
    outlives the grace is abandoned at its end."""
    hook = min(hook_seconds, grace)
    return StopPlan(notice + hook, notice + hook + after_hook(grace, hook))


class Threshold:
    """The result of one probe: it turns when so many answers in a row were of the other kind."""

    def __init__(self, failure=3, success=1, initially=False):
        self.failure, self.success, self.result = failure, success, initially
        self.last, self.run = None, 0

    def feed(self, good):
        """Takes one answer; returns the result that now stands."""
        self.run = self.run + 1 if good == self.last else 1
        self.last = good
        if self.run >= (self.success if good else self.failure):
            self.result = good
        return self.result

    @property
    def failed(self):
        """So many failures in a row that the container is killed for it (liveness, startup)."""
        return self.last is False and self.run >= self.failure


class Backoff:
    """How long a container that ended waits for its restart: none the first time, then 10 s, 20 s, up to 300 s; forgotten
    after it ran for 10 minutes."""

    FIRST, LONGEST, HEALTHY = 10, 300, 600

    def __init__(self):
        self.next = 0

    def after(self, ran_seconds):
        if ran_seconds >= self.HEALTHY:
            self.next = 0
        wait = self.next
        self.next = min(self.LONGEST, self.next * 2) if self.next else self.FIRST
        return wait


class StopOrders:
    """StopContainer as the runtime obeys it. containerd signals once, and each later order only sets the time of SIGKILL
    anew; docker signals at each. A timeout of 0 is SIGKILL at once, without a signal."""

    def __init__(self, signals_again=False):
        self.signals_again, self.signalled, self.kill_at = signals_again, False, None

    def stop(self, now, timeout):
        """Takes an order; true when the stop signal is to be sent."""
        self.kill_at = now + timeout
        if timeout == 0 or (self.signalled and not self.signals_again):
            return False
        self.signalled = True
        return True
