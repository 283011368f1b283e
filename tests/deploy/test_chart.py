"""The Helm chart with the sets of values in its ci folder: by the schemas, by the rules, and what each set is there for."""

import base64
import hashlib
import json
import re

import pytest
import yaml
from manifest_rules import all_faults
from manifest_tools import (CHART, DEPLOY, HELM, NAMESPACE, ROOT, VALUE_SETS, gateway_of, helm_template, of_kind, one, parse, pod_of,
                            render, rendered, run, schema_faults, servers_json, values_of)

# ConfigMaps and Secrets that the values name and the chart does not make.
ELSEWHERE = {
    "everything": ["issues"],
    "existing": ["my-servers", "my-session-keys", "my-tls"],
    "existing-configmap": ["my-servers"],
    "ingress-haproxy": ["sluice-tls"],
}

every_set = pytest.mark.parametrize("name", VALUE_SETS)


@every_set
def test_lint_is_content(name):
    done = run(HELM, "lint", "--strict", CHART, "--values", CHART / "ci" / f"{name}-values.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@every_set
def test_objects_follow_schemas_and_rules(name):
    assert schema_faults(rendered(name)) == []
    assert all_faults(rendered(name), ELSEWHERE.get(name, ())) == []


@every_set
def test_objects_bear_the_recommended_labels_and_the_namespace(name):
    for o in rendered(name):
        if not o["metadata"]["name"].endswith(("-extra", "-more")):
            assert o["metadata"]["namespace"] == NAMESPACE
            labels = o["metadata"]["labels"]
            assert {"app.kubernetes.io/name", "app.kubernetes.io/instance"} <= set(labels)
            if o["kind"] != "Pod":
                assert labels["app.kubernetes.io/managed-by"] == "Helm"
                assert labels["helm.sh/chart"].startswith("sluice-")


@every_set
def test_the_same_values_give_the_same_pods(name):
    again = render(values_of(name))
    assert one(again, "Deployment") == one(rendered(name), "Deployment")
    assert servers_json(again) == servers_json(rendered(name))


def test_a_long_release_name_makes_no_name_too_long():
    done = helm_template(values=values_of("everything") | {"fullnameOverride": ""}, release="r" * 53)
    assert done.returncode == 0, done.stderr
    assert all_faults(parse(done.stdout), ["issues"]) == []


def test_the_version_is_that_of_the_program():
    version = re.search(r"version: '(.*?)'", (ROOT / "meson.build").read_text()).group(1)
    chart = (CHART / "Chart.yaml").read_text()
    assert f"\nversion: {version}\n" in chart
    assert f"\nappVersion: {version}\n" in chart
    assert gateway_of(rendered("default"))["image"] == f"sluice:{version}"


# --- the defaults, line by line of what a gateway on Kubernetes needs --------------------------------------------------------


def test_default_deployment():
    spec = one(rendered("default"), "Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert (spec["minReadySeconds"], spec["progressDeadlineSeconds"], spec["revisionHistoryLimit"]) == (5, 600, 3)


def test_default_pod():
    pod = pod_of(rendered("default"))
    assert pod["terminationGracePeriodSeconds"] == 60
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spread = {c["topologyKey"]: c for c in pod["topologySpreadConstraints"]}
    assert set(spread) == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for c in spread.values():
        assert (c["whenUnsatisfiable"], c["matchLabelKeys"]) == ("ScheduleAnyway", ["pod-template-hash"])
    assert "preferredDuringSchedulingIgnoredDuringExecution" in pod["affinity"]["podAntiAffinity"]
    assert pod["dnsConfig"] == {"options": [{"name": "ndots", "value": "2"}]}
    assert not {"initContainers", "shareProcessNamespace", "hostUsers", "priorityClassName"} & set(pod)


def test_default_container():
    c = gateway_of(rendered("default"))
    assert c["args"] == ["serve", "--http", ":8080", "--admin", ":9902", "--insecure", "--config", "/etc/sluice/servers.json"]
    assert [(p["name"], p["containerPort"]) for p in c["ports"]] == [("http", 8080), ("admin", 9902)]
    assert "lifecycle" not in c
    assert c["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert c["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "privileged": False,
        "capabilities": {"drop": ["ALL"]}}
    assert "cpu" in c["resources"]["requests"]
    assert "memory" in c["resources"]["limits"]
    assert "cpu" not in c["resources"]["limits"]


def test_default_probes():
    c = gateway_of(rendered("default"))
    startup, readiness, liveness = c["startupProbe"], c["readinessProbe"], c["livenessProbe"]
    assert [p["httpGet"] for p in (startup, readiness, liveness)] == [
        {"path": path, "port": "admin"} for path in ("/startupz", "/readyz", "/livez")]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 120
    assert (readiness["periodSeconds"], readiness["failureThreshold"]) == (5, 1)
    assert (liveness["periodSeconds"], liveness["failureThreshold"]) == (10, 3)
    assert liveness["terminationGracePeriodSeconds"] == 10
    assert "terminationGracePeriodSeconds" not in readiness


def test_servers_over_stdio_can_write_to_home_and_tmp():
    c = gateway_of(rendered("default"))
    env = {e["name"]: e.get("value") for e in c["env"]}
    mounts = {m["mountPath"]: m["name"] for m in c["volumeMounts"] if not m.get("readOnly")}
    assert set(mounts) == {env["HOME"], env["TMPDIR"]}
    volumes = {v["name"]: v for v in pod_of(rendered("default"))["volumes"]}
    for name in mounts.values():
        assert volumes[name]["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize(("name", "told"), [("default", "json"), ("existing", None)])
def test_the_format_of_the_log_is_that_of_the_file_whatever_the_image_says(name, told):
    env = {e["name"]: e.get("value") for e in gateway_of(rendered(name))["env"]}
    assert env.get("MCP_LOG_FORMAT") == told


def test_servers_json_and_session_keys_are_one_volume():
    volume = next(v for v in pod_of(rendered("default"))["volumes"] if v["name"] == "config")
    assert [next(iter(s)) for s in volume["projected"]["sources"]] == ["configMap", "secret"]
    config = json.loads(servers_json(rendered("default")))
    assert config["session"]["keys"] == [{"id": "initial", "secret": "${file:/etc/sluice/initial}"}]


def test_services():
    service = one(rendered("default"), "Service", "test-sluice")["spec"]
    assert service["type"] == "ClusterIP"
    assert service["publishNotReadyAddresses"] is False
    assert service["internalTrafficPolicy"] == "Cluster"
    assert [p["targetPort"] for p in service["ports"]] == ["http"]  # /drain and /metrics are not for clients
    admin = one(rendered("default"), "Service", "-admin")["spec"]
    assert admin["clusterIP"] == "None"
    assert admin["publishNotReadyAddresses"] is True  # a pod that drains is worth watching


def test_what_is_off_by_default():
    kinds = {o["kind"] for o in rendered("default")}
    assert kinds == {"ConfigMap", "Deployment", "Pod", "PodDisruptionBudget", "Secret", "Service", "ServiceAccount"}


# --- the budget, and one number for it ------------------------------------------------------------------------------------


def lifecycle_of(name):
    return json.loads(servers_json(rendered(name)))["lifecycle"]


@every_set
def test_the_process_is_told_the_grace_period_of_the_pod(name):
    pod, c = pod_of(rendered(name)), gateway_of(rendered(name))
    told = [e["value"] for e in c["env"] if e["name"] == "MCP_GRACE_PERIOD"]
    assert told == [f"{pod['terminationGracePeriodSeconds']}s"]
    assert "gracePeriod" not in (servers_json(rendered(name)) or "")
    assert not any("grace" in a for a in c["args"])


@pytest.mark.parametrize(("name", "pre_stop", "lame_duck"), [
    ("default", "0s", ("5s", "2s", "10s")),
    ("hook-sleep", "10s", ("0s", "2s", "10s")),
    ("hook-http", "0s", ("5s", "2s", "10s")),
    ("hook-exec", "0s", ("5s", "2s", "10s")),
    ("sidecar", "30s", ("0s", "0s", "0s")),
    ("nlb", "0s", ("130s", "2s", "150s")),
    ("everything", "0s", ("8s", "3s", "20s")),
])
def test_the_time_of_a_hook_is_taken_off(name, pre_stop, lame_duck):
    lifecycle = lifecycle_of(name)
    assert lifecycle["preStop"] == pre_stop
    assert tuple(lifecycle["lameDuck"][k] for k in ("min", "quiet", "max")) == lame_duck


@pytest.mark.parametrize(("name", "hook"), [
    ("hook-sleep", {"sleep": {"seconds": 10}}),
    ("hook-http", {"httpGet": {"path": "/drain?hook=1&wait=1", "port": "admin",
                               "httpHeaders": [{"name": "Sluice-Drain", "value": "1"}]}}),
    ("hook-exec", {"exec": {"command": ["sluice", "drain", "--hook", "--wait"]}}),
])
def test_hooks(name, hook):
    assert gateway_of(rendered(name))["lifecycle"] == {"preStop": hook}


@pytest.mark.parametrize(("values", "ready"), [
    ({}, False),
    ({"replicaCount": 1}, True),
    ({"autoscaling": {"enabled": True, "minReplicas": 1}}, True),
    ({"replicaCount": 1, "autoscaling": {"enabled": True, "minReplicas": 2}}, False),
    ({"replicaCount": 1, "lifecycle": {"readyWhileDraining": False}}, False),
    ({"lifecycle": {"readyWhileDraining": True}}, True),
])
def test_one_replica_stays_ready_while_draining(values, ready):
    assert json.loads(servers_json(render(values)))["lifecycle"]["readyWhileDraining"] is ready


@pytest.mark.parametrize(("values", "budgets"), [
    ({}, 1), ({"replicaCount": 1}, 0), ({"autoscaling": {"enabled": True, "minReplicas": 1}}, 0),
    ({"podDisruptionBudget": {"enabled": False}}, 0),
])
def test_a_disruption_budget_is_for_more_than_one_replica(values, budgets):
    found = of_kind(render(values), "PodDisruptionBudget")
    assert len(found) == budgets
    for o in found:
        assert o["spec"]["maxUnavailable"] == 1
        assert o["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


# --- variants -------------------------------------------------------------------------------------------------------------


def test_sidecar():
    pod, c = pod_of(rendered("sidecar")), gateway_of(rendered("sidecar"))
    assert [x["name"] for x in pod["initContainers"]] == ["sluice"]
    assert [x["name"] for x in pod["containers"]] == ["agent"]
    assert c["restartPolicy"] == "Always"
    assert c["args"][:3] == ["serve", "--http", "127.0.0.1:8080"]  # nobody else reaches it
    assert [o["metadata"]["name"] for o in of_kind(rendered("sidecar"), "Service")] == ["test-sluice-admin"]
    annotations = one(rendered("sidecar"), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["kubectl.kubernetes.io/default-container"] == "agent"


def test_shared_process_namespace():
    assert pod_of(rendered("shared-pid"))["shareProcessNamespace"] is True


def test_autoscaling():
    assert "replicas" not in one(rendered("autoscaling"), "Deployment")["spec"]
    spec = one(rendered("autoscaling"), "HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 20)
    assert [m["type"] for m in spec["metrics"]] == ["Resource", "Pods"]
    down = spec["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] == 300
    assert [(p["type"], p["value"], p["periodSeconds"]) for p in down["policies"]] == [("Pods", 1, 60), ("Percent", 10, 60)]


def test_recreate_has_no_rolling_update():
    assert one(render({"strategy": {"type": "Recreate"}}), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_ingress_nginx_streams():
    ingress = one(rendered("ingress-nginx"), "Ingress")
    nginx = {k.split("/")[1]: v for k, v in ingress["metadata"]["annotations"].items()}
    assert nginx["proxy-buffering"] == "off"
    assert nginx["proxy-request-buffering"] == "off"
    assert int(nginx["proxy-read-timeout"]) > 15
    assert nginx["proxy-body-size"] == "16777216"  # as large as Sluice takes
    assert nginx["upstream-hash-by"] == "$http_mcp_session_id$remote_addr"
    paths = [p["path"] for p in ingress["spec"]["rules"][0]["http"]["paths"]]
    assert paths == ["/tools/mcp", "/tools/sse", "/tools/messages"]


def test_own_annotations_of_an_ingress_win():
    annotations = one(rendered("everything"), "Ingress")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "7200"


def test_ingress_alb_and_haproxy():
    alb = one(rendered("ingress-alb"), "Ingress")["metadata"]["annotations"]
    assert alb["alb.ingress.kubernetes.io/target-type"] == "ip"
    assert alb["alb.ingress.kubernetes.io/load-balancer-attributes"] == "idle_timeout.timeout_seconds=60"
    assert alb["alb.ingress.kubernetes.io/target-group-attributes"] == "deregistration_delay.timeout_seconds=120"
    haproxy = one(rendered("ingress-haproxy"), "Ingress")["metadata"]["annotations"]
    assert haproxy == {"haproxy.org/timeout-server": "3600s", "haproxy.org/timeout-tunnel": "3600s",
                       "haproxy.org/server-ssl": "true"}


def test_http_route_has_no_time_limit():
    rule = one(rendered("gateway-api"), "HTTPRoute")["spec"]["rules"][0]
    assert rule["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    assert [m["path"]["value"] for m in rule["matches"]] == ["/mcp", "/sse", "/messages"]


def test_network_policy():
    spec = one(rendered("everything"), "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [[p["port"] for p in rule["ports"]] for rule in spec["ingress"]] == [["http"], ["admin"]]
    assert [[p["port"] for p in rule["ports"]] for rule in spec["egress"]] == [[53, 53], [443]]
    assert spec["ingress"][1]["from"][0] == {"ipBlock": {"cidr": "10.0.0.0/8"}}


def test_without_values_only_labelled_pods_of_the_namespace_come_in():
    objects = render({"networkPolicy": {"enabled": True}})
    rules = one(objects, "NetworkPolicy")["spec"]["ingress"]
    label = {"test-sluice-client": "true"}
    assert [r["from"] for r in rules] == [[{"podSelector": {"matchLabels": label}}]]
    assert label.items() <= one(objects, "Pod")["metadata"]["labels"].items()  # `helm test` must come in


def test_tls():
    objects = rendered("existing")
    assert {"name": "tls", "mountPath": "/etc/sluice-tls", "readOnly": True} in gateway_of(objects)["volumeMounts"]
    config = json.loads(servers_json(render({"tls": {"existingSecret": "x", "clientCa": True},
                                             "settings": {"http": {"idleTimeout": "5m"}}})))
    assert config["http"] == {"idleTimeout": "5m", "tls": {
        "cert": "/etc/sluice-tls/tls.crt", "key": "/etc/sluice-tls/tls.key", "clientCa": "/etc/sluice-tls/ca.crt"}}
    assert one(objects, "Service", "test-sluice")["spec"]["ports"][0]["appProtocol"] == "https"
    assert one(objects, "Pod")["spec"]["containers"][0]["args"][1].startswith("http://test-sluice-admin:9902/")


def test_an_image_by_digest():
    assert gateway_of(rendered("everything"))["image"].startswith("registry.example.com/mcp/sluice@sha256:0123")


def test_extra_objects_are_templates():
    objects = rendered("everything")
    assert one(objects, "ConfigMap", "mcp-gateway-extra")["data"] == {"release": "test"}
    assert one(objects, "ConfigMap", "test-more")


# --- what starts new pods, and what does not --------------------------------------------------------------------------------


def checksum(values):
    return one(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"].get("checksum/config")


def test_only_what_cannot_be_reloaded_starts_new_pods():
    server = {"files": {"command": "file-server"}}
    assert checksum({}) == checksum({"servers": server})
    assert checksum({}) == checksum({"lifecycle": {"lameDuck": {"max": "15s"}}})
    assert checksum({}) == checksum({"settings": {"log": {"level": "debug"}}})
    assert checksum({}) == checksum({"session": {"keys": ["next", "initial"]}})
    assert checksum({}) != checksum({"settings": {"limits": {"maxInFlight": 10}}})
    assert checksum({}) != checksum({"tls": {"existingSecret": "x"}})
    restart = {"config": {"onChange": "restart"}}
    assert checksum(restart) != checksum({**restart, "servers": server})


def test_the_checksum_is_that_of_the_file():
    text = servers_json(rendered("secret"))
    annotations = one(rendered("secret"), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["checksum/config"] == hashlib.sha256(text.rstrip("\n").encode()).hexdigest()


def test_a_file_of_ones_own_has_no_checksum():
    annotations = one(rendered("existing"), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert "checksum/config" not in annotations


def test_session_keys_are_random_and_kept():
    first, second = (one(render(values_of("everything")), "Secret") for _ in range(2))
    assert first["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    keys = [base64.b64decode(base64.b64decode(s["data"][name])) for s in (first, second) for name in ("second", "first")]
    assert [len(k) for k in keys] == [32] * 4
    assert len(set(keys)) == 4


# --- notes ----------------------------------------------------------------------------------------------------------------


def notes(values):
    done = run(HELM, "install", "test", CHART, "-n", NAMESPACE, "--dry-run=client", "--values", "-",
               given=json.dumps(values))
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def test_notes_tell_the_budget_and_the_address():
    text = notes(values_of("single-replica"))
    assert "http://test-sluice.tools:8080/mcp" in text
    assert "5 s to 10 s are for proxies" in text
    assert "41 s at the least are for calls in flight" in text
    assert "7 s at the most are for the MCP servers to stop" in text


@pytest.mark.parametrize(("values", "advice"), [
    ({}, "No MCP server is configured yet"),
    ({}, "The session keys in test-sluice-session-keys were made by Helm"),
    ({}, "open to every pod of the cluster"),
    ({"replicaCount": 1}, "There is one replica"),
    ({"session": {"keys": []}}, "sessions do not survive a rolling update"),
    ({"strategy": {"type": "Recreate"}}, "no pod between the old and the new one"),
    ({"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}, "maxUnavailable is not 0"),
    ({"service": {"type": "LoadBalancer"}}, "NLB with IP targets"),
    ({"ingress": {"enabled": True, "controller": "alb", "hosts": ["x"]}}, "lameDuck.max of 30s"),
    ({"lifecycle": {"hook": {"type": "sleep"}}}, "The preStop sleep is not needed"),
    ({"lifecycle": {"hook": {"type": "httpGet"}}, "networkPolicy": {"enabled": True}}, "networkPolicy.nodes"),
    ({"servers": {"x": {"command": "x"}}}, "memory.oom.group"),
    ({"resources": {"limits": {"cpu": 1}}}, "resources.limits.cpu throttles"),
    ({"config": {"existingConfigMap": "mine"}, "lifecycle": {"hook": {"type": "sleep"}}},
     'servers.json is yours (mine): write lifecycle.preStop "5s"'),
])
def test_notes_give_advice_where_it_fits(values, advice):
    assert advice in notes(values)


def test_notes_are_silent_where_nothing_is_to_be_said():
    text = notes({
        "servers": {"x": {"url": "https://mcp.example.com/mcp"}}, "session": {"existingSecret": "keys"},
        "networkPolicy": {"enabled": True},
    })
    assert "Advice" not in text


def test_metrics_objects_can_be_had_one_by_one():
    assert one(render({"metrics": {"serviceMonitor": {"enabled": True}}}), "ServiceMonitor")
    assert helm_template("--show-only", "templates/monitoring.yaml").returncode != 0  # none by default


def test_the_rules_and_the_dashboard_are_those_of_the_tree():
    objects = rendered("everything")
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())["groups"]
    assert one(objects, "PrometheusRule")["spec"]["groups"][1:] == groups  # after those of the values
    dashboard = json.loads(one(objects, "ConfigMap", "-dashboard")["data"]["sluice.json"])
    assert dashboard == json.loads((DEPLOY / "grafana" / "sluice.json").read_text())
