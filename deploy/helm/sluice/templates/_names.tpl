{{- define "sluice.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- /* 50, so that there is room for "-session-keys" and the like */ -}}
{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "sluice.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "sluice.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "sluice.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Without those that would start new pods when nothing of a pod has changed. */ -}}
{{- define "sluice.podLabels" -}}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/component: gateway
app.kubernetes.io/part-of: {{ include "sluice.name" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "sluice.labels" -}}
{{ include "sluice.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The top of each object: sluice.metadata (list . "suffix" labels annotations) */ -}}
{{- define "sluice.metadata" -}}
{{- $root := index . 0 -}}
metadata:
  name: {{ include "sluice.fullname" $root }}{{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- merge (deepCopy (index . 2)) (include "sluice.labels" $root | fromYaml) | toYaml | nindent 4 }}
  {{- with index . 3 }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "sluice.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sluice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "sluice.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "sluice.configName" -}}
{{- .Values.config.existingConfigMap | default .Values.config.existingSecret | default (printf "%s-config" (include "sluice.fullname" .)) -}}
{{- end }}

{{- define "sluice.configIsOurs" -}}
{{- if not (or .Values.config.existingConfigMap .Values.config.existingSecret) }}true{{ end -}}
{{- end }}

{{- define "sluice.configIsSecret" -}}
{{- if .Values.config.existingSecret -}}
true
{{- else if and (include "sluice.configIsOurs" .) (eq .Values.config.storeIn "Secret") -}}
true
{{- end -}}
{{- end }}

{{- define "sluice.sessionSecretName" -}}
{{- .Values.session.existingSecret | default (printf "%s-session-keys" (include "sluice.fullname" .)) -}}
{{- end }}

{{- define "sluice.clientLabel" -}}
{{ include "sluice.fullname" . }}-client: "true"
{{- end }}

{{- /* How many pods there are at the least. */ -}}
{{- define "sluice.replicas" -}}
{{- if .Values.autoscaling.enabled }}{{ .Values.autoscaling.minReplicas }}{{ else }}{{ .Values.replicaCount }}{{ end -}}
{{- end }}
