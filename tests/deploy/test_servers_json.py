"""The real program with what is rendered: it accepts the servers.json of each set of values, and the pod's command line,
probes and hook work, in a network namespace where all ports are free."""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from manifest_tools import (KUBECTL, OVERLAYS, VALUE_SETS, gateway_of, kustomized, one, pod_of, rendered, run,
                            servers_json)

sys.path.append(str(pathlib.Path(__file__).parents[1] / "kube"))
from unshare import UNSHARE  # noqa: E402

SLUICE = os.environ["SLUICE"]
OURS = [n for n in VALUE_SETS if not n.startswith("existing")]
EXPECTED_WARNINGS = ["no server is configured", "there is no such program"]


def lay_out(folder, text):
    """The files that a pod would have, in a folder; the servers.json that names them there, and so its path."""
    named = set(re.findall(r"\$\{file:(/[^}]+)\}", text)) | set(re.findall(r'"(/etc/sluice-tls/[^"]+)"', text))
    for path in named:
        there = folder / path.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(base64.b64encode(os.urandom(32)).decode())
    if "/etc/sluice-tls/" in text:
        tls = folder / "etc/sluice-tls"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
            "-subj", "/CN=sluice", "-keyout", tls / "tls.key", "-out", tls / "tls.crt")
    for path in named:
        text = text.replace(path, f"{folder}{path}")
    config = folder / "etc/sluice/servers.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text)
    return config


def environment(container, folder):
    """The container's variables; those from a Secret have some value."""
    env = {e["name"]: e.get("value", "x") for e in container["env"]}
    return {"PATH": os.environ["PATH"], **env, "HOME": str(folder), "TMPDIR": str(folder)}


def check(objects, folder):
    config = lay_out(folder, servers_json(objects))
    done = run(SLUICE, "check", "--config", config, env=environment(gateway_of(objects), folder))
    assert done.returncode == 0, done.stdout + done.stderr
    warnings = [line for line in done.stdout.splitlines() if "warning:" in line]
    assert [w for w in warnings if not any(known in w for known in EXPECTED_WARNINGS)] == []
    return done.stdout


@pytest.mark.parametrize("objects", [*map(lambda n: ("chart", n), OURS), *map(lambda f: ("kustomize", f), OVERLAYS)],
                         ids=lambda o: o[1])
def test_sluice_accepts_servers_json_and_has_the_budget_of_the_pod(objects, tmp_path):
    objects = {"chart": rendered, "kustomize": kustomized}[objects[0]](objects[1])
    plan = check(objects, tmp_path)
    lifecycle = json.loads(servers_json(objects))["lifecycle"]
    before = float(lifecycle.get("preStop", "0s").removesuffix("s"))
    grace = pod_of(objects)["terminationGracePeriodSeconds"] - before
    assert f"Shutdown plan: {grace:g} s from SIGTERM to SIGKILL" in plan, plan


@pytest.mark.parametrize("objects", [*map(lambda n: ("chart", n), VALUE_SETS), *map(lambda f: ("kustomize", f), OVERLAYS)],
                         ids=lambda o: o[1])
def test_sluice_finds_no_lifecycle_mistake_in_the_manifests(objects):
    manifests = {"chart": rendered, "kustomize": kustomized}[objects[0]](objects[1])
    done = run(SLUICE, "check", "--deployment", "-", given=yaml.safe_dump_all(manifests))
    assert done.returncode == 0, done.stdout
    assert "ok: 0 errors, 0 warnings" in done.stdout, done.stdout


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_where_servers_json_is_kept(kind):
    name = "secret" if kind == "Secret" else "default"
    assert "servers.json" in json.dumps(one(rendered(name), kind, "-config"))
    sources = next(v for v in pod_of(rendered(name))["volumes"] if v["name"] == "config")["projected"]["sources"]
    assert list(sources[0]) == [kind[0].lower() + kind[1:]]


LIFE = """
ip link set lo up
{command} &
pid=$!
for _ in $(seq 100); do "$SLUICE" healthcheck {startup} 2>/dev/null && break; sleep 0.1; done
{probes}
{lame_duck}
sleep 0.3
{after}
{then}
wait $pid
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="network namespaces need root and unshare")
@pytest.mark.parametrize("name", ["default", "single-replica", "hook-exec", "sidecar"])
def test_a_pod_lives_and_ends_as_rendered(name, tmp_path):
    c = gateway_of(rendered(name))
    text = json.loads(servers_json(rendered(name)))
    text["mcpServers"] = {}
    text["lifecycle"]["lameDuck"] = {"min": "3s", "quiet": "0s", "max": "3s"}  # room for a busy machine
    config = lay_out(tmp_path, json.dumps(text))
    sluice = tmp_path / "sluice"
    sluice.symlink_to(SLUICE)
    command = [a.replace("/etc/sluice/servers.json", str(config)) for a in c["args"]]
    ports = {p["name"]: p["containerPort"] for p in c["ports"]}
    urls = {p: f"http://127.0.0.1:{ports[c[p]['httpGet']['port']]}{c[p]['httpGet']['path']}"
            for p in ("startupProbe", "readinessProbe", "livenessProbe")}
    hook = c.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
    ends = ["kill -TERM $pid"] if hook is None else [f"{' '.join(hook)} || exit 11", "kill -TERM $pid"]
    ready = "" if text["lifecycle"]["readyWhileDraining"] else "! "
    script = LIFE.format(
        command=" ".join(["sluice", *command]), startup=urls["startupProbe"], then="\n".join(ends[1:]), lame_duck=ends[0],
        probes="\n".join(f"sluice healthcheck {u} || exit 12" for u in urls.values()),
        after=f"sluice healthcheck {urls['livenessProbe']} || exit 13\n"
              f"{ready}sluice healthcheck {urls['readinessProbe']} 2>/dev/null || exit 14")
    env = {**environment(c, tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}:/usr/sbin:/sbin", "SLUICE": SLUICE}
    done = subprocess.run([*UNSHARE, "--net", "bash", "-c", script], text=True, capture_output=True, timeout=60, env=env,
                          cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stderr.strip().splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("shutdown_complete", 0)


def test_kubectl_is_the_real_one():
    assert "Kustomize Version" in run(KUBECTL, "version", "--client").stdout
