"""Wrong values are refused when the chart is rendered, with a sentence that says what is wrong."""

import pytest
from manifest_tools import helm_template, render

NO_DURATIONS = ["5x", "s", "-5s", "1m30s", "5 s", ""]


def refusal(values, *options):
    done = helm_template(*options, values=values)
    assert done.returncode != 0, done.stdout
    return done.stderr


# --- the budget -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "sentence"), [
    ({"terminationGracePeriodSeconds": 20},
     "terminationGracePeriodSeconds is 20, but preStop 0 s + lameDuck.max 10 s + drain 10 s + stop 0.5 s + margin 2 s = 22.5 s: "
     "raise it to 23,"),
    ({"lifecycle": {"hook": {"type": "sleep", "seconds": 45}}}, "preStop 45 s + lameDuck.max 10 s"),
    ({"lifecycle": {"lameDuck": {"max": "1m"}}}, "lameDuck.max 60 s"),
    ({"lifecycle": {"drain": "2m"}}, "drain 120 s"),
    ({"lifecycle": {"margin": 50}}, "margin 50 s"),
    ({"lifecycle": {"stop": "45s"}}, "stop 45 s"),
    ({"servers": {"a": {"command": "a"}, "slow": {"command": "b", "stop": {"eof": "40s"}}}}, "stop 42.5 s"),
    ({"servers": {"slow": {"url": "http://x", "stop": {"term": "40s", "eof": "1500ms"}}}}, "stop 42 s"),
    ({"sidecar": {"enabled": True, "mainSeconds": 50}, "extraContainers": [{"name": "a", "image": "a"}]}, "preStop 50 s"),
    ({"config": {"existingConfigMap": "mine"}, "terminationGracePeriodSeconds": 26}, "stop 4.5 s"),
])
def test_a_grace_period_that_is_too_short(values, sentence):
    assert sentence in refusal(values)


@pytest.mark.parametrize("values", [
    {"terminationGracePeriodSeconds": 23},
    {"lifecycle": {"hook": {"type": "sleep", "seconds": 37}}},
    {"lifecycle": {"hook": {"type": "exec"}}, "terminationGracePeriodSeconds": 23},
    {"servers": {"gone": {"command": "b", "disabled": True, "stop": {"eof": "5m"}}}},
    {"servers": {"quick": {"command": "b", "stop": {"eof": 0, "term": "0s"}}}, "terminationGracePeriodSeconds": 23},
    {"terminationGracePeriodSeconds": 3600, "lifecycle": {"lameDuck": {"max": "0.5h"}, "drain": "20m"}},
])
def test_a_grace_period_that_just_fits(values):
    render(values)


def test_lame_duck_the_wrong_way_round():
    assert "lifecycle.lameDuck.min (20 s) is more than lifecycle.lameDuck.max (10 s)" in refusal(
        {"lifecycle": {"lameDuck": {"min": "20s"}}})


@pytest.mark.parametrize("option", ["--grace-period=10s", "--grace-period", "--http", "--admin=off", "--config"])
def test_a_second_place_for_what_the_chart_says(option):
    assert f"extraArgs has {option}, which the chart gives itself" in refusal({"extraArgs": [option]})


def test_a_second_grace_period_in_the_environment():
    assert "extraEnv has MCP_GRACE_PERIOD" in refusal({"extraEnv": [{"name": "MCP_GRACE_PERIOD", "value": "5s"}]})


# --- what does not go together ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "sentence"), [
    ({"config": {"existingConfigMap": "a", "existingSecret": "b"}}, "are both set"),
    ({"config": {"existingSecret": "b"}, "servers": {"a": {"command": "a"}}}, "`servers` would not be used"),
    ({"sidecar": {"enabled": True}}, "wants the main containers in extraContainers"),
    ({"sidecar": {"enabled": True}, "extraContainers": [{"name": "a", "image": "a"}],
      "lifecycle": {"hook": {"type": "exec"}}}, "a sidecar's preStop hook runs while"),
    ({"ingress": {"enabled": True}}, "/ingress/hosts"),
    ({"httpRoute": {"enabled": True}}, "/httpRoute/parentRefs"),
    ({"autoscaling": {"enabled": True, "minReplicas": 20}}, "minReplicas is more than autoscaling.maxReplicas"),
    ({"ingress": {"enabled": True, "controller": "alb", "hosts": ["x"], "timeoutSeconds": 75}},
     "settings.http.idleTimeout (75s) must be longer"),
])
def test_what_does_not_go_together(values, sentence):
    assert sentence in refusal(values)


@pytest.mark.parametrize(("values", "version", "sentence"), [
    ({"lifecycle": {"hook": {"type": "sleep"}}}, "1.29.4", "hook.type sleep needs Kubernetes 1.30, this is v1.29.4"),
    ({"sidecar": {"enabled": True}, "extraContainers": [{"name": "a", "image": "a"}]}, "1.28.0",
     "sidecar.enabled needs Kubernetes 1.29"),
    ({}, "1.27.0", "incompatible with Kubernetes"),
])
def test_what_the_cluster_is_too_old_for(values, version, sentence):
    assert sentence in refusal(values, "--kube-version", version)


@pytest.mark.parametrize("version", ["1.28.0", "1.30.1-eks-1234567", "1.34.0"])
def test_clusters_that_are_new_enough(version):
    render({}, "--kube-version", version)


# --- the schema -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "place"), [
    ({"foo": 1}, "'foo' not allowed"),
    ({"lifecycle": {"graceperiod": "5s"}}, "'graceperiod' not allowed"),
    ({"lifecycle": {"lameDuck": {"minimum": "5s"}}}, "'minimum' not allowed"),
    ({"probes": {"readiness": {"terminationGracePeriodSeconds": 5}}}, "'terminationGracePeriodSeconds' not allowed"),
    ({"settings": {"lifecycle": {}}}, "'lifecycle' not allowed"),
    ({"settings": {"mcpServers": {}}}, "'mcpServers' not allowed"),
    ({"settings": {"session": {"keys": []}}}, "/settings/session/keys"),
    ({"settings": {"http": {"tls": {}}}}, "/settings/http/tls"),
    ({"settings": {"http": {"basePath": "tools/"}}}, "/settings/http/basePath"),
    ({"terminationGracePeriodSeconds": "60s"}, "/terminationGracePeriodSeconds"),
    ({"terminationGracePeriodSeconds": 0}, "/terminationGracePeriodSeconds"),
    ({"lifecycle": {"hook": {"type": "tcpSocket"}}}, "/lifecycle/hook/type"),
    ({"lifecycle": {"hook": {"seconds": 0}}}, "/lifecycle/hook/seconds"),
    ({"lifecycle": {"readyWhileDraining": "yes"}}, "/lifecycle/readyWhileDraining"),
    ({"lifecycle": {"onRequiredLoss": "die"}}, "/lifecycle/onRequiredLoss"),
    ({"probes": {"liveness": {"failureThreshold": 0}}}, "/probes/liveness/failureThreshold"),
    ({"replicaCount": -1}, "/replicaCount"),
    ({"replicaCount": "2"}, "/replicaCount"),
    ({"image": {"digest": "latest"}}, "/image/digest"),
    ({"image": {"repository": ""}}, "/image/repository"),
    ({"session": {"keys": ["servers.json"]}}, "/session/keys/0"),
    ({"session": {"keys": ["a", "a"]}}, "/session/keys"),
    ({"servers": {"a__b": {"command": "a"}}}, "invalid propertyName 'a__b'"),
    ({"servers": {"a": {"comand": "a"}}}, "/servers/a"),
    ({"servers": {"a": {"command": "a", "startup": "later"}}}, "/servers/a/startup"),
    ({"servers": {"a": {"command": "a", "stop": {"kill": "5s"}}}}, "'kill' not allowed"),
    ({"servers": {"a": {"url": "mcp.example.com"}}}, "/servers/a/url"),
    ({"strategy": {"rollingUpdate": {"maxSurge": "lots"}}}, "/strategy/rollingUpdate/maxSurge"),
    ({"service": {"type": "ExternalName"}}, "/service/type"),
    ({"service": {"annotations": {"a": 1}}}, "/service/annotations/a"),
    ({"ingress": {"timeoutSeconds": 10}}, "/ingress/timeoutSeconds"),
    ({"networkPolicy": {"nodes": ["10.0.0.1"]}}, "/networkPolicy/nodes/0"),
    ({"httpRoute": {"timeouts": {"request": "1.5s"}}}, "/httpRoute/timeouts/request"),
    ({"home": {"path": "tmp"}}, "/home/path"),
    ({"resources": {"limits": {"memory": "1 GB"}}}, "/resources/limits/memory"),
    ({"extraEnv": [{"value": "x"}]}, "/extraEnv/0"),
    *[({"lifecycle": {"drain": d}}, "/lifecycle/drain") for d in NO_DURATIONS],
    *[({"servers": {"a": {"command": "a", "stop": {"eof": d}}}}, "/servers/a/stop/eof") for d in NO_DURATIONS],
])
def test_the_schema_refuses(values, place):
    message = refusal(values)
    assert "don't meet the specifications of the schema" in message
    assert place in message
