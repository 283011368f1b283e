"""Commands, and machines under systemd, for the tests of the package."""

import os
import pathlib
import subprocess

from harness import ROOT, wait_until

LIMIT = 60  # seconds, for any command


def run(*args, check=True, **options):
    """Its output, both streams."""
    done = subprocess.run(list(map(str, args)), stdout=-1, stderr=-2, timeout=LIMIT, text=True, **options)
    assert not check or done.returncode == 0, f"{args}: exit status {done.returncode}\n{done.stdout}"
    return done.stdout


class Machine:
    """A system of its own under systemd (boot.sh), on which commands are run as root."""

    def __init__(self, folder):
        self.folder = folder
        self.log = open(folder.with_name(folder.name + ".log"), "w")
        self.process = subprocess.Popen([ROOT / "tests/packaging/boot.sh", folder], stdout=self.log, stderr=self.log, stdin=-3)
        self.pid = wait_until(self._first, 20, "systemd as the first process")
        wait_until(lambda: "running" in self.run("systemctl is-system-running", check=False), 20, "a system that runs")

    def _first(self):
        assert self.process.poll() is None, pathlib.Path(self.log.name).read_text()
        for child in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            if pathlib.Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                return child
        return None

    def run(self, script, check=True):
        return run("nsenter", "-t", self.pid, "-a", "-r", "-w", "sh", "-c", script, check=check).strip()

    def put(self, source, path):
        self.run(f"mkdir -p {pathlib.Path(path).parent}")
        target = pathlib.Path(f"/proc/{self.pid}/root{path}")
        target.write_bytes(source.read_bytes() if isinstance(source, pathlib.Path) else source.encode())
        target.chmod(0o755 if isinstance(source, pathlib.Path) else 0o644)

    def shows(self, what, unit="sluice.service"):
        return self.run(f"systemctl show --value -p {what} {unit}")

    def close(self):
        """Its first process ends all of them; then the cgroups are empty."""
        subprocess.run(["kill", "-KILL", self.pid], check=False)
        self.process.wait(LIMIT)
        self.log.close()
        for hierarchy in pathlib.Path("/sys/fs/cgroup"), *pathlib.Path("/sys/fs/cgroup").iterdir():
            for path, _, _ in os.walk(hierarchy / self.folder.name, topdown=False):
                wait_until(lambda: self._removed(path), what=f"{path} without processes")

    @staticmethod
    def _removed(path):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        return True
