"""The node: starts a gateway by its command line, watches its end, and knows what it left behind.

What belongs to a gateway is found in four ways, for each alone can be escaped: as its descendant while it ran, by its
session, by a mark in the environment, and, because the node is a subreaper, as an orphan that became a child of ours.
"""

import asyncio
import os
import pathlib
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass

from processes import become_subreaper, children_of, descendants_of
from unshare import UNSHARE

MARK = "KUBE_KIT_MARK"
PORTS = range(18000, 32000)  # below the ephemeral ones, so that no client takes a pod's port
NAMESPACE = [*UNSHARE, "--pid", "--mount", "--mount-proc", "--fork", "--kill-child", "--"]
TCP_LISTEN = "0A"


@dataclass(frozen=True)
class Pid:
    """A process for good: the number alone may be given to another."""

    pid: int
    started: str


def stat_of(pid):
    """(state, parent, session, start time), or None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), int(fields[3]), fields[19]


def identify(pid):
    stat = stat_of(pid)
    return Pid(pid, stat[3]) if stat else None


def is_alive(process):
    stat = stat_of(process.pid)
    return stat is not None and stat[3] == process.started and stat[0] not in "ZX"


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def has_mark(pid, mark):
    try:
        return mark in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def listening_ports():
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = pathlib.Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        ports |= {int(f[1].rpartition(":")[2], 16) for f in map(str.split, lines) if f[3] == TCP_LISTEN}
    return ports


class Process:
    """One gateway. `exited` is a future of its exit code (negative for a signal, as subprocess has it)."""

    def __init__(self, node, name, command, env, cwd, pid_namespace):
        self.node, self.name, self.mark = node, name, f"{MARK}={uuid.uuid4().hex}".encode()
        self.log_path = node.directory / f"{name}.log"
        self.seen, self.killed, self.exited_at = set(), False, None
        key, _, value = self.mark.decode().partition("=")
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                [*(NAMESPACE if pid_namespace else []), *map(str, command)],
                env={**env, key: value},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.init = None if pid_namespace else self.popen.pid
        self.exited = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(self.popen.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_exit)

    @property
    def running(self):
        return not self.exited.done()

    def _on_exit(self):
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.exited_at = time.monotonic()
        code = self.popen.wait()
        if not self.exited.done():
            self.exited.set_result(code)

    async def wait(self):
        """Its exit code. Who waits may be cancelled without harm to who else waits."""
        return await asyncio.shield(self.exited)

    def init_pid(self):
        """The pid, as we see it, that the runtime signals: in a namespace of its own the child of unshare."""
        if self.init is None:
            self.init = next(iter(children_of(self.popen.pid)), None)
        return self.init

    def signal(self, number):
        """Signals init alone, as a runtime does; false when there is none."""
        if not self.running or self.init_pid() is None:
            return False
        self.remember()
        self.killed = self.killed or number == signal.SIGKILL
        try:
            os.kill(self.init_pid(), number)
        except ProcessLookupError:
            return False
        return True

    def remember(self):
        """Notes all that descends from it now, so that it is known when its parent is gone."""
        if self.running:
            self.seen |= {p for p in map(identify, descendants_of(self.popen.pid)) if p}

    def left(self):
        """Processes that outlived it."""
        candidates = set(self.seen)
        for pid in all_pids():
            stat = stat_of(pid)
            if stat and pid != self.popen.pid and (stat[2] == self.popen.pid or has_mark(pid, self.mark)):
                candidates.add(Pid(pid, stat[3]))
        return sorted((p for p in candidates | self.node.adopted() if is_alive(p)), key=lambda p: p.pid)

    def log_text(self):
        return self.log_path.read_text(errors="replace")


class Node:
    def __init__(self, directory):
        become_subreaper()
        self.directory = pathlib.Path(directory)
        self.processes, self._next_port = [], PORTS.start + os.getpid() % 97 * 140
        self._others = set(children_of(os.getpid()))

    def start(self, name, command, env=None, cwd=None, pid_namespace=False):
        process = Process(self, name, command, os.environ if env is None else env, cwd, pid_namespace)
        self.processes.append(process)
        return process

    def port(self):
        """A port that nobody listens at."""
        for _ in range(len(PORTS)):
            self._next_port = PORTS.start + (self._next_port + 1 - PORTS.start) % len(PORTS)
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", self._next_port))
                    return self._next_port
                except OSError:
                    continue
        raise OSError("no port is free")

    def own(self, pid):
        """A child of ours that is no orphan: that of an exec hook."""
        self._others.add(pid)

    def adopted(self):
        """Orphans that became children of ours. Dead ones are reaped."""
        known = self._others | {p.popen.pid for p in self.processes}
        found = set()
        for pid in set(children_of(os.getpid())) - known:
            process = identify(pid)
            if process and is_alive(process):
                found.add(process)
            elif process:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
        return found

    async def sweep(self):
        """Kills what still runs, and all that was left: the node is empty again."""
        for process in self.processes:
            process.remember()
            if process.running:
                os.killpg(process.popen.pid, signal.SIGKILL)
        for process in self.processes:
            await process.wait()
            for _ in range(10):
                left = process.left()
                for p in left:
                    try:
                        os.kill(p.pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                if not left:
                    break
                await asyncio.sleep(0.02)
        self.adopted()
