"""The commands of docs/kubernetes.md, run in its order by the real helm, kubectl and sluice. There is no cluster: what only
a cluster can answer has been understood when it fails for want of one, and what would be installed is rendered."""

import os
import re
import subprocess

import pytest
import yaml
from manifest_tools import CHART, HELM, KUBECTL, ROOT

GUIDE = ROOT / "docs" / "kubernetes.md"
NO_CLUSTER = "was refused|connection refused|cluster unreachable"

HELM_SHIM = f"""#!/bin/bash
out=$("{HELM}" "$@" 2>&1); code=$?; echo "$out"
[ $code = 0 ] && exit 0
grep -qE "{NO_CLUSTER}" <<<"$out" || exit $code
[ "$1" != upgrade ] && exit 0
shift
rest=()
for a in "$@"; do [ "$a" = --install ] || rest+=("$a"); done
exec "{HELM}" template "${{rest[@]}}"
"""
KUBECTL_SHIM = f"""#!/bin/bash
out=$("{KUBECTL}" "$@" 2>&1); code=$?; echo "$out"
[ $code = 0 ] || grep -qE "{NO_CLUSTER}" <<<"$out"
"""


@pytest.fixture
def place(tmp_path):
    """A folder like the top of the source tree, and an environment with the commands."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("helm", HELM_SHIM), ("kubectl", KUBECTL_SHIM)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    (tools / "sluice").symlink_to(os.environ["SLUICE"])
    top = tmp_path / "top"
    top.mkdir()
    (top / "deploy").symlink_to(ROOT / "deploy")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("""{"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}]}""")
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)}
    return top, env


def bash(place, script):
    top, env = place
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=top, env=env, text=True, capture_output=True,
                          timeout=120)


def test_every_command_is_understood(place):
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 10
    for block in blocks:
        done = bash(place, block)
        assert done.returncode == 0, block + done.stdout + done.stderr


@pytest.mark.parametrize("wrong", ["kubectl get pods --selektor x", "helm upgrade --install sluice deploy/helm/sluice --set x=1",
                                   "kubectl kustomize deploy/none", "helm test --nonsense"])
def test_a_wrong_command_is_noticed(place, wrong):
    assert bash(place, wrong).returncode != 0


BLOCKS = "autoscaling|config|httpRoute|image|ingress|lifecycle|metrics|networkPolicy|probes|service|session|sidecar|tls"


def test_values_that_the_guide_names_are_there():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    named = set(re.findall(rf"`((?:{BLOCKS})\.[A-Za-z.]+)", GUIDE.read_text()))
    assert len(named) > 20
    for name in named:
        there = values
        for key in name.split("."):
            assert key in there, name
            there = there[key]


def test_sets_of_values_that_the_guide_names_are_there():
    for name in re.findall(r"ci/[a-z-]+\.yaml", GUIDE.read_text()):
        assert (CHART / name).exists(), name
