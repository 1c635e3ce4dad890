{{/*
An endpoint of a monitor. Arguments: the root, the port, the settings of the port, the labels to drop, and, for a group of
kinds with a scrape of its own, the parameters of the request and a name. The name becomes a label of the target, so that
metrics about the scrape, such as "up", differ between the scrapes of one replica. Series of objects do not get this label.
*/}}
{{- define "statefleet.endpoint" -}}
{{- $root := index . 0 -}}
{{- $monitor := $root.Values.prometheus.monitor -}}
{{- $common := pick $monitor "interval" "scrapeTimeout" "proxyUrl" "honorLabels" "relabelings" "metricRelabelings" -}}
{{- $set := mergeOverwrite (deepCopy $common) (index . 2 | default dict) -}}
- port: {{ index . 1 }}
  path: /metrics
  {{- with index . 4 }}
  params:
    {{- toYaml . | nindent 4 }}
  {{- end }}
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
  {{- fail "authFilter.enabled=true: a PodMonitor needs the token that Prometheus sends; set prometheus.monitor.http.authorization and prometheus.monitor.metrics.authorization, or prometheus.monitor.kind=ServiceMonitor, which sends the token of Prometheus' own account" }}
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
    {{- with index . 5 }}
    - action: replace
      replacement: {{ . | quote }}
      targetLabel: scrape_group
    {{- end }}
  {{- if or (index . 5) $set.metricRelabelings }}
  metricRelabelings:
    {{- with $set.metricRelabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if index . 5 }}
    - action: labeldrop
      regex: scrape_group
    {{- end }}
  {{- end }}
{{- end }}

{{/*
The endpoints of the exposition: one for each group of kinds, and one for all other kinds. Each kind is in exactly one.
*/}}
{{- define "statefleet.endpoints" -}}
{{- $monitor := .Values.prometheus.monitor -}}
{{- $exposed := (include "statefleet.collectors" . | fromJson).names -}}
{{- $drop := "pod|container|namespace|service|endpoint" -}}
{{- $grouped := list -}}
{{- range $i, $group := $monitor.groups -}}
{{- range $kind := $group.resources -}}
  {{- $at := printf "prometheus.monitor.groups[%d].resources: %s" $i $kind -}}
  {{- if has $kind $grouped -}}
    {{- fail (printf "%s is listed twice, so it would be scraped twice" $at) -}}
  {{- else if not (or (has $kind $exposed) (and (contains "." $kind) (include "statefleet.customResources" $))) -}}
    {{- fail (printf "%s is not exposed, so its scrapes would fail; exposed kinds are %s" $at (join ", " $exposed)) -}}
  {{- end -}}
  {{- $grouped = append $grouped $kind -}}
{{- end }}
{{- $params := dict "resources" (list (join "," $group.resources)) }}
{{- $set := mergeOverwrite (deepCopy ($monitor.http | default dict)) (omit $group "resources") }}
{{ include "statefleet.endpoint" (list $ "http-metrics" $set $drop $params (join "," $group.resources)) }}
{{- end }}
{{- $others := eq (include "statefleet.customResources" .) "true" }}
{{- range $exposed }}{{ $others = or $others (not (has . $grouped)) }}{{ end }}
{{- if $others }}
{{- $params := ternary (dict "exclude_resources" (list (join "," $grouped))) dict (gt (len $grouped) 0) }}
{{ include "statefleet.endpoint" (list $ "http-metrics" $monitor.http $drop $params "") }}
{{- end }}
{{- end }}
