{{- define "statefleet.podSpec" -}}
serviceAccountName: {{ include "statefleet.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.automountServiceAccountToken }}
terminationGracePeriodSeconds: {{ int64 .Values.terminationGracePeriodSeconds }}
{{- with concat (.Values.global.imagePullSecrets | default list) (.Values.imagePullSecrets | default list) }}
imagePullSecrets:
  {{- include "statefleet.pullSecrets" . | trim | nindent 2 }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
{{- end }}
{{- if kindIs "bool" .Values.hostUsers }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
dnsPolicy: {{ .Values.dnsPolicy }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if (.Values.securityContext | default dict).enabled }}
securityContext:
  {{- omit .Values.securityContext "enabled" | toYaml | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- $own := dict "matchLabels" (include "statefleet.selectorLabels" $ | fromYaml) }}
  {{- range . }}
  - {{- hasKey . "labelSelector" | ternary .labelSelector $own | set (deepCopy .) "labelSelector" | toYaml | nindent 4 }}
  {{- end }}
{{- end }}
{{- with .Values.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: statefleet
    {{- include "statefleet.container" . | nindent 4 }}
  {{- with .Values.containers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $emptyDir := and .Values.savedState.enabled (not .Values.savedState.persistence.enabled) }}
{{- if or .Values.kubeconfig.enabled .Values.customResourceState.enabled $emptyDir .Values.volumes }}
volumes:
  {{- if .Values.kubeconfig.enabled }}
  - name: kubeconfig
    secret:
      secretName: {{ include "statefleet.fullname" . }}-kubeconfig
  {{- end }}
  {{- if .Values.customResourceState.enabled }}
  - name: customresourcestate-config
    configMap:
      name: {{ include "statefleet.customResourceStateName" . }}
  {{- end }}
  {{- if $emptyDir }}
  - name: state
    emptyDir:
      sizeLimit: {{ .Values.savedState.size }}
  {{- end }}
  {{- with .Values.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "statefleet.container" -}}
image: {{ include "statefleet.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  {{- include "statefleet.args" . | trim | nindent 2 }}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: http-metrics
    containerPort: {{ .Values.service.port }}
  - name: telemetry
    containerPort: {{ .Values.selfMonitor.telemetryPort }}
{{- if (.Values.startupProbe | default dict).enabled }}
startupProbe:
  {{- include "statefleet.probe" (list "/livez" .Values.startupProbe) | nindent 2 }}
{{- end }}
{{- if kindIs "map" .Values.livenessProbe }}
livenessProbe:
  {{- include "statefleet.probe" (list "/livez" .Values.livenessProbe) | nindent 2 }}
{{- end }}
{{- if kindIs "map" .Values.readinessProbe }}
readinessProbe:
  {{- include "statefleet.probe" (list "/readyz" (include "statefleet.readiness" . | fromYaml)) | nindent 2 }}
{{- end }}
{{- with include "statefleet.resources" . }}
resources:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.containerSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if or .Values.kubeconfig.enabled .Values.customResourceState.enabled .Values.savedState.enabled .Values.volumeMounts }}
volumeMounts:
  {{- if .Values.kubeconfig.enabled }}
  - name: kubeconfig
    mountPath: /etc/statefleet/kubeconfig
    readOnly: true
  {{- end }}
  {{- if .Values.customResourceState.enabled }}
  - name: customresourcestate-config
    mountPath: /etc/customresourcestate
    readOnly: true
  {{- end }}
  {{- if .Values.savedState.enabled }}
  - name: state
    mountPath: /var/lib/statefleet
  {{- end }}
  {{- with .Values.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Requests and limits. With standby a replica holds two shards, so the default memory is doubled. */}}
{{- define "statefleet.resources" -}}
{{- $default := "{requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}" | fromYaml -}}
{{- if and .Values.standby.enabled (deepEqual .Values.resources $default) -}}
{{- "{requests: {cpu: 50m, memory: 256Mi}, limits: {memory: 1Gi}}" | fromYaml | toYaml }}
{{- else if .Values.resources -}}
{{- toYaml .Values.resources }}
{{- end }}
{{- end }}

{{/* Fields of the readiness probe. With standby the default period is shorter, so that a replica serves again sooner. */}}
{{- define "statefleet.readiness" -}}
{{- $default := "{periodSeconds: 5, timeoutSeconds: 5}" | fromYaml -}}
{{- $given := .Values.readinessProbe -}}
{{- if and .Values.standby.enabled (eq (toJson $given) (toJson $default)) -}}
{{- $given = set (deepCopy $given) "periodSeconds" 2 -}}
{{- end -}}
{{- toYaml $given }}
{{- end }}

{{/* A probe of the port http-metrics. Arguments: the path, and fields of the probe, which take precedence. */}}
{{- define "statefleet.probe" -}}
{{- $given := omit (last .) "enabled" -}}
{{- $get := dict "path" (first .) "port" "http-metrics" | mergeOverwrite (deepCopy ($given.httpGet | default dict)) -}}
{{- with $get.scheme }}{{ $_ := upper . | set $get "scheme" }}{{ end -}}
{{- set $given "httpGet" $get | toYaml }}
{{- end }}

{{- define "statefleet.args" -}}
- --port={{ .Values.service.port }}
{{- with .Values.selfMonitor.telemetryHost }}
- --telemetry-host={{ . }}
{{- end }}
- --telemetry-port={{ .Values.selfMonitor.telemetryPort }}
{{- if .Values.kubeconfig.enabled }}
- --kubeconfig=/etc/statefleet/kubeconfig/config
{{- end }}
{{- if .Values.savedState.enabled }}
- --store.snapshot-dir=/var/lib/statefleet
{{- end }}
{{- /* Without sharding, the kubeconfig may be that of another cluster, which does not have this pod. */}}
{{- if or .Values.autosharding.enabled (not .Values.kubeconfig.enabled) }}
- --pod=$(POD_NAME)
- --pod-namespace=$(POD_NAMESPACE)
{{- end }}
{{- if .Values.standby.enabled }}
- --shard.standby
{{- end }}
{{- with (include "statefleet.collectors" . | fromJson).names }}
- --resources={{ join "," . }}
{{- end }}
{{- with include "statefleet.namespaces" . }}
- --namespaces={{ . }}
{{- end }}
{{- with include "statefleet.commaList" .Values.namespacesDenylist }}
- --namespaces-denylist={{ . }}
{{- end }}
{{- $profile := include "statefleet.profile" . | fromYaml }}
{{- with concat (get $profile "metric-allowlist" | default list) (.Values.metricAllowlist | default list) }}
- {{ printf "--metric-allowlist=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.metricDenylist }}
- {{ printf "--metric-denylist=%s" (join "," .) | quote }}
{{- end }}
{{- with concat (get $profile "metric-opt-in-list" | default list) (.Values.metricOptInList | default list) }}
- {{ printf "--metric-opt-in-list=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.metricLabelsAllowlist }}
- {{ printf "--metric-labels-allowlist=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.metricAnnotationsAllowList }}
- {{ printf "--metric-annotations-allowlist=%s" (join "," .) | quote }}
{{- end }}
{{- if .Values.customResourceState.enabled }}
- --custom-resource-state-config-file=/etc/customresourcestate/{{ .Values.customResourceState.key }}
{{- end }}
{{- with .Values.customResourceState.presets }}
- {{ printf "--custom-resource-state-preset=%s" (join "," .) | quote }}
{{- end }}
{{- if .Values.authFilter.enabled }}
- --auth-filter
{{- with .Values.authFilter.pathPrefix }}
- {{ printf "--auth-filter.path-prefix=%s" . | quote }}
{{- end }}
{{- with .Values.authFilter.audiences }}
- {{ printf "--auth-filter.audience=%s" (join "," .) | quote }}
{{- end }}
{{- end }}
{{- range $flag, $value := omit $profile "resources" "metric-allowlist" "metric-opt-in-list" }}
{{- if not (regexMatch (printf "(?m)^--(no-)?%s(=|$)" (regexQuoteMeta $flag)) (join "\n" ($.Values.extraArgs | default list))) }}
- {{ printf "--%s=%v" $flag $value | quote }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
