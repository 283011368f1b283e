"""Starts the real binary with a configuration, watches its log, and sees to it that nothing is left behind.

Settings: SLUICE (the binary; build/sluice), EXAMPLE_SERVER (beside it, in examples/), SLUICE_TEST_PATIENCE (a factor
for all time limits, for sanitizer builds and valgrind), SLUICE_TEST_TLS (main ports speak TLS, where a test does not
mind).
"""

import atexit
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from signal import SIGINT, SIGKILL, SIGTERM

import http_client
from certificates import Authority
from http_client import Connection
from mcp_client import McpHttp, McpStdio
from processes import become_subreaper, children_of, command_of, descendants_of  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SLUICE", ROOT / "build" / "sluice"))
EXAMPLE = pathlib.Path(os.environ.get("EXAMPLE_SERVER", BINARY.parent / "examples" / "example-server"))
FAKE = pathlib.Path(__file__).with_name("fake_server.py")
PATIENCE = float(os.environ.get("SLUICE_TEST_PATIENCE", "1"))
http_client.TIMEOUT *= PATIENCE
UNDER_TLS = bool(os.environ.get("SLUICE_TEST_TLS"))

# Teardown must not wait for load balancers that are not there.
NO_LAME_DUCK = {"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}}

# What a sanitizer writes when it has found something.
SANITIZER_MARKS = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "ThreadSanitizer")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def kill_and_wait(pid):
    """Kills a server and waits until Sluice has noticed and reaped it."""
    os.kill(pid, SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), what="the killed process reaped")


def wait_until(condition, timeout=5.0, what="the condition"):
    """Polls; returns the first true value."""
    deadline = time.monotonic() + timeout * PATIENCE
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {timeout * PATIENCE:.1f} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def example(*options, **more):
    """A server entry for the C example server."""
    return {"command": str(EXAMPLE), "args": [str(o) for o in options], **more}


def fake(knobs=None, more=None, **keyword_knobs):
    """A server entry for fake_server.py; `more` are keys of the entry itself."""
    knobs = {**(knobs or {}), **keyword_knobs}
    return {"command": sys.executable, "args": ["-S", "-E", str(FAKE), json.dumps(knobs)], **(more or {})}


def servers(lifecycle=None, http=None, session=None, limits=None, namespace=None, top=None, **entries):
    """A configuration: servers by keyword, the other blocks by their names."""
    config = {"mcpServers": entries, "lifecycle": NO_LAME_DUCK if lifecycle is None else lifecycle}
    for key, block in (("http", http), ("session", session), ("limits", limits), ("namespace", namespace)):
        if block is not None:
            config[key] = block
    return {**config, **(top or {})}


def clean_env(**more):
    """The environment of Sluice: ours, less what would configure it or turn a test."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MCP_", "SLUICE", "PYTEST"))}
    env.pop("http_proxy", None), env.pop("https_proxy", None)
    return {**env, **more}


class Log:
    """The lines of stderr, read by a thread as they come."""

    def __init__(self, pipe):
        self.lines, self.events, self.strange = [], [], []
        self.condition = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self.thread.start()

    def _read(self, pipe):
        for raw in pipe:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            try:
                event = json.loads(line)
                event = event if isinstance(event, dict) else None
            except ValueError:
                event = None
            with self.condition:
                self.lines.append(line)
                (self.strange if event is None else self.events).append(line if event is None else event)
                self.condition.notify_all()
        pipe.close()
        with self.condition:
            self.ended = True
            self.condition.notify_all()

    def find(self, event=None, **fields):
        with self.condition:
            return [
                e
                for e in self.events
                if (event is None or e.get("event") == event) and all(e.get(k) == v for k, v in fields.items())
            ]

    def wait(self, event, timeout=5.0, count=1, **fields):
        """Waits for the `count`-th such event and returns it."""
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            found = self.find(event, **fields)
            if len(found) >= count:
                return found[count - 1]
            with self.condition:
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    raise AssertionError(f"no event {event} {fields} in the log:\n" + self.text())
                self.condition.wait(min(left, 0.05))

    def text(self):
        return "\n".join(self.lines[-60:])


class Sluice:
    """One process of Sluice. Every wait is bounded; `stop` checks what must hold at each end."""

    def __init__(self, args, cwd, env=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, json_log=True, wrap=(), **popen):
        self.json_log, self.address, self.admin = json_log, None, None
        self.expected_codes, self.allow_strange, self.allow_orphans = {0}, False, False
        self.checked = False
        self.process = subprocess.Popen(
            [*wrap, str(BINARY), *map(str, args)],
            cwd=cwd,
            env=clean_env() if env is None else env,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **popen,
        )
        self.pid = self.process.pid  # with `wrap`, a command that runs it: to be set to its own
        self.log = Log(self.process.stderr)

    # where it is

    def wait_listening(self, admin=False, timeout=10.0):
        """Learns from the log where it listens."""
        self.address = self.log.wait("listening", timeout)["address"]
        if admin:
            self.admin = self.log.wait("admin_listening", timeout)["address"]
        return self

    def wait_ready(self, timeout=10.0):
        def ready():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log.text()}"
            with Connection(self.address) as c:
                return c.exchange("GET", "/readyz").status == 200

        wait_until(ready, timeout, "/readyz with 200")
        return self

    # how to talk to it

    def connect(self, **options):
        return Connection(self.address, **options)

    def get(self, path, headers=(), admin=False):
        with Connection(self.admin if admin else self.address) as c:
            return c.exchange("GET", path, headers)

    def health(self):
        return self.get("/health").json()

    def client(self, path="/mcp", timeout=None, **initialize):
        """An initialized client."""
        return self.raw_client(path, timeout).initialize(**initialize)

    def raw_client(self, path="/mcp", timeout=None):
        return McpHttp(self.address, path, timeout or http_client.TIMEOUT)

    def stdio_client(self):
        return McpStdio(self.process.stdout, self.process.stdin, http_client.TIMEOUT)

    # its end

    def signal(self, number):
        if self.process.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout=10.0):
        """Waits for the end and returns the exit code."""
        try:
            code = self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout * PATIENCE:.1f} s:\n{self.log.text()}") from None
        self.log.thread.join(2 * PATIENCE)
        return code

    def timed_wait(self, timeout=10.0):
        """Waits for the end: (exit code, seconds)."""
        start = time.monotonic()
        return self.wait(timeout), time.monotonic() - start

    def terminate(self, number=SIGTERM, timeout=10.0):
        self.signal(number)
        return self.wait(timeout)

    def last_line(self):
        return self.log.wait("shutdown_complete", 1.0)

    def stop(self):
        """Ends it if it still runs, and checks: exit code, tidy log, nobody left behind."""
        try:
            if self.process.poll() is None:
                self._stop_running()
            self.log.thread.join(2 * PATIENCE)
            if not self.checked:
                self.check()
        finally:
            self._sweep()

    def _stop_running(self):
        for patience in (3.0, 4.0):  # the second signal makes it fast
            self.signal(SIGINT)
            try:
                self.process.wait(patience * PATIENCE)
                return
            except subprocess.TimeoutExpired:
                continue
        os.killpg(self.process.pid, SIGKILL)
        self.process.wait()
        raise AssertionError(f"had to be killed; two SIGINT did not end it:\n{self.log.text()}")

    def check(self):
        self.checked = True
        code = self.process.returncode
        assert not any(mark in line for line in self.log.strange for mark in SANITIZER_MARKS), "\n".join(self.log.lines)
        assert code in self.expected_codes, f"exit code {code}:\n{self.log.text()}"
        if self.json_log and not self.allow_strange:
            assert not self.log.strange, f"lines that are no JSON object: {self.log.strange[:5]}"
            for event in self.log.events:
                assert all(key in event for key in ("ts", "level", "event", "msg")), event
        if not self.allow_orphans:
            left = self.left_behind()
            assert not left, f"left behind: {[(pid, command_of(pid)) for pid in left]}"

    def left_behind(self):
        """Living descendants that outlived it; the subreaper has made them children of ours."""
        return [pid for pid in children_of(os.getpid()) if pid not in known_children and is_alive(pid)]

    def _sweep(self):
        for pid in children_of(os.getpid()):
            if pid in known_children:
                continue
            try:
                os.kill(pid, SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


# Children of the test process that are not orphans: every Popen of ours, while a test runs.
known_children = set()


@functools.cache
def certificates():
    """An authority of this process, and a certificate for its gateways."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-certificates-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = Authority(folder)
    return authority.client_context(), authority.issue("gateway")


def under_tls(config):
    """With a certificate, if the whole run is under TLS and the test says nothing of it."""
    if not UNDER_TLS or not isinstance(config, dict) or "tls" in config.get("http", {}):
        return config, None
    context, pair = certificates()
    return {**config, "http": {**config.get("http", {}), "tls": {"cert": str(pair.cert), "key": str(pair.key)}}}, context


class Launcher:
    """What the fixture `sluice` gives: starts processes, and stops all of them at the end of the test."""

    def __init__(self, directory):
        self.directory, self.started, self.count = directory, [], 0

    def write(self, config, name=None):
        """Writes a configuration (object, or text as it is) and returns its path."""
        self.count += 1
        path = self.directory / (name or f"servers-{self.count}.json")
        path.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
        return path

    def run(self, *args, **options):
        """Starts any command of Sluice."""
        assert BINARY.exists(), f"{BINARY} is not there: build first, or set SLUICE"
        s = Sluice(args, self.directory, **options)
        known_children.add(s.process.pid)
        self.started.append(s)
        return s

    def output(self, *args, input=None, timeout=10.0, env=None):
        """Runs a command to its end: (exit code, stdout, stderr) as text."""
        assert BINARY.exists(), f"{BINARY} is not there: build first, or set SLUICE"
        done = subprocess.run(
            [str(BINARY), *map(str, args)],
            cwd=self.directory,
            env=clean_env() if env is None else env,
            input=input.encode() if input is not None else b"",
            capture_output=True,
            timeout=timeout * PATIENCE,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert not any(mark in err for mark in SANITIZER_MARKS), err
        return done.returncode, out, err

    def http(self, config, *args, ready=True, at="127.0.0.1:0", admin="off", env=None, **options):
        """`sluice serve --http` on a port that it picks; waits for /readyz unless `ready` is false."""
        config, context = under_tls(config)
        s = self.run(
            *("serve", "--http", at, "--admin", admin, "--config", self.write(config)),
            *("--log-format", "json", *args),
            env=env,
            **options,
        )
        s.wait_listening(admin != "off")
        if context:
            http_client.TLS[s.address] = context
        return s.wait_ready() if ready else s

    def stdio(self, config, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options):
        """`sluice serve` on stdin and stdout."""
        return self.run(
            *("serve", "--config", self.write(config), "--log-format", "json", *args),
            stdin=stdin,
            stdout=stdout,
            **options,
        )

    def close(self):
        faults = []
        for s in self.started:
            try:
                s.stop()
            except AssertionError as e:
                faults.append(e)
            finally:
                http_client.TLS.pop(s.address, None)
                known_children.discard(s.process.pid)
                for pipe in (s.process.stdin, s.process.stdout):
                    if pipe:
                        try:
                            pipe.close()
                        except OSError:
                            pass
        if faults:
            raise faults[0]
