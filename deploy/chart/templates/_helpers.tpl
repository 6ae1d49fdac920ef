{{/* The release's name, with the chart's in it. */}}
{{- define "metalform.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What tells this release's pods from others. */}}
{{- define "metalform.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "metalform.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "metalform.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "metalform.serviceAccount" -}}
{{- default (include "metalform.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "metalform.lease" -}}
{{- default (include "metalform.fullname" .) .Values.leaderElection.leaseName }}
{{- end }}

{{- define "metalform.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* "yes" when the controller follows a spec. */}}
{{- define "metalform.specs" -}}
{{- if or .Values.specs.configMap .Values.specs.volume }}yes{{ end }}
{{- end }}

{{/* Where the Ironic object is. */}}
{{- define "metalform.ironicNamespace" -}}
{{- default .Release.Namespace .Values.ironic.namespace }}
{{- end }}

{{/* What makes no sense is refused here, in words. */}}
{{- define "metalform.check" -}}
{{- range list (list "ironic.endpoint" .Values.ironic.endpoint "simulate.enabled" .Values.simulate.enabled)
  (list "ironic.name" .Values.ironic.name "simulate.enabled" .Values.simulate.enabled)
  (list "ironic.name" .Values.ironic.name "ironic.endpoint" .Values.ironic.endpoint)
  (list "ironic.name" .Values.ironic.name "ironic.authSecret" .Values.ironic.authSecret)
  (list "ironic.name" .Values.ironic.name "ironic.ca" (or .Values.ironic.ca.secret .Values.ironic.ca.configMap)) }}
{{- if and (index . 1) (index . 3) }}
{{- fail (printf "%s and %s exclude each other: say one of them" (index . 0) (index . 2)) }}
{{- end }}
{{- end }}
{{- if not (or .Values.ironic.endpoint .Values.ironic.name .Values.simulate.enabled .Values.extraEnvFrom) }}
{{- fail "say where Ironic is (--set ironic.endpoint=URL, or ironic.name for an Ironic object), or that machines are simulated (--set simulate.enabled=true)" }}
{{- end }}
{{- if and .Values.ironic.namespace (not .Values.ironic.name) }}
{{- fail "ironic.namespace is where the Ironic object of ironic.name is: say both" }}
{{- end }}
{{- if and .Values.specs.configMap .Values.specs.volume }}
{{- fail "specs.configMap and specs.volume exclude each other: say one of them" }}
{{- end }}
{{- if and .Values.specs.params (not (include "metalform.specs" .)) }}
{{- fail "specs.params is a file beside a spec: say specs.configMap or specs.volume" }}
{{- end }}
{{- if ne (empty .Values.ironic.deployKernelURL) (empty .Values.ironic.deployRamdiskURL) }}
{{- fail "ironic.deployKernelURL and ironic.deployRamdiskURL belong together: say both" }}
{{- end }}
{{- if and .Values.ironic.ca.secret .Values.ironic.ca.configMap }}
{{- fail "ironic.ca.secret and ironic.ca.configMap exclude each other: say one of them" }}
{{- end }}
{{- end }}

{{/* The rules of a role in deploy/rbac, which is the one place where rights are written down. */}}
{{- define "metalform.rules" -}}
{{- (.Files.Get (printf "files/rbac/%s/role.yaml" .role) | fromYaml).rules | toYaml }}
{{- end }}
