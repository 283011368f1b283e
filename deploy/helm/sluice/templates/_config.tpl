{{- /* servers.json. What the chart itself puts in has blocks of its own, which `settings` cannot have. */ -}}
{{- define "sluice.serversJson" -}}
{{- $file := deepCopy .Values.settings -}}
{{- $session := get $file "session" | default dict -}}
{{- $keys := list -}}
{{- range .Values.session.keys -}}
{{- $keys = append $keys (dict "id" . "secret" (printf "${file:/etc/sluice/%s}" .)) -}}
{{- end -}}
{{- if $keys -}}
{{- $_ := set $session "keys" $keys -}}
{{- end -}}
{{- if $session -}}
{{- $_ := set $file "session" $session -}}
{{- end -}}
{{- if .Values.tls.existingSecret -}}
{{- $tls := dict "cert" "/etc/sluice-tls/tls.crt" "key" "/etc/sluice-tls/tls.key" -}}
{{- if .Values.tls.clientCa -}}
{{- $_ := set $tls "clientCa" "/etc/sluice-tls/ca.crt" -}}
{{- end -}}
{{- $_ := set $file "http" (merge (dict "tls" $tls) (get $file "http" | default dict)) -}}
{{- end -}}
{{- $_ := set $file "lifecycle" (include "sluice.lifecycle" . | fromYaml) -}}
{{- $_ := set $file "mcpServers" .Values.servers -}}
{{- $file | toPrettyJson -}}
{{- end }}

{{- /* What changes when pods must be started anew for a new configuration. */ -}}
{{- define "sluice.checksum" -}}
{{- if include "sluice.configIsOurs" . -}}
{{- if eq .Values.config.onChange "restart" -}}
{{ include "sluice.serversJson" . | sha256sum }}
{{- else -}}
{{- $tls := ternary "tls" "" (ne .Values.tls.existingSecret "") -}}
{{ printf "%s%s" (omit .Values.settings "log" | toJson) $tls | sha256sum }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Faults of the values that a schema cannot see. */ -}}
{{- define "sluice.validate" -}}
{{- $values := .Values -}}
{{- $kubernetes := .Capabilities.KubeVersion.Version -}}
{{- $hook := .Values.lifecycle.hook.type -}}
{{- $b := include "sluice.budget" . | fromYaml -}}
{{- if lt (int64 $b.grace) (int64 $b.need) -}}
{{- fail (printf "\n\nterminationGracePeriodSeconds is %d, but preStop %s + lameDuck.max %s + drain %s + stop %s + margin %s = %s: raise it to %.0f, or lower lifecycle.lameDuck.max, lifecycle.drain or the `stop` of the slowest server"
    (int .Values.terminationGracePeriodSeconds) (include "sluice.seconds" $b.preStop) (include "sluice.seconds" $b.max)
    (include "sluice.seconds" $b.drain) (include "sluice.seconds" $b.stop) (include "sluice.seconds" $b.margin)
    (include "sluice.seconds" $b.need) (ceil (divf (float64 $b.need) 1000))) -}}
{{- end -}}
{{- if gt (int64 $b.min) (int64 $b.max) -}}
{{- fail (printf "\n\nlifecycle.lameDuck.min (%s) is more than lifecycle.lameDuck.max (%s)" (include "sluice.seconds" $b.min) (include "sluice.seconds" $b.max)) -}}
{{- end -}}
{{- if and (eq $hook "sleep") (semverCompare "<1.30.0-0" $kubernetes) -}}
{{- fail (printf "\n\nlifecycle.hook.type sleep needs Kubernetes 1.30, this is %s; leave it at none: Sluice needs no hook" $kubernetes) -}}
{{- end -}}
{{- if and .Values.config.existingConfigMap .Values.config.existingSecret -}}
{{- fail "\n\nconfig.existingConfigMap and config.existingSecret are both set; servers.json is in one of them" -}}
{{- end -}}
{{- if and .Values.servers (not (include "sluice.configIsOurs" .)) -}}
{{- fail "\n\n`servers` would not be used: with config.existingConfigMap or config.existingSecret the servers are in that file" -}}
{{- end -}}
{{- if and .Values.sidecar.enabled (not .Values.extraContainers) -}}
{{- fail "\n\nsidecar.enabled wants the main containers in extraContainers" -}}
{{- end -}}
{{- if and .Values.sidecar.enabled (ne $hook "none") -}}
{{- fail "\n\na sidecar's preStop hook runs while the main containers still use it: with sidecar.enabled, lifecycle.hook.type is none" -}}
{{- end -}}
{{- if and .Values.sidecar.enabled (semverCompare "<1.29.0-0" $kubernetes) -}}
{{- fail (printf "\n\nsidecar.enabled needs Kubernetes 1.29, this is %s" $kubernetes) -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "\n\nautoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- $idle := dig "http" "idleTimeout" "75s" .Values.settings -}}
{{- $proxy := include "sluice.ingressSeconds" . | int -}}
{{- if and .Values.ingress.enabled (eq .Values.ingress.controller "alb") (le (include "sluice.ms" $idle | int) (mul $proxy 1000 | int)) -}}
{{- fail (printf "\n\nan ALB uses a connection again that was idle for up to ingress.timeoutSeconds (%d); settings.http.idleTimeout (%v) must be longer" $proxy $idle) -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- if regexMatch "^--(grace-period|http|admin|config|insecure)(=|$)" . -}}
{{- fail (printf "\n\nextraArgs has %s, which the chart gives itself; for the grace period set terminationGracePeriodSeconds" .) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if has .name (list "MCP_GRACE_PERIOD" "MCP_SERVERS_CONFIG" "MCP_CONFIG_PATH" "MCP_CONFIG_DIR") -}}
{{- fail (printf "\n\nextraEnv has %s, which the chart gives itself; for the grace period set terminationGracePeriodSeconds" .name) -}}
{{- end -}}
{{- end -}}
{{- end }}
