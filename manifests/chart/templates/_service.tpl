{{/* The IP families of a Service. The argument is the root. */}}
{{- define "statefleet.ipFamilies" -}}
{{- with .Values.service.ipDualStack }}
{{- if .enabled }}
ipFamilyPolicy: {{ .ipFamilyPolicy }}
ipFamilies:
  {{- toYaml .ipFamilies | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* "true" if each replica gets a Service with an address of its own, else nothing. */}}
{{- define "statefleet.ownServices" -}}
{{- with .Values.service }}
{{- if or (ne .type "ClusterIP") (not (has .clusterIP (list "" "None"))) -}}
true
{{- end }}
{{- end }}
{{- end }}
