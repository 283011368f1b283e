"""The Debian package: what is in it, that it installs, and that what it installs works under systemd."""

import gzip
import json
import re
import subprocess
import threading

import pytest

from harness import BINARY, ROOT, wait_until
from machine import run

CONFIG = {
    "mcpServers": {"example": {"command": "/usr/local/bin/example-server", "startup": "required"}},
    "lifecycle": {"lameDuck": {"min": "0s", "quiet": "0s", "max": "0s"}},
}


def test_it_holds_what_a_package_should(package):
    lines = [line.split(maxsplit=5) for line in run("dpkg-deb", "--contents", package).splitlines()]
    files = {line[5]: line[0] for line in lines if line[0][0] == "-"}
    assert all(line[1] == "root/root" for line in lines)
    assert files["./usr/bin/sluice"] == "-rwxr-xr-x"
    wanted = (
        "./lib/systemd/system/sluice.service ./lib/systemd/system/sluice.socket ./lib/systemd/system/sluice-admin.socket "
        "./etc/sluice/servers.json ./usr/share/man/man1/sluice.1.gz ./usr/share/man/man5/servers.json.5.gz "
        "./usr/share/bash-completion/completions/sluice ./usr/share/doc/sluice/copyright "
        "./usr/share/doc/sluice/lifecycle.md.gz ./usr/share/doc/sluice/examples/servers.json"
    ).split()
    assert [path for path in wanted if files.get(path) != "-rw-r--r--"] == []
    assert not [path for path in files if not path.startswith(("./usr/", "./lib/systemd/system/", "./etc/sluice/"))]
    assert run("dpkg-deb", "--info", package, "conffiles").split() == ["/etc/sluice/servers.json"]


def test_it_says_what_it_needs_and_which_version_it_is(package):
    depends = run("dpkg-deb", "--field", package, "Depends")
    assert set(re.findall(r"[a-z]+[\w.+-]*(?= \()", depends)) == {"libc6", "libssl3", "libuv1", "libyaml-0-2"}
    assert f"sluice {run('dpkg-deb', '--field', package, 'Version')}" == run(BINARY, "version")


def test_lintian_has_nothing_to_say(package):
    done = subprocess.run(["lintian", "--fail-on", "error,warning,info", package], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_installs_into_an_empty_root(package, tmp_path):
    (tmp_path / "var/lib/dpkg/updates").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/info").mkdir()
    (tmp_path / "var/lib/dpkg/status").touch()
    dpkg = ("dpkg", f"--root={tmp_path}", "--force-depends", "--force-not-root", "--force-script-chrootless")
    run(*dpkg, "--install", package)
    assert run(tmp_path / "usr/bin/sluice", "version") == run(BINARY, "version")
    checked = run(tmp_path / "usr/bin/sluice", "check", "--config", tmp_path / "etc/sluice/servers.json")
    assert "ok, 0 servers" in checked
    with gzip.open(tmp_path / "usr/share/man/man5/servers.json.5.gz", "rt") as page:
        assert ".Sh NAME" in page.read()
    run(*dpkg, "--purge", "sluice")
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "dpkg" not in path.parts]


def test_systemd_finds_no_fault_in_the_units(tmp_path):
    for unit in (ROOT / "deploy/systemd").glob("*.s*"):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/sluice", str(BINARY)))
    assert run("systemd-analyze", "verify", "--man=no", *tmp_path.glob("sluice*")) == ""
    run("systemd-analyze", "security", "--offline=true", "--threshold=16", "--no-pager", tmp_path / "sluice.service")


def knock(machine, seconds):
    """Asks /livez without a pause meanwhile; returns a function that gives the statuses (000: no answer) that came."""
    script = (
        f"end=$(($(date +%s) + {seconds})); while [ $(date +%s) -lt $end ]; do "
        "curl -s -o /dev/null -m 10 -w '%{http_code}\n' http://127.0.0.1:8080/livez; done | sort | uniq -c"
    )
    found = []
    thread = threading.Thread(target=lambda: found.append(machine.run(script)))
    thread.start()

    def result():
        thread.join()
        return {status: int(count) for count, status in (line.split() for line in found[0].splitlines())}

    return result


@pytest.mark.slow
def test_under_systemd(machine, package):
    machine.put(package, "/root/sluice.deb")
    machine.run("dpkg --force-depends --install /root/sluice.deb")
    assert machine.run("systemctl is-enabled sluice.service", check=False) == "disabled"
    machine.put(json.dumps(CONFIG), "/etc/sluice/servers.json")
    machine.run("systemctl daemon-reload && systemctl start sluice.service")
    assert machine.run("curl -s http://127.0.0.1:8080/readyz") == "ok"  # at once: started means ready
    assert machine.shows("StatusText") == "ready: 1 of 1 servers connected, 0 calls in flight"

    # who it is, and what its servers may
    pid = machine.shows("MainPID")
    assert machine.run(f"ps -o user= -p {pid}") == "sluice"
    ask = "sluice status --json"
    assert json.loads(machine.run(ask))["backends"][0]["pid"] > 0

    # reload, and a restart during which nobody is refused
    machine.run("systemctl reload sluice.service")
    assert machine.shows("MainPID") == pid
    knocked = knock(machine, 4)
    machine.run("systemctl restart sluice.service && systemctl restart sluice.service")
    machine.run("dpkg --force-depends --install /root/sluice.deb")  # an upgrade restarts it, too
    assert machine.run("systemctl is-active sluice.service") == "active" and machine.shows("MainPID") != pid
    statuses = knocked()
    assert set(statuses) == {"200"} and statuses["200"] > 20

    # the watchdog: one that hangs is replaced
    machine.run("mkdir -p /run/systemd/system/sluice.service.d")
    machine.put("[Service]\nWatchdogSec=1s\nRestartSec=100ms\n", "/run/systemd/system/sluice.service.d/test.conf")
    machine.run("systemctl daemon-reload && systemctl restart sluice.service")
    pid = machine.shows("MainPID")
    machine.run(f"kill -STOP {pid}")
    wait_until(lambda: machine.shows("MainPID") not in ("0", pid), 20, "another process")
    wait_until(lambda: machine.shows("ActiveState") == "active", 20, "its readiness")
    assert machine.shows("NRestarts") == "1"

    # the end
    machine.run("systemctl stop sluice.service")
    assert machine.shows("Result") == "success" and machine.run("pgrep example-server", check=False) == ""
    machine.run("systemctl start sluice.service && dpkg --purge sluice")
    assert machine.run("pgrep sluice", check=False) == ""
    assert machine.run("ls /etc/sluice /usr/bin/sluice 2>/dev/null", check=False) == ""
