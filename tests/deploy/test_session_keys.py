"""Session keys that Helm made are kept when a release is upgraded, and a new name gets a new key. Helm looks into a
cluster for that; here it is a few answers over HTTP on loopback."""

import base64
import contextlib
import http.server
import json
import threading

import pytest
from manifest_tools import NAMESPACE, helm_template, one, parse


KINDS = {
    "v1": ["ConfigMap", "Pod", "Secret", "Service", "ServiceAccount"],
    "apps/v1": ["Deployment"],
    "policy/v1": ["PodDisruptionBudget"],
}


def resources(version):
    return {"kind": "APIResourceList", "groupVersion": version, "resources": [
        {"name": f"{kind.lower()}s", "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": ["get"]}
        for kind in KINDS[version]]}


def group(version):
    only = {"groupVersion": version, "version": "v1"}
    return {"name": version.partition("/")[0], "versions": [only], "preferredVersion": only}


NOT_FOUND = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
DISCOVERY = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group("apps/v1"), group("policy/v1")]},
    "/api/v1": resources("v1"),
    "/apis/apps/v1": resources("apps/v1"),
    "/apis/policy/v1": resources("policy/v1"),
}
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/test-sluice-session-keys"


class Api(http.server.BaseHTTPRequestHandler):
    """As much of the API server as Helm asks for when it renders with a cluster: what there is, and one Secret."""

    secret = None

    def do_GET(self):
        path = self.path.partition("?")[0]
        found = self.secret if path == SECRET else DISCOVERY.get(path)
        body = json.dumps(found or NOT_FOUND).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def cluster(folder, secret):
    handler = type("Handler", (Api,), {"secret": secret})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}]}))
    try:
        yield ["--dry-run=server", "--disable-openapi-validation", "--kubeconfig", str(kubeconfig)]
    finally:
        server.shutdown()
        server.server_close()


def keys(folder, names, secret=None):
    with cluster(folder, secret) as options:
        done = helm_template(*options, values={"session": {"keys": names}})
    assert done.returncode == 0, done.stderr
    return one(parse(done.stdout), "Secret")["data"]


def kept(data):
    """The Secret as an earlier release of the same name has left it."""
    return {
        "kind": "Secret", "apiVersion": "v1", "data": data,
        "metadata": {
            "name": "test-sluice-session-keys", "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "test", "meta.helm.sh/release-namespace": NAMESPACE}}}


def test_the_first_install_makes_keys(tmp_path):
    data = keys(tmp_path, ["a", "b"])
    assert list(data) == ["a", "b"]
    assert all(len(base64.b64decode(base64.b64decode(key))) == 32 for key in data.values())


@pytest.mark.parametrize("names", [["a"], ["b", "a"], ["a", "b"]])
def test_an_upgrade_keeps_keys_and_adds_new_ones(tmp_path, names):
    before = keys(tmp_path, ["a"])
    after = keys(tmp_path, names, kept(before))
    assert sorted(after) == sorted(names)
    assert after["a"] == before["a"]
    assert len(set(after.values())) == len(names)


def test_a_key_that_is_no_longer_named_goes(tmp_path):
    assert list(keys(tmp_path, ["b"], kept({"a": "YQ==", "b": "Yg=="}))) == ["b"]
