{{/* An endpoint of a monitor. The argument: the root, the port, the port's own settings, and the labels to drop. */}}
{{- define "statefleet.endpoint" -}}
{{- $root := index . 0 -}}
{{- $monitor := $root.Values.prometheus.monitor -}}
{{- $common := pick $monitor "interval" "scrapeTimeout" "proxyUrl" "honorLabels" "relabelings" "metricRelabelings" -}}
{{- $set := mergeOverwrite (deepCopy $common) (index . 2 | default dict) -}}
- port: {{ index . 1 }}
  path: /metrics
  honorLabels: {{ $set.honorLabels }}
  {{- range $key := list "interval" "scrapeTimeout" "proxyUrl" "scheme" }}
  {{- with get $set $key }}
  {{ $key }}: {{ . }}
  {{- end }}
  {{- end }}
  {{- if hasKey $set "enableHttp2" }}
  enableHttp2: {{ $set.enableHttp2 }}
  {{- end }}
  {{- with $set.tlsConfig }}
  tlsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $set.authorization }}
  authorization:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $set.bearerTokenSecret }}
  bearerTokenSecret:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $file := $set.bearerTokenFile }}
  {{- if and $root.Values.authFilter.enabled (not $set.authorization) (not $set.bearerTokenSecret) (not $file) }}
  {{- if eq $monitor.kind "PodMonitor" }}
  {{- fail "authFilter.enabled=true: a PodMonitor needs the token that Prometheus shows; set prometheus.monitor.http.authorization and prometheus.monitor.metrics.authorization, or prometheus.monitor.kind=ServiceMonitor, which sends Prometheus' own" }}
  {{- end }}
  {{- $file = "/var/run/secrets/kubernetes.io/serviceaccount/token" }}
  {{- end }}
  {{- with $file }}
  {{- if eq $monitor.kind "PodMonitor" }}
  {{- fail "prometheus.monitor: a PodMonitor has no bearerTokenFile; set authorization or bearerTokenSecret instead, or prometheus.monitor.kind=ServiceMonitor" }}
  {{- end }}
  bearerTokenFile: {{ . }}
  {{- end }}
  relabelings:
    {{- with $set.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    - action: replace
      sourceLabels: [__meta_kubernetes_pod_name]
      targetLabel: instance
    {{- if not $monitor.jobLabel }}
    - action: replace
      replacement: {{ $monitor.job }}
      targetLabel: job
    {{- end }}
    - action: labeldrop
      regex: {{ index . 3 }}
  {{- with $set.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
