"""The chart and the Kustomize folders as lists of objects, by the real helm and kubectl."""

import functools
import json
import pathlib
import subprocess

import yaml

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "sluice"
HELM = ROOT / ".cache" / "deploy" / "helm"
KUBECTL = ROOT / ".cache" / "deploy" / "kubectl"
NAMESPACE = "tools"

VALUE_SETS = sorted(p.name.removesuffix("-values.yaml") for p in (CHART / "ci").glob("*-values.yaml"))
OVERLAYS = ["base", *sorted(f"overlays/{p.name}" for p in (DEPLOY / "kustomize/overlays").iterdir())]


class StrictLoader(yaml.CSafeLoader):
    """A key that comes twice is a fault, as it is for the API server."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(k) for k, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key comes twice in {sorted(keys)}: {node.start_mark}"
        return super().construct_mapping(node, deep)


def parse(text):
    return [o for o in yaml.load_all(text, StrictLoader) if o]  # noqa: S506


def run(*command, given=None, env=None):
    return subprocess.run([*map(str, command)], input=given, text=True, capture_output=True, timeout=60, env=env)


def helm_template(*options, values=None, release="test"):
    """The finished process of `helm template`; `values` are given as a file would be."""
    return run(HELM, "template", release, CHART, "-n", NAMESPACE, "--values", "-", *options,
               given=json.dumps(values or {}))


def render(values=None, *options):
    done = helm_template(*options, values=values)
    assert done.returncode == 0, done.stderr
    return parse(done.stdout)


def values_of(name):
    return yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text())


@functools.cache
def rendered(name):
    """The objects of a set of values in the chart's ci folder. Not to be changed."""
    return render(values_of(name))


@functools.cache
def kustomized(folder):
    done = run(KUBECTL, "kustomize", DEPLOY / "kustomize" / folder)
    assert done.returncode == 0, done.stderr
    return parse(done.stdout)


def schema_faults(objects):
    done = run("node", HERE / "validate.mjs", given=json.dumps(objects))
    assert done.returncode == 0, done.stderr
    return [f"{o['kind']}/{o['metadata']['name']}: {fault}"
            for o, faults in zip(objects, json.loads(done.stdout), strict=True) for fault in faults]


def of_kind(objects, kind):
    return [o for o in objects if o["kind"] == kind]


def one(objects, kind, suffix=""):
    found = [o for o in of_kind(objects, kind) if o["metadata"]["name"].endswith(suffix)]
    assert len(found) == 1, f"{len(found)} objects of kind {kind}"
    return found[0]


def pod_of(objects):
    return one(objects, "Deployment")["spec"]["template"]["spec"]


def gateway_of(objects):
    pod = pod_of(objects)
    found = [c for c in pod.get("initContainers", []) + pod["containers"] if c["name"] == "sluice"]
    assert len(found) == 1
    return found[0]


def servers_json(objects):
    """The text of servers.json; None when it is not among the objects."""
    for o in objects:
        for part in ("data", "stringData"):
            if "servers.json" in o.get(part, {}):
                return o[part]["servers.json"]
    return None
