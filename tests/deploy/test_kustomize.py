"""The Kustomize folders and the plain manifest: by the schemas, by the rules, and made of the chart as it is now."""

import json
import shutil

import pytest
from manifest_rules import all_faults
from manifest_tools import (CHART, DEPLOY, KUBECTL, OVERLAYS, ROOT, gateway_of, kustomized, of_kind, one, parse, pod_of,
                            run, schema_faults, servers_json)

ELSEWHERE = ["sluice-session-keys", "issues"]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_objects_follow_schemas_and_rules(folder):
    assert schema_faults(kustomized(folder)) == []
    assert all_faults(kustomized(folder), ELSEWHERE) == []


def test_the_plain_manifest_is_the_base():
    assert parse((DEPLOY / "kubernetes.yaml").read_text()) == kustomized("base")


@pytest.mark.parametrize("folder", OVERLAYS)
def test_nothing_says_that_helm_manages_it(folder):
    text = json.dumps(kustomized(folder))
    assert "helm" not in text.lower()


def test_production():
    objects = kustomized("overlays/production")
    assert {o["metadata"]["namespace"] for o in objects} == {"mcp"}
    assert "replicas" not in one(objects, "Deployment")["spec"]
    assert {"HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor"} < {
        o["kind"] for o in objects}
    assert gateway_of(objects)["image"].startswith("registry.example.com/mcp/sluice:")


def test_single_replica():
    objects = kustomized("overlays/single-replica")
    assert one(objects, "Deployment")["spec"]["replicas"] == 1
    assert of_kind(objects, "PodDisruptionBudget") == []
    assert json.loads(servers_json(objects))["lifecycle"]["readyWhileDraining"] is True


def test_sidecar():
    pod = pod_of(kustomized("overlays/sidecar"))
    assert [c["name"] for c in pod["initContainers"] if c["restartPolicy"] == "Always"] == ["sluice"]
    assert of_kind(kustomized("overlays/sidecar"), "Service") == []


def test_shared_process_namespace(tmp_path):
    shutil.copytree(DEPLOY / "kustomize", tmp_path / "kustomize")
    overlay = tmp_path / "kustomize/overlays/shared"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "resources: [../../base]\ncomponents: [../../components/shared-process-namespace]\n")
    done = run(KUBECTL, "kustomize", overlay)
    assert done.returncode == 0, done.stderr
    assert pod_of(parse(done.stdout))["shareProcessNamespace"] is True


def files(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_what_is_made_of_the_chart_is_as_the_chart_is_now(tmp_path):
    done = run(ROOT / "tools" / "manifests", tmp_path)
    assert done.returncode == 0, done.stderr
    made, kept = files(tmp_path), files(DEPLOY)
    assert len(made) > 10
    for name, text in made.items():
        assert kept.get(name) == text, f"deploy/{name} is not current: run ./dev manifests"


@pytest.mark.parametrize(("source", "copy"), [
    ("grafana/sluice.json", "dashboard.json"), ("prometheus/rules.yaml", "rules.yaml")])
def test_the_chart_has_the_dashboard_and_the_rules(source, copy):
    ours, theirs = CHART / "files" / copy, DEPLOY / source
    assert ours.exists() == theirs.exists()
    if ours.exists():
        assert ours.read_text() == theirs.read_text(), f"{copy} is not current: run ./dev manifests"
