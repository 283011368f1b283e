"""Rules for a set of Kubernetes objects that no schema knows: what is named must be there, and a pod must be one that the
Pod Security Standard "restricted" admits. Each rule gives sentences about what is wrong."""

ALLOWED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def pod_templates(objects):
    """Name, labels, spec of each pod that the objects bring about."""
    for o in objects:
        if o["kind"] == "Pod":
            yield f"Pod/{o['metadata']['name']}", o["metadata"].get("labels", {}), o["spec"]
        if o["kind"] == "Deployment":
            template = o["spec"]["template"]
            yield f"Deployment/{o['metadata']['name']}", template["metadata"]["labels"], template["spec"]


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


# --- Pod Security Standards: restricted ---------------------------------------------------------------------------------


def container_faults(c, pod_context):
    context = c.get("securityContext", {})

    def effective(key):
        return context.get(key, pod_context.get(key))

    if effective("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if effective("runAsUser") == 0:
        yield "runAsUser is 0"
    if (effective("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile is not RuntimeDefault or Localhost"
    if context.get("privileged"):
        yield "privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities are not dropped"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if context.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(p.get("hostPort") for p in c.get("ports", [])):
        yield "hostPort"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if c.get(probe, {}).get("httpGet", {}).get("host"):
            yield f"{probe} names a host"


def security_faults(objects):
    for name, _, pod in pod_templates(objects):
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(key):
                yield f"{name}: {key}"
        for volume in pod.get("volumes", []):
            for kind in set(volume) - {"name"} - ALLOWED_VOLUMES:
                yield f"{name}: volume {volume['name']} is a {kind}"
        for c in containers(pod):
            for fault in container_faults(c, pod.get("securityContext", {})):
                yield f"{name}: container {c['name']}: {fault}"


# --- what is named is there ---------------------------------------------------------------------------------------------


def matches(selector, labels):
    return selector.items() <= labels.items()


def selector_faults(objects):
    pods = list(pod_templates(objects))
    services = [o for o in objects if o["kind"] == "Service"]
    for o in objects:
        name, spec = f"{o['kind']}/{o['metadata']['name']}", o.get("spec", {})
        selector = {
            "Service": lambda s: s["selector"],
            "Deployment": lambda s: s["selector"]["matchLabels"],
            "PodDisruptionBudget": lambda s: s["selector"]["matchLabels"],
            "NetworkPolicy": lambda s: s["podSelector"]["matchLabels"],
        }.get(o["kind"])
        if selector:
            chosen = [n for n, labels, _ in pods if matches(selector(spec), labels)]
            if len(chosen) != 1 or not chosen[0].startswith("Deployment/"):
                yield f"{name}: its selector fits {chosen}"
        if o["kind"] == "ServiceMonitor":
            found = [s for s in services if matches(spec["selector"]["matchLabels"], s["metadata"]["labels"])]
            ports = [p["name"] for s in found for p in s["spec"]["ports"]]
            if ports != [e["port"] for e in spec["endpoints"]]:
                yield f"{name}: the services that it selects have the ports {ports}"
        if o["kind"] == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            if not any(t["kind"] == target["kind"] and t["metadata"]["name"] == target["name"] for t in objects):
                yield f"{name}: there is no {target['name']}"
    for _, labels, pod in pods:
        for constraint in pod.get("topologySpreadConstraints", []):
            if not matches(constraint["labelSelector"]["matchLabels"], labels):
                yield f"the pods are not those of the topology spread over {constraint['topologyKey']}"


def port_faults(objects):
    """Ports by name: of probes, hooks, Services, policies, routes."""
    for name, _, pod in pod_templates(objects):
        for c in containers(pod):
            ports = {p.get("name") for p in c.get("ports", [])}
            asked = [c[p]["httpGet"]["port"] for p in ("startupProbe", "readinessProbe", "livenessProbe") if p in c]
            hook = c.get("lifecycle", {}).get("preStop", {})
            asked += [hook["httpGet"]["port"]] if "httpGet" in hook else []
            for port in set(asked) - ports:
                yield f"{name}: container {c['name']} has no port {port}"
    have = {p.get("name") for _, _, pod in pod_templates(objects) for c in containers(pod) for p in c.get("ports", [])}
    services = {o["metadata"]["name"]: o["spec"]["ports"] for o in objects if o["kind"] == "Service"}
    for o in objects:
        name = f"{o['kind']}/{o['metadata']['name']}"
        wanted, backends = [], []
        if o["kind"] == "Service":
            wanted = [p["targetPort"] for p in o["spec"]["ports"]]
        if o["kind"] == "NetworkPolicy":
            wanted = [p["port"] for rule in o["spec"]["ingress"] for p in rule["ports"]]
        if o["kind"] == "Ingress":
            paths = [p for rule in o["spec"]["rules"] for p in rule["http"]["paths"]]
            backends = [(p["backend"]["service"]["name"], p["backend"]["service"]["port"]["name"], "name") for p in paths]
        if o["kind"] == "HTTPRoute":
            backends = [(b["name"], b["port"], "port") for rule in o["spec"]["rules"] for b in rule["backendRefs"]]
        for port in set(wanted) - have:
            yield f"{name}: no container has a port {port}"
        for service, port, key in backends:
            if port not in [p[key] for p in services.get(service, [])]:
                yield f"{name}: there is no service {service} with port {port}"


def volume_faults(objects, elsewhere=()):
    """Volumes and what they are made of. `elsewhere` names ConfigMaps and Secrets that somebody else makes."""
    there = {o["metadata"]["name"] for o in objects if o["kind"] in ("ConfigMap", "Secret")} | set(elsewhere)
    for name, _, pod in pod_templates(objects):
        volumes = {v["name"]: v for v in pod.get("volumes", [])}
        mounted = {m["name"] for c in containers(pod) for m in c.get("volumeMounts", [])}
        for volume in mounted ^ set(volumes):
            yield f"{name}: volume {volume} is not both declared and mounted"
        for c in containers(pod):
            for mount in c.get("volumeMounts", []):
                if "subPath" in mount:
                    yield f"{name}: {mount['mountPath']} is a subPath, which is never updated"
        for v in volumes.values():
            sources = v.get("projected", {}).get("sources", [v])
            named = [s[k].get("name") or s[k].get("secretName") for s in sources for k in ("configMap", "secret") if k in s]
            for missing in set(named) - there:
                yield f"{name}: volume {v['name']} wants {missing}, which nobody makes"


def grace_faults(objects):
    """The pod and the process have the same grace period, and a hook fits into it."""
    for name, _, pod in pod_templates(objects):
        grace = pod.get("terminationGracePeriodSeconds")
        for c in (c for c in containers(pod) if c["name"] == "sluice"):
            told = [e["value"] for e in c.get("env", []) if e["name"] == "MCP_GRACE_PERIOD"]
            if told != [f"{grace}s"]:
                yield f"{name}: the pod has {grace} s, and the process is told {told}"
            if c.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0) >= (grace or 30):
                yield f"{name}: the preStop hook takes the whole grace period"
            if c["livenessProbe"]["httpGet"]["path"] != "/livez":
                yield f"{name}: liveness asks {c['livenessProbe']['httpGet']['path']}"


def name_faults(objects):
    names = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    for kind, _, name in {n for n in names if names.count(n) > 1}:
        yield f"{kind}/{name} comes twice"
    for kind, _, name in names:
        if len(name) > 63:
            yield f"{kind}/{name} has too long a name"


def all_faults(objects, elsewhere=()):
    return [
        *security_faults(objects), *selector_faults(objects), *port_faults(objects), *volume_faults(objects, elsewhere),
        *grace_faults(objects), *name_faults(objects),
    ]
