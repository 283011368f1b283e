{{- /* How long nothing may come before the proxy gives up. */ -}}
{{- define "sluice.ingressSeconds" -}}
{{- .Values.ingress.timeoutSeconds | default (ternary 60 3600 (eq .Values.ingress.controller "alb")) -}}
{{- end }}

{{- /* What streams of events need: no buffers, long silences, bodies as large as Sluice takes. */ -}}
{{- define "sluice.ingressAnnotations" -}}
{{- $seconds := include "sluice.ingressSeconds" . | int -}}
{{- $tls := ne .Values.tls.existingSecret "" -}}
{{- $body := dig "http" "maxBodyBytes" 8388608 .Values.settings | int -}}
{{- if eq .Values.ingress.controller "nginx" -}}
nginx.ingress.kubernetes.io/proxy-buffering: "off"
nginx.ingress.kubernetes.io/proxy-request-buffering: "off"
nginx.ingress.kubernetes.io/proxy-http-version: "1.1"
nginx.ingress.kubernetes.io/proxy-read-timeout: "{{ $seconds }}"
nginx.ingress.kubernetes.io/proxy-send-timeout: "{{ $seconds }}"
nginx.ingress.kubernetes.io/proxy-body-size: "{{ $body }}"
nginx.ingress.kubernetes.io/backend-protocol: {{ ternary "HTTPS" "HTTP" $tls }}
{{- else if eq .Values.ingress.controller "haproxy" -}}
haproxy.org/timeout-server: {{ $seconds }}s
haproxy.org/timeout-tunnel: {{ $seconds }}s
{{- if $tls }}
haproxy.org/server-ssl: "true"
{{- end }}
{{- else if eq .Values.ingress.controller "alb" -}}
alb.ingress.kubernetes.io/target-type: ip
alb.ingress.kubernetes.io/backend-protocol: {{ ternary "HTTPS" "HTTP" $tls }}
alb.ingress.kubernetes.io/healthcheck-path: {{ dig "http" "basePath" "" .Values.settings }}/readyz
alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds={{ $seconds }}
alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds={{ .Values.terminationGracePeriodSeconds | int }}
{{- end -}}
{{- end }}
