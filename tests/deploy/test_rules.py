"""The rules by which the manifests are judged find faults: each test breaks one thing in sound objects."""

import copy

import pytest
from manifest_rules import all_faults, containers
from manifest_tools import gateway_of, of_kind, one, pod_of, rendered, schema_faults


@pytest.fixture
def objects():
    return copy.deepcopy(rendered("everything"))


ELSEWHERE = ["issues"]


def test_sound_objects_have_no_faults(objects):
    assert all_faults(objects, ELSEWHERE) == []


@pytest.mark.parametrize(("breaks", "fault"), [
    (lambda o: gateway_of(o)["securityContext"].pop("allowPrivilegeEscalation"), "allowPrivilegeEscalation is not false"),
    (lambda o: gateway_of(o)["securityContext"]["capabilities"].update(drop=[]), "capabilities are not dropped"),
    (lambda o: gateway_of(o)["securityContext"]["capabilities"].update(add=["SYS_PTRACE"]), "capabilities are added"),
    (lambda o: gateway_of(o)["securityContext"].update(privileged=True), "privileged"),
    (lambda o: gateway_of(o)["securityContext"].update(runAsUser=0), "runAsUser is 0"),
    (lambda o: pod_of(o)["securityContext"].pop("runAsNonRoot"), "runAsNonRoot is not true"),
    (lambda o: pod_of(o)["securityContext"].pop("seccompProfile"), "seccompProfile"),
    (lambda o: pod_of(o).update(hostPID=True), "hostPID"),
    (lambda o: pod_of(o)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}), "volume x is a hostPath"),
    (lambda o: gateway_of(o)["ports"][0].update(hostPort=80), "hostPort"),
    (lambda o: one(o, "Service", "-admin")["spec"]["selector"].update(a="b"), "its selector fits []"),
    (lambda o: one(o, "Deployment")["spec"]["selector"]["matchLabels"].update(a="b"), "its selector fits []"),
    (lambda o: one(o, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].update(a="b"), "its selector fits []"),
    (lambda o: one(o, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].update(a="b"), "its selector fits []"),
    (lambda o: one(o, "ServiceMonitor")["spec"]["selector"]["matchLabels"].update(a="b"), "have the ports []"),
    (lambda o: one(o, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"].update(name="x"), "there is no x"),
    (lambda o: gateway_of(o)["livenessProbe"]["httpGet"].update(port="x"), "has no port x"),
    (lambda o: one(o, "Service", "-admin")["spec"]["ports"][0].update(targetPort="x"), "no container has a port x"),
    (lambda o: one(o, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0].update(port=1), "with port 1"),
    (lambda o: gateway_of(o)["volumeMounts"][0].update(name="x"), "volume x is not both"),
    (lambda o: gateway_of(o)["volumeMounts"][0].update(subPath="x"), "is a subPath"),
    (lambda o: o.remove(one(o, "Secret")), "which nobody makes"),
    (lambda o: pod_of(o).update(terminationGracePeriodSeconds=30), "the pod has 30 s"),
    (lambda o: gateway_of(o).update(lifecycle={"preStop": {"sleep": {"seconds": 90}}}), "takes the whole grace period"),
    (lambda o: gateway_of(o)["livenessProbe"]["httpGet"].update(path="/readyz"), "liveness asks /readyz"),
    (lambda o: o.append(one(o, "Secret")), "comes twice"),
])
def test_what_is_wrong_is_found(objects, breaks, fault):
    breaks(objects)
    assert any(fault in found for found in all_faults(objects, ELSEWHERE)), all_faults(objects, ELSEWHERE)


def test_the_schemas_find_wrong_types_and_unknown_fields(objects):
    deployment = one(objects, "Deployment")
    deployment["spec"]["strategyy"] = {}
    gateway_of(objects)["ports"][0]["containerPort"] = "8080"
    gateway_of(objects)["lifecycle"] = {"preStop": {"sleep": {"second": 5}}}
    one(objects, "HTTPRoute")["spec"]["rules"][0]["timeouts"] = {"request": "5"}
    one(objects, "ServiceMonitor")["spec"]["endpoints"][0]["intervall"] = "30s"
    faults = "\n".join(schema_faults(objects))
    for part in ("/spec/strategyy is unknown", "containerPort type", "sleep required", "sleep/second is unknown",
                 "/timeouts/request pattern", "/intervall is unknown"):
        assert part in faults, faults
    assert len(faults.splitlines()) == 6


def test_an_object_without_a_schema_is_a_fault():
    assert schema_faults([{"apiVersion": "v2", "kind": "Pod", "metadata": {"name": "x"}}]) == [
        "Pod/x: there is no schema of v2/Pod"]


def test_every_container_is_looked_at(objects):
    names = {c["name"] for o in of_kind(objects, "Deployment") for c in containers(o["spec"]["template"]["spec"])}
    assert names == {"sluice", "helper", "prepare"}
