{{- define "sluice.container" -}}
name: sluice
image: {{ include "sluice.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if .Values.sidecar.enabled }}
restartPolicy: Always
{{- end }}
args:
  - serve
  - --http
  - {{ ternary "127.0.0.1:8080" ":8080" .Values.sidecar.enabled | quote }}
  - --admin
  - ":9902"
  - --insecure
  - --config
  - /etc/sluice/servers.json
  {{- range .Values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  - name: MCP_GRACE_PERIOD
    value: {{ printf "%ds" (int .Values.terminationGracePeriodSeconds) | quote }}
  {{- if include "sluice.configIsOurs" . }}
  - name: MCP_LOG_FORMAT # the image has one, which would win over the file
    value: {{ dig "log" "format" "text" .Values.settings }}
  {{- end }}
  - name: HOME
    value: {{ .Values.home.path }}
  - name: TMPDIR
    value: /tmp
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: 8080
    protocol: TCP
  - name: admin
    containerPort: 9902
    protocol: TCP
  {{- with .Values.extraPorts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
startupProbe:
  httpGet:
    path: /startupz
    port: admin
  {{- toYaml .Values.probes.startup | nindent 2 }}
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  {{- toYaml .Values.probes.readiness | nindent 2 }}
livenessProbe:
  httpGet:
    path: /livez
    port: admin
  {{- toYaml .Values.probes.liveness | nindent 2 }}
{{- with include "sluice.hook" . }}
lifecycle:
  {{- . | nindent 2 }}
{{- end }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/sluice
    readOnly: true
  - name: home
    mountPath: {{ .Values.home.path }}
  - name: tmp
    mountPath: /tmp
  {{- if .Values.tls.existingSecret }}
  - name: tls
    mountPath: /etc/sluice-tls
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "sluice.volumes" -}}
# servers.json and the session keys are one volume, so that they change in the same moment.
- name: config
  projected:
    sources:
      - {{ ternary "secret" "configMap" (eq (include "sluice.configIsSecret" .) "true") }}:
          name: {{ include "sluice.configName" . }}
          items:
            - key: servers.json
              path: servers.json
      {{- if .Values.session.keys }}
      - secret:
          name: {{ include "sluice.sessionSecretName" . }}
      {{- end }}
- name: home
  emptyDir:
    {{- with .Values.home.medium }}
    medium: {{ . }}
    {{- end }}
    sizeLimit: {{ .Values.home.sizeLimit }}
- name: tmp
  emptyDir:
    {{- with .Values.tmp.medium }}
    medium: {{ . }}
    {{- end }}
    sizeLimit: {{ .Values.tmp.sizeLimit }}
{{- with .Values.tls.existingSecret }}
- name: tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "sluice.affinity" -}}
{{- if .Values.affinity -}}
{{- toYaml .Values.affinity -}}
{{- else if ne .Values.podAntiAffinity "none" -}}
podAntiAffinity:
  {{- if eq .Values.podAntiAffinity "hard" }}
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "sluice.selectorLabels" . | nindent 10 }}
  {{- else }}
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 50
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "sluice.selectorLabels" . | nindent 12 }}
  {{- end }}
{{- end -}}
{{- end }}

{{- define "sluice.topologySpread" -}}
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "sluice.selectorLabels" . | fromYaml)) -}}
{{- range .Values.topologySpreadConstraints }}
- {{ merge (deepCopy .) $selector | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}
