// Validates Kubernetes objects by the schemas of kubernetes-models. Reads a JSON array of objects from stdin and prints
// an array that has the faults of each. A field that the schema does not know is a fault as well: the API server would
// drop it, and say so only to those who ask. The validators ignore such fields, so each object is lent to them in a
// proxy that remembers what they look at.
import { readFileSync } from "node:fs";

const core = (group, version, kind) => `kubernetes-models/_schemas/IoK8sApi${group}${version}${kind}`;
const operator = kind =>
	`@kubernetes-models/prometheus-operator/_schemas/ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1${kind}`;

const schemas = {
	"v1/ConfigMap": core("Core", "V1", "ConfigMap"),
	"v1/Pod": core("Core", "V1", "Pod"),
	"v1/Secret": core("Core", "V1", "Secret"),
	"v1/Service": core("Core", "V1", "Service"),
	"v1/ServiceAccount": core("Core", "V1", "ServiceAccount"),
	"apps/v1/Deployment": core("Apps", "V1", "Deployment"),
	"autoscaling/v2/HorizontalPodAutoscaler": core("Autoscaling", "V2", "HorizontalPodAutoscaler"),
	"networking.k8s.io/v1/Ingress": core("Networking", "V1", "Ingress"),
	"networking.k8s.io/v1/NetworkPolicy": core("Networking", "V1", "NetworkPolicy"),
	"policy/v1/PodDisruptionBudget": core("Policy", "V1", "PodDisruptionBudget"),
	"gateway.networking.k8s.io/v1/HTTPRoute":
		"@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1HTTPRoute",
	"monitoring.coreos.com/v1/ServiceMonitor": operator("ServiceMonitor"),
	"monitoring.coreos.com/v1/PrometheusRule": operator("PrometheusRule"),
};

function watched(value, seen) {
	if (value === null || typeof value !== "object") return value;
	if (!seen.has(value)) {
		const read = new Set();
		const proxy = new Proxy(value, {
			get(target, key) {
				read.add(key);
				return watched(target[key], seen);
			},
		});
		seen.set(value, { proxy, read });
	}
	return seen.get(value).proxy;
}

function* unknown(value, path, seen) {
	if (value === null || typeof value !== "object") return;
	const looked = seen.get(value);
	if (looked === undefined) return; // only asked what type it is: anything may be in it
	for (const key of Object.keys(value)) {
		if (looked.read.has(key)) yield* unknown(value[key], `${path}/${key}`, seen);
		else yield `${path}/${key} is unknown`;
	}
}

async function faults(object) {
	const kind = `${object.apiVersion}/${object.kind}`;
	if (schemas[kind] === undefined) return [`there is no schema of ${kind}`];
	const { validate } = await import(new URL(`node_modules/${schemas[kind]}.js`, import.meta.url)); // not all are exports
	const seen = new Map();
	const found = validate(watched(object, seen)) ? [] : validate.errors;
	return [...found.map(e => `${e.instancePath} ${e.keyword} ${JSON.stringify(e.params)}`), ...unknown(object, "", seen)];
}

const all = await Promise.all(JSON.parse(readFileSync(0, "utf8")).map(faults));
console.log(JSON.stringify(all));
