#!/usr/bin/python3
"""S34: SIGTERM in the first milliseconds after exec, many times. Between exec and the first statement of main nobody can
block or take a signal: an ordinary process is killed by it, and as PID 1 of a container the kernel drops it, so that the
gateway goes on as if nothing had been. This counts how often, and requires that afterwards none is lost.

    tests/kube/sigterm_at_start.py [TRIES] [PROGRAM...]      1,000 tries of build/sluice and build-static/sluice
"""

import contextlib
import ctypes
import json
import os
import pathlib
import random
import select
import sys
import tempfile
import time
from dataclasses import dataclass, field
from signal import SIGKILL, SIGTERM

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = float(os.environ.get("SLUICE_TEST_PATIENCE", "1"))
EXAMPLE = os.environ.get("EXAMPLE_SERVER", str(ROOT / "build" / "examples" / "example-server"))

LATEST_MS = 5.0
EXIT_S = 5.0  # far more than a gateway needs to leave that has nothing in flight
LOST_S = 0.1  # it is up, and has said nothing of a signal for so long: it did not get any
CLONE_NEWPID, SYS_CLONE = 0x20000000, {"x86_64": 56, "aarch64": 220}[os.uname().machine]

libc = ctypes.PyDLL(None, use_errno=True)  # keeps the GIL, which another thread would have taken in a clone of this one


@dataclass
class Series:
    """The same program, started in the same way, again and again."""

    program: str
    as_pid_1: bool
    tries: int = 0
    in_time: int = 0  # exit code 0
    lost: list = field(default_factory=list)  # delays in ms, of those that came before main
    exit_ms: list = field(default_factory=list)
    blocked_ms: list = field(default_factory=list)  # from exec to the first statement of main, as /proc shows it
    faults: list = field(default_factory=list)


def clone(as_pid_1):
    """fork(), into a new pid namespace if wanted. As little Python as possible may run in the child."""
    pid = libc.syscall(SYS_CLONE, (CLONE_NEWPID if as_pid_1 else 0) | 17, 0, 0, 0, 0)  # 17: SIGCHLD at its end
    if pid < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return pid


def can_be_pid_1():
    """Whether this machine lets us make pid namespaces."""
    try:
        pid = clone(True)
    except OSError:
        return False
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True


class Process:
    """One gateway, from the moment of its exec on. Its log is read only as far as it is needed."""

    def __init__(self, series, arguments):
        exec_read, exec_write = os.pipe()  # close-on-exec: its end is the moment of exec
        self.log_fd, log_write = os.pipe()
        self.log, self.code = b"", None
        self.pid = clone(series.as_pid_1)
        if self.pid == 0:
            try:
                os.dup2(log_write, 2)
                os.execv(series.program, [series.program, *arguments])
            finally:
                os._exit(127)
        os.close(exec_write), os.close(log_write)
        os.read(exec_read, 1)
        self.exec_at = time.perf_counter()
        os.close(exec_read)

    def blocks_sigterm(self):
        with contextlib.suppress(OSError), open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith("SigBlk:"):
                    return bool(int(line.split()[1], 16) & 1 << (SIGTERM - 1))
        return False

    def read_log(self, seconds):
        """What came within that time; False at its end."""
        if not select.select([self.log_fd], [], [], seconds)[0]:
            return True
        data = os.read(self.log_fd, 65536)
        self.log += data
        return data != b""

    def wait_exit(self, seconds):
        """The exit code, negative for a signal; None if it runs on."""
        deadline = time.perf_counter() + seconds
        while self.code is None and time.perf_counter() < deadline:
            if self.read_log(0.01):
                continue
            while self.code is None and time.perf_counter() < deadline:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid != 0:
                    self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def read_log_until(self, text, seconds):
        """Whether that text came within that time; true at the end of the log too."""
        deadline = time.perf_counter() + seconds
        while text not in self.log:
            if time.perf_counter() > deadline:
                return False
            if not self.read_log(0.01):
                return True
        return True

    def has_taken_it(self):
        """False when it has been up for a while and says nothing of a signal."""
        self.read_log_until(b'"to":"ready"', EXIT_S * PATIENCE)
        return self.read_log_until(b'"event":"signal"', LOST_S * PATIENCE)

    def close(self):
        if self.code is None:
            os.kill(self.pid, SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.log_fd)


def spin_until(at):
    while time.perf_counter() < at:
        pass


def require(series, p, code, what):
    if code != 0:
        series.faults.append(f"{what}: exit code {code}: {p.log.decode(errors='replace')[-2000:]}")


def note_lost(series, p, delay_ms, was_blocked):
    """It came before main. A gateway that lives must take the next one."""
    series.lost.append(delay_ms)
    if was_blocked:
        series.faults.append(f"lost after {delay_ms:.3f} ms, when main had blocked it")
    if p.code is None:
        os.kill(p.pid, SIGTERM)
        require(series, p, p.wait_exit(EXIT_S * PATIENCE), "the second SIGTERM")


def one_try(series, arguments, delay_ms):
    p = Process(series, arguments)
    try:
        spin_until(p.exec_at + delay_ms / 1000)
        was_blocked = p.blocks_sigterm()
        sent_at = time.perf_counter()
        os.kill(p.pid, SIGTERM)
        series.tries += 1
        taken = not series.as_pid_1 or p.has_taken_it()
        code = p.wait_exit(EXIT_S * PATIENCE) if taken else None
        if not taken or code == -SIGTERM:
            note_lost(series, p, delay_ms, was_blocked)
            return
        require(series, p, code, f"SIGTERM after {delay_ms:.3f} ms")
        series.in_time += code == 0
        series.exit_ms.append((time.perf_counter() - sent_at) * 1000)
    finally:
        p.close()


def one_at_main(series, arguments):
    """The earliest that must not be lost: as soon as /proc shows that main has blocked it."""
    p = Process(series, arguments)
    try:
        while not p.blocks_sigterm():
            if time.perf_counter() > p.exec_at + EXIT_S * PATIENCE:
                series.faults.append("SIGTERM is never blocked")
                return
        series.blocked_ms.append((time.perf_counter() - p.exec_at) * 1000)
        os.kill(p.pid, SIGTERM)
        require(series, p, p.wait_exit(EXIT_S * PATIENCE), "SIGTERM at the start of main")
    finally:
        p.close()


def run(program, as_pid_1, tries, seed=34):
    """So many tries at random moments, and a tenth as many at the very start of main."""
    chance, series = random.Random(seed), Series(str(program), as_pid_1)
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory) / "servers.json"
        lame_duck = {"min": "0s", "quiet": "0s", "max": "0s"}
        entries = {"ex": {"command": EXAMPLE, "startup": "required"}}
        config.write_text(json.dumps({"mcpServers": entries, "lifecycle": {"lameDuck": lame_duck}}))
        arguments = ["serve", "--http", "127.0.0.1:0", "--admin", "off", "--log-format", "json", "--config", str(config)]
        for _ in range(tries):
            one_try(series, arguments, chance.uniform(0, LATEST_MS))
        for _ in range(tries // 10):
            one_at_main(series, arguments)
    return series


def median(values):
    return sorted(values)[len(values) // 2] if values else float("nan")


HEAD = "program                start    tries  exit 0   lost   lost, by ms after exec: 0- 1- 2- 3- 4-   main p50   exit p50/max"


def row(series):
    by_ms = [sum(int(delay) == ms for delay in series.lost) for ms in range(5)]
    return (
        f"{pathlib.Path(series.program).parent.name + '/sluice':<22} {'PID 1' if series.as_pid_1 else 'child':<7}"
        f" {series.tries:>6} {series.in_time:>7} {len(series.lost):>6}   {by_ms!s:>34}"
        f"   {median(series.blocked_ms):>5.2f} ms   {median(series.exit_ms):.1f}/{max(series.exit_ms, default=0):.1f} ms"
    )


def main(tries=1000, *programs):
    faults = []
    print(HEAD)
    for program in programs or [ROOT / "build/sluice", ROOT / "build-static/sluice"]:
        for as_pid_1 in (True, False):
            series = run(program, as_pid_1, int(tries))
            print(row(series), flush=True)
            faults += series.faults
    print(*faults[:10], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
