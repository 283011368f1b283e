{{- /* A duration as milliseconds. */ -}}
{{- define "sluice.ms" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- $factor := get (dict "ms" 1 "s" 1000 "" 1000 "m" 60000 "h" 3600000) (trimPrefix $number $text) -}}
{{- mulf (float64 $number) $factor | ceil | int64 -}}
{{- end }}

{{- /* Milliseconds for people: "4.5 s". */ -}}
{{- define "sluice.seconds" -}}
{{ divf (float64 .) 1000 }} s
{{- end }}

{{- /* The least time of the longest stop: the end of stdin, SIGTERM, and what SIGKILL and the sweep take. */ -}}
{{- define "sluice.stopMs" -}}
{{- if .Values.lifecycle.stop -}}
{{- include "sluice.ms" .Values.lifecycle.stop -}}
{{- else if not (include "sluice.configIsOurs" .) -}}
4500
{{- else -}}
{{- $longest := 0 -}}
{{- range .Values.servers -}}
{{- if not .disabled -}}
{{- $stop := .stop | default dict -}}
{{- $eof := include "sluice.ms" (hasKey $stop "eof" | ternary $stop.eof "2s") | int64 -}}
{{- $term := include "sluice.ms" (hasKey $stop "term" | ternary $stop.term "2s") | int64 -}}
{{- $longest = max $longest (add $eof $term) -}}
{{- end -}}
{{- end -}}
{{- add $longest 500 -}}
{{- end -}}
{{- end }}

{{- /* What of the grace period is over before SIGTERM comes, as a duration. */ -}}
{{- define "sluice.preStop" -}}
{{- if .Values.sidecar.enabled -}}
{{ .Values.sidecar.mainSeconds }}s
{{- else if eq .Values.lifecycle.hook.type "sleep" -}}
{{ .Values.lifecycle.hook.seconds }}s
{{- else -}}
0s
{{- end -}}
{{- end }}

{{- /* sluice.lameDuck (list . "min" "5s"): what is set, or what fits. */ -}}
{{- define "sluice.lameDuck" -}}
{{- $values := (index . 0).Values -}}
{{- $set := get $values.lifecycle.lameDuck (index . 1) -}}
{{- if ne (toString $set) "" -}}
{{ $set }}
{{- else if $values.sidecar.enabled -}}
0s
{{- else if and (eq (index . 1) "min") (eq $values.lifecycle.hook.type "sleep") -}}
0s
{{- else -}}
{{ index . 2 }}
{{- end -}}
{{- end }}

{{- define "sluice.readyWhileDraining" -}}
{{- if kindIs "bool" .Values.lifecycle.readyWhileDraining -}}
{{ .Values.lifecycle.readyWhileDraining }}
{{- else -}}
{{ eq (include "sluice.replicas" . | int) 1 }}
{{- end -}}
{{- end }}

{{- /* The block `lifecycle` of servers.json. gracePeriod is not in it: the environment has it. */ -}}
{{- define "sluice.lifecycle" -}}
{{- with .Values.lifecycle -}}
preStop: {{ include "sluice.preStop" $ }}
lameDuck:
  min: {{ include "sluice.lameDuck" (list $ "min" "5s") }}
  quiet: {{ include "sluice.lameDuck" (list $ "quiet" "2s") }}
  max: {{ include "sluice.lameDuck" (list $ "max" "10s") }}
readyWhileDraining: {{ include "sluice.readyWhileDraining" $ }}
readiness:
  onRequiredLoss: {{ .onRequiredLoss }}
margin: {{ .margin }}
strictExit: {{ .strictExit }}
{{- with .startDeadline }}
startDeadline: {{ . }}
{{- end }}
{{- with .terminationLog }}
terminationLog: {{ . }}
{{- end }}
{{- end -}}
{{- end }}

{{- /* The grace period and what must fit into it, in milliseconds. */ -}}
{{- define "sluice.budget" -}}
{{- $lifecycle := include "sluice.lifecycle" . | fromYaml -}}
{{- $preStop := include "sluice.ms" $lifecycle.preStop | int64 -}}
{{- $min := include "sluice.ms" $lifecycle.lameDuck.min | int64 -}}
{{- $max := include "sluice.ms" $lifecycle.lameDuck.max | int64 -}}
{{- $drain := include "sluice.ms" .Values.lifecycle.drain | int64 -}}
{{- $stop := include "sluice.stopMs" . | int64 -}}
{{- $margin := include "sluice.ms" .Values.lifecycle.margin | int64 -}}
{{- dict "grace" (mul .Values.terminationGracePeriodSeconds 1000) "preStop" $preStop "min" $min "max" $max
    "drain" $drain "stop" $stop "margin" $margin "need" (add $preStop $max $drain $stop $margin) | toYaml -}}
{{- end }}

{{- define "sluice.hook" -}}
{{- with .Values.lifecycle.hook -}}
{{- if eq .type "sleep" -}}
preStop:
  sleep:
    seconds: {{ .seconds }}
{{- else if eq .type "httpGet" -}}
preStop:
  httpGet:
    path: /drain?hook=1&wait=1
    port: admin
    httpHeaders:
      - name: Sluice-Drain
        value: "1"
{{- else if eq .type "exec" -}}
preStop:
  exec:
    command:
      {{- toYaml .command | nindent 6 }}
{{- end -}}
{{- end -}}
{{- end }}
