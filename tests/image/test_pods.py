"""The Pods of deploy/examples, played by podman as they are, but for the network: here is none but the host's, where no
port is mapped. podman runs no startup or readiness probes and no hooks: the probes are asked for here, and hooks are tested in tests/kube."""

import re

import pytest
import yaml
from harness import ROOT, is_alive, wait_until
from http_client import Connection
from mcp_client import McpHttp, call, text_of
from podman import ADMIN, MAIN, Container, family_of, probe

EXAMPLES = ROOT / "deploy" / "examples"
PROBE = re.compile(r"(\w+)Probe:.*?path: (\S+)\s+port: (\d+)", re.S)

LONG = "everything__trigger-long-running-operation"


def in_flight():
    with Connection(ADMIN) as c:
        return c.exchange("GET", "/health").json()["in_flight"]


def play(containers, name, directory):
    text = (EXAMPLES / name).read_text()
    text = text.replace("\nspec:\n", "\nspec:\n  hostNetwork: true\n")
    text, found = re.subn(r"\n +ports:(\n +- name: \w+\n +containerPort: \d+)+", "", text)
    assert (text.count("hostNetwork"), found) == (1, 1)
    manifest = directory / name
    manifest.write_text(text)
    containers.podman("kube", "play", manifest)
    return Container(containers, "sluice-sluice"), dict((kind, path) for kind, path, port in PROBE.findall(text) if port == ADMIN.split(":")[1])


@pytest.mark.parametrize("name, shared", [("pod.yaml", False), ("pod-shared-pid.yaml", True)])
def test_an_example_pod_starts_serves_and_ends(containers, servers_image, tmp_path, name, shared):
    c, probes = play(containers, name, tmp_path)
    assert set(probes) == {"startup", "readiness", "liveness"}
    wait_until(lambda: probe(probes["startup"]) == 200, 30, "the startup probe")
    assert probe(probes["readiness"]) == 200 and probe(probes["liveness"]) == 200 and c.is_healthy()
    assert c.status("Uid")[0] == "65532" and int(c.status("CapBnd")[0], 16) == 0 and c.status("NoNewPrivs") == ["1"]
    assert (c.status("NSpid")[-1] == "1") is not shared

    with McpHttp(MAIN) as client:
        client.initialize()
        assert client.text("everything__echo", {"message": "hello"}) == "Echo: hello"
        assert "Europe/Rome" in client.text("time__get_current_time", {"timezone": "Europe/Rome"})
        pending = client.in_background(call(99, LONG, {"duration": 7, "steps": 7}), timeout=30)
        wait_until(lambda: in_flight() == 1, 5, "the long call")

    family = family_of(c.pid)
    if shared:
        assert c.stop(90)[0] == 0  # `podman pod stop` would end the pause process, and with it all others, at the same time
    containers.podman("pod", "stop", "--time", "90", "sluice")
    assert c.inspect(".State.ExitCode") == "0"
    assert "completed" in text_of(pending.join()["result"]), "a call that runs longer than lame-duck"
    last = c.events("shutdown_complete")[-1]
    assert (last["reason"], last["backends_stopped"], last["backends_killed"]) == ("SIGTERM", 2, 0)
    assert (last["completed"], last["aborted"], last["refused"]) == (1, 0, 0)
    wait_until(lambda: not any(map(is_alive, family)), 2, "the end of all processes")


def all_containers(pod):
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_an_example_is_restricted_and_its_configuration_is_right(sluice, file):
    config, pod = yaml.safe_load_all(file.read_text())
    assert sluice.output("check", "--config", sluice.write(config["data"]["servers.json"]))[0] == 0
    code, said, _ = sluice.output("check", "--deployment", file)
    assert code == 0 and "0 errors, 0 warnings" in said, said
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in all_containers(pod):
        rights = container["securityContext"]
        assert (rights["allowPrivilegeEscalation"], rights["capabilities"]) == (False, {"drop": ["ALL"]})
        assert rights["readOnlyRootFilesystem"] and container["resources"]["limits"]["memory"]
        for name, value in ((e["name"], e["value"]) for e in container.get("env", [])):
            if name == "MCP_GRACE_PERIOD":
                assert int(value.rstrip("s")) <= spec["terminationGracePeriodSeconds"]
