"""What the tests of the reload share: a gateway whose configuration is written anew while it runs, as a plain file or as
Kubernetes mounts a ConfigMap."""

import json
import os
from signal import SIGHUP


def dumps(config):
    return config if isinstance(config, str) else json.dumps(config)


def replace(path, text):
    """As a careful writer does it: never half of it can be seen."""
    other = path.with_name(path.name + ".new")
    other.write_text(text)
    os.replace(other, path)


class Mount:
    """A folder as the kubelet's atomic writer makes it: `name` leads to `..data/name`, and `..data`, which is replaced as
    a whole, to a folder with a version."""

    def __init__(self, folder, **files):
        self.folder, self.version = folder, 0
        folder.mkdir()
        self.swap(**files)
        for name in files:
            (folder / name.replace("__", ".")).symlink_to(f"..data/{name.replace('__', '.')}")

    def path(self, name):
        return self.folder / name

    def swap(self, **files):
        self.version += 1
        version = self.folder / f"..2026_{self.version}"
        version.mkdir()
        for name, text in files.items():
            (version / name.replace("__", ".")).write_text(dumps(text))
        (self.folder / "..data_tmp").symlink_to(version.name)
        os.rename(self.folder / "..data_tmp", self.folder / "..data")
        for old in self.folder.glob("..2026_*"):
            if old != version:
                for file in old.iterdir():
                    file.unlink()
                old.rmdir()


class Reloading:
    """A gateway with the admin port, and its configuration."""

    def __init__(self, sluice, config, *args, path=None, ready=True, **options):
        self.path = path or sluice.directory / "reloaded.json"
        if path is None:
            self.path.write_text(dumps(config))
        self.s = sluice.run(
            *("serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--config", self.path),
            *("--log-format", "json", *args),
            **options,
        )
        self.s.wait_listening(True)
        if ready:
            self.s.wait_ready()

    def reload(self, config=None, event="reloaded", **fields):
        """SIGHUP, with another file or the same; returns the event that tells what came of it."""
        if config is not None:
            replace(self.path, dumps(config))
        count = len(self.s.log.find(event, **fields)) + 1
        self.s.signal(SIGHUP)
        return self.s.log.wait(event, 10, count, **fields)

    def status(self):
        return self.s.get("/status", admin=True).json()

    def backends(self):
        return {b["name"]: b for b in self.status()["backends"]}

    def pid(self, name):
        return self.backends()[name]["pid"]

    def reloads(self, result):
        """The metric."""
        wanted = 'sluice_config_reloads_total{result="%s"} ' % result
        lines = self.s.get("/metrics", admin=True).body.decode().splitlines()
        (line,) = [line for line in lines if line.startswith(wanted)]
        return int(line.removeprefix(wanted))


def counts(event):
    return tuple(event[key] for key in ("added", "removed", "changed", "replaced", "unchanged"))
