{{- define "statefleet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 50 characters leave room for the ordinal in the name of a pod, and for the suffix -topology of a ConfigMap. */}}
{{- define "statefleet.fullname" -}}
{{- $name := include "statefleet.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "statefleet.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "statefleet.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "statefleet.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "statefleet.instanceLabels" -}}
app.kubernetes.io/name: {{ include "statefleet.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels by which the StatefulSet, the Services and others select the pods. */}}
{{- define "statefleet.selectorLabels" -}}
{{- if .Values.selectorOverride -}}
{{- toYaml .Values.selectorOverride }}
{{- else -}}
{{- include "statefleet.instanceLabels" . }}
{{- end }}
{{- end }}

{{/* The chart's own labels of all objects. */}}
{{- define "statefleet.ownLabels" -}}
{{- $labels := include "statefleet.instanceLabels" . | fromYaml -}}
{{- $labels = mergeOverwrite $labels (include "statefleet.selectorLabels" . | fromYaml) -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $labels "app.kubernetes.io/component" "metrics" -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "statefleet" -}}
{{- $_ := set $labels "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $release := ternary dict (dict "release" .Release.Name) (empty .Values.releaseLabel) -}}
{{- merge $labels $release | toYaml }}
{{- end }}

{{/* Labels of all objects. The chart's own labels take precedence, so that no key occurs twice. */}}
{{- define "statefleet.labels" -}}
{{- merge (include "statefleet.ownLabels" . | fromYaml) (.Values.customLabels | default dict) | toYaml }}
{{- end }}

{{/* Labels of the StatefulSet. */}}
{{- define "statefleet.workloadLabels" -}}
{{- merge (include "statefleet.ownLabels" . | fromYaml) (.Values.labels | default dict) (.Values.customLabels | default dict) | toYaml }}
{{- end }}

{{/* Labels of the pods. They lack the chart's version, because a new version alone must not restart the fleet. */}}
{{- define "statefleet.podLabels" -}}
{{- $labels := include "statefleet.selectorLabels" . | fromYaml -}}
{{- merge $labels (.Values.podLabels | default dict) (.Values.customLabels | default dict) | toYaml }}
{{- end }}

{{/* Name, namespace and labels of an object in the release's namespace. */}}
{{- define "statefleet.metadata" -}}
name: {{ include "statefleet.fullname" . }}
namespace: {{ include "statefleet.namespace" . }}
labels:
  {{- include "statefleet.labels" . | nindent 2 }}
{{- end }}

{{/* registry.k8s.io, the default of the kube-state-metrics chart, has no image of statefleet and counts as empty. */}}
{{- define "statefleet.image" -}}
{{- $image := .Values.image -}}
{{- $registry := ternary "" $image.registry (eq $image.registry "registry.k8s.io") -}}
{{- with coalesce .Values.global.imageRegistry $registry }}{{ . }}/{{ end }}
{{- ternary "statefleet" $image.repository (eq (include "statefleet.imageIsUnset" .) "true") }}:
{{- $image.tag | default (printf "v%s" .Chart.AppVersion) }}
{{- with $image.sha }}@sha256:{{ . }}{{ end }}
{{- end }}

{{/* "true" if the image is the default of the kube-state-metrics chart, and not one that the user has set. */}}
{{- define "statefleet.imageIsUnset" -}}
{{- with .Values.image -}}
{{- and (eq .registry "registry.k8s.io") (eq .repository "kube-state-metrics/kube-state-metrics") (not .tag) (not .sha) }}
{{- end }}
{{- end }}

{{/* Image pull secrets as a list of objects. The argument is a list of objects or names. */}}
{{- define "statefleet.pullSecrets" -}}
{{- range . }}
- name: {{ if kindIs "string" . }}{{ . }}{{ else }}{{ .name }}{{ end }}
{{- end }}
{{- end }}

{{/* Names separated by commas, without empty ones. The argument is a list of names, or names separated by commas. */}}
{{- define "statefleet.commaList" -}}
{{- join "," . | nospace | splitList "," | compact | join "," }}
{{- end }}

{{/* The namespaces to expose, separated by commas; empty: all. */}}
{{- define "statefleet.namespaces" -}}
{{- $given := include "statefleet.commaList" .Values.namespaces | splitList "," | compact -}}
{{- if .Values.releaseNamespace -}}
{{- $given = append $given (include "statefleet.namespace" .) -}}
{{- end -}}
{{- $given | uniq | join "," }}
{{- end }}

{{/* "true" if extraArgs contain --custom-resource-state-only, else nothing. */}}
{{- define "statefleet.customOnly" -}}
{{- $only := false -}}
{{- range .Values.extraArgs -}}
  {{- $parts := splitList "=" . -}}
  {{- if eq (first $parts) "--custom-resource-state-only" -}}
    {{- $only = or (eq (len $parts) 1) (has (last $parts | lower) (list "true" "t" "1")) -}}
  {{- else if eq (first $parts) "--no-custom-resource-state-only" -}}
    {{- $only = false -}}
  {{- end -}}
{{- end -}}
{{- if $only }}true{{ end -}}
{{- end }}

{{/* The configuration file of the profile, as YAML. */}}
{{- define "statefleet.profile" -}}
{{- .Files.Get (printf "files/profiles/%s.yaml" (.Values.profile | default "default")) }}
{{- end }}

{{/* The built-in kinds to expose, as JSON: {"names": [...]}. There are none with --custom-resource-state-only. */}}
{{- define "statefleet.collectors" -}}
{{- if include "statefleet.customOnly" . -}}
{{- dict "names" list | toJson -}}
{{- else -}}
{{- include "statefleet.builtinCollectors" . -}}
{{- end -}}
{{- end }}

{{- define "statefleet.builtinCollectors" -}}
{{- $known := .Files.Get "files/kinds.yaml" | fromYaml -}}
{{- $profile := (include "statefleet.profile" . | fromYaml).resources | default list -}}
{{- $names := .Values.collectors | default list -}}
{{- if not $names -}}
  {{- range $name, $kind := $known -}}
    {{- if and (ternary (has $name $profile) $kind.default (gt (len $profile) 0)) (or $.Values.rbac.useClusterRole $kind.namespaced) -}}
      {{- $names = append $names $name -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $chosen := list -}}
{{- range concat $names (.Values.collectorsExtra | default list) | uniq | sortAlpha -}}
  {{- $kind := get $known . -}}
  {{- if has . ($.Values.collectorsExclude | default list) -}}
  {{- else if not $kind -}}
    {{- fail (printf "collectors: unknown kind %q; known kinds are %s" . (keys $known | sortAlpha | join ", ")) -}}
  {{- else if not (or $.Values.rbac.useClusterRole $kind.namespaced) -}}
    {{- fail (printf "collectors: %s is cluster-scoped and cannot be read with rbac.useClusterRole=false; leave it out" .) -}}
  {{- else -}}
    {{- $chosen = append $chosen . -}}
  {{- end -}}
{{- end -}}
{{- if not $chosen -}}
  {{- fail "collectors: no kind is left to expose" -}}
{{- end -}}
{{- dict "names" $chosen | toJson -}}
{{- end }}

{{/* "true" if custom resources are exposed, else nothing. */}}
{{- define "statefleet.customResources" -}}
{{- with .Values.customResourceState }}{{ if or .enabled .presets }}true{{ end }}{{ end -}}
{{- end }}

{{/* Rules for listing and watching the kinds to expose, one for each API group. */}}
{{- define "statefleet.rules" -}}
{{- $known := .Files.Get "files/kinds.yaml" | fromYaml -}}
{{- $presets := .Files.Get "files/presets.yaml" | fromYaml -}}
{{- $groups := dict -}}
{{- range (include "statefleet.collectors" . | fromJson).names -}}
  {{- $group := (get $known .).group -}}
  {{- $_ := set $groups $group (append (get $groups $group | default list) .) -}}
{{- end -}}
{{- range $preset := .Values.customResourceState.presets | uniq -}}
  {{- range $group, $names := get $presets $preset -}}
    {{- $_ := set $groups $group (concat (get $groups $group | default list) $names | uniq | sortAlpha) -}}
  {{- end -}}
{{- end -}}
{{- range $group, $names := $groups }}
- apiGroups: [{{ $group | quote }}]
  resources:
    {{- toYaml $names | nindent 4 }}
  verbs: [list, watch]
{{- end }}
{{- if and (include "statefleet.customResources" .) .Values.rbac.useClusterRole .Values.rbac.customResourceState.createClusterRoleRules }}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- end }}
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "statefleet.customResourceStateName" -}}
{{- .Values.customResourceState.name | default (printf "%s-customresourcestate-config" (include "statefleet.fullname" .)) }}
{{- end }}

{{/*
A file of the mixin, with the job of this fleet in its selectors. Arguments: the root, the file.
*/}}
{{- define "statefleet.mixin" -}}
{{- $root := index . 0 }}
{{- $job := $root.Values.mixin.job | default $root.Values.prometheus.monitor.job }}
{{- $root.Files.Get (index . 1) | replace `job="kube-state-metrics"` (printf `job="%s"` $job) | replace `job=\"kube-state-metrics\"` (printf `job=\"%s\"` $job) }}
{{- end }}
