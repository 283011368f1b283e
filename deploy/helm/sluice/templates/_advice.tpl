{{- /* Sentences about these values, one a paragraph, for NOTES.txt. */ -}}
{{- define "sluice.advice" -}}
{{- $b := include "sluice.budget" . | fromYaml -}}
{{- $replicas := include "sluice.replicas" . | int -}}
{{- if not (include "sluice.configIsOurs" .) }}
* servers.json is yours ({{ include "sluice.configName" . }}): write lifecycle.preStop "{{ include "sluice.preStop" . }}" and the session keys into it:
  {{- range .Values.session.keys }}
  { "id": "{{ . }}", "secret": "${file:/etc/sluice/{{ . }}}" }
  {{- end }}
{{- else if not .Values.servers }}
* No MCP server is configured yet: set `servers`.
{{- end }}
{{- if and .Values.session.keys (not .Values.session.existingSecret) }}
* The session keys in {{ include "sluice.sessionSecretName" . }} were made by Helm and are kept. With Argo CD, Flux with post-rendering, or
  `helm template`, they would be new each time: make the Secret yourself and set session.existingSecret.
{{- end }}
{{- if and (not .Values.session.keys) (gt $replicas 1) }}
* Without session.keys each replica has random ones: sessions do not survive a rolling update, nor a change of replica.
{{- end }}
{{- if and (eq $replicas 1) (not .Values.sidecar.enabled) }}
* There is one replica. Updates lose nothing, for the new pod is ready before the old one stops, but a node that fails
  takes the service along, and so does `kubectl drain` for the time of a start.
{{- end }}
{{- if and (eq .Values.strategy.type "Recreate") (not .Values.sidecar.enabled) }}
* With the strategy Recreate there is no pod between the old and the new one: calls in that time are refused.
{{- end }}
{{- if and (eq .Values.strategy.type "RollingUpdate") (ne (dig "rollingUpdate" "maxUnavailable" "25%" .Values.strategy | toString) "0") }}
* strategy.rollingUpdate.maxUnavailable is not 0: an old pod may go before a new one is ready.
{{- end }}
{{- if and (eq .Values.service.type "LoadBalancer") (lt (int64 $b.max) 120000) }}
* The Service is a LoadBalancer. Those that send traffic straight to pods go on with it for a while after the pod was
  deleted (an NLB with IP targets for two minutes and more): then set lifecycle.lameDuck and the grace period to match.
{{- end }}
{{- if and (eq .Values.ingress.controller "alb") .Values.ingress.enabled (lt (int64 $b.max) 30000) }}
* An ALB goes on sending for some ten seconds: lifecycle.lameDuck.max of 30s or more suits it.
{{- end }}
{{- if eq .Values.lifecycle.hook.type "sleep" }}
* The preStop sleep is not needed: Sluice goes on serving after SIGTERM, and knows when it may stop doing so.
{{- end }}
{{- if and (eq .Values.lifecycle.hook.type "httpGet") .Values.networkPolicy.enabled (not .Values.networkPolicy.nodes) }}
* The httpGet hook comes from the node. Where the network plugin holds that against the NetworkPolicy, set
  networkPolicy.nodes.
{{- end }}
{{- if not (or .Values.networkPolicy.enabled .Values.sidecar.enabled .Values.tls.existingSecret) }}
* The port is plain HTTP and open to every pod of the cluster: networkPolicy.enabled or tls.existingSecret closes it.
{{- end }}
{{- $stdio := false }}
{{- range .Values.servers }}{{ if and .command (not .disabled) }}{{ $stdio = true }}{{ end }}{{ end }}
{{- if $stdio }}
* Servers with a `command` run in Sluice's container, {{ dig "limits" "memory" "without limit" .Values.resources }} of memory for all, {{ $replicas }} times over and, during an
  update, more often. One over the limit takes the container along (memory.oom.group).
{{- end }}
{{- if dig "limits" "cpu" "" .Values.resources }}
* resources.limits.cpu throttles, and a drain takes longer then.
{{- end }}
{{- end }}
