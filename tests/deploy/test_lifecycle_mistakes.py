"""`sluice check --deployment` with all that is rendered here, as it comes from helm and kubectl: it has nothing to warn of."""

import os
import re

import pytest
from manifest_tools import CHART, DEPLOY, HELM, KUBECTL, OVERLAYS, VALUE_SETS, run

SLUICE = os.environ["SLUICE"]
EXAMPLES = sorted(p.relative_to(DEPLOY) for p in (DEPLOY / "examples").glob("*.yaml"))
PATIENT = {"grace-calls", "config-unseen"}  # calls that may take longer than the pod; files that are elsewhere


def text_of(*command):
    done = run(*command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(text):
    """The names of the rules that have found something; there may be nothing but advice."""
    done = run(SLUICE, "check", "--deployment", "-", given=text)
    assert done.returncode == 0 and ": warning: " not in done.stdout, done.stdout
    assert "Shutdown plan: " in done.stdout and done.stderr == ""
    return set(re.findall(r"\[([a-z-]+)\]$", done.stdout, re.M))


@pytest.mark.parametrize("name", VALUE_SETS)
def test_the_chart(name):
    meant = {"everything": {"shared-processes", "cpu-limit"}, "shared-pid": {"shared-processes"}}.get(name, set())
    text = text_of(HELM, "template", "test", CHART, "--values", CHART / "ci" / f"{name}-values.yaml")
    assert check(text) <= PATIENT | meant


def test_the_chart_as_it_is():
    assert check(text_of(HELM, "template", "my-release", CHART)) == set()


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_kustomize_folders(folder):
    assert check(text_of(KUBECTL, "kustomize", DEPLOY / "kustomize" / folder)) <= PATIENT


def test_the_plain_manifest():
    assert check((DEPLOY / "kubernetes.yaml").read_text()) == set()


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_the_examples(path):
    check((DEPLOY / path).read_text())
