"""Real containers, by podman on runc, with an image that holds nothing but Sluice, the example server and a shell. The
programs lie in it at the very paths that they have here, so that configurations need not care."""

import contextlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

import pytest

from harness import BINARY, EXAMPLE, children_of, known_children, wait_until

SHELL = ["/bin/sh", "/bin/sleep", "/usr/bin/setsid"]
PAUSE = b"#!/bin/sh\nwhile sleep 1; do :; done\n"
CONF = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
log_driver = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""


def libraries_of(program):
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+)", listed.replace(f"{program}:", ""))  # none: it is static


def write_image(tar):
    programs = [str(BINARY.resolve()), str(EXAMPLE.resolve()), *SHELL]
    files = {*programs, *(library for program in programs for library in libraries_of(program))}
    with tarfile.open(tar, "w", dereference=True) as t:
        for path in sorted(files):
            t.add(path, path)
        for directory in ("proc", "sys", "dev", "etc"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            t.addfile(entry)
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(PAUSE), 0o755
        t.addfile(entry, io.BytesIO(PAUSE))


class Engine:
    def __init__(self, directory):
        self.directory, self.count = directory, 0
        (directory / "containers.conf").write_text(CONF)
        os.environ["CONTAINERS_CONF"] = str(directory / "containers.conf")
        self.command = ["podman", "--storage-driver", "vfs", "--root", f"{directory}/store", "--runroot", f"{directory}/run"]
        self.command += ["--tmpdir", f"{directory}/tmp"]

    def podman(self, *arguments):
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"podman {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def build(self):
        write_image(self.directory / "image.tar")
        self.podman("import", str(self.directory / "image.tar"), "sluice-test")
        self.podman("run", "--rm", "--network", "host", "sluice-test", str(BINARY), "version")

    def run(self, directory, *options):
        """The command that runs a gateway whose /config is `directory`, and the name of its container."""
        self.count += 1
        name = f"gateway-{self.count}"
        mount = ["--volume", f"{directory}:/config:ro"]
        return [*self.command, "run", "--rm", "--name", name, *mount, *options, "sluice-test"], name

    def pid(self, name):
        """Of a container's init, as it is known here."""
        return int(self.podman("inspect", "--format", "{{.State.Pid}}", name))

    @contextlib.contextmanager
    def pod(self):
        """A pod with shareProcessNamespace; gives its name and the pid of its pause process."""
        before = set(children_of(os.getpid()))
        pause = ["--infra-image", "sluice-test", "--infra-name", "pause", "--infra-command", "/pause"]
        self.podman("pod", "create", "--name", "pod", "--share", "pid,net", "--network", "host", *pause)
        try:
            self.podman("pod", "start", "pod")
            known_children.update(set(children_of(os.getpid())) - before)  # conmon of the pause container
            yield "pod", self.pid("pause")
        finally:
            self.podman("pod", "rm", "--force", "--time", "0", "pod")


@pytest.fixture(scope="module")
def engine():
    if os.geteuid() != 0 or not shutil.which("podman") or not shutil.which("runc"):
        pytest.skip("containers need root, podman and runc: tools/need containers")
    made = Engine(pathlib.Path(tempfile.mkdtemp(prefix="sluice-")))  # podman wants short paths
    try:
        made.build()
    except (RuntimeError, subprocess.TimeoutExpired) as e:
        pytest.skip(f"podman on runc does not work here: {e}")
    yield made
    with contextlib.suppress(RuntimeError):
        made.podman("rm", "--all", "--force", "--time", "0")
    shutil.rmtree(made.directory, ignore_errors=True)
