{{/* Names, labels and the decisions that several templates share. */}}

{{- define "cloudspend.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 52 characters: Kubernetes labels the pods of a StatefulSet with its name, a hyphen and a hash of ten, and a label has 63. */}}
{{- define "cloudspend.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cloudspend.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cloudspend.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cloudspend.labels" -}}
{{ include "cloudspend.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "cloudspend.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "cloudspend.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "cloudspend.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Not empty where pods need names or volumes of their own. */}}
{{- define "cloudspend.stateful" -}}
{{- if or (gt (int .Values.shards) 1) .Values.persistence.enabled }}yes{{ end }}
{{- end }}

{{- define "cloudspend.configMapName" -}}
{{- default (include "cloudspend.fullname" .) .Values.existingConfigMap }}
{{- end }}

{{/* Annotations of the service account: those of the values, and those that the clouds' webhooks look for. */}}
{{- define "cloudspend.serviceAccountAnnotations" -}}
{{- $found := dict }}
{{- with .Values.cloudIdentity.aws }}
{{- if and .roleArn (not .mountToken) }}
{{- $_ := set $found "eks.amazonaws.com/role-arn" .roleArn }}
{{- end }}
{{- end }}
{{- with .Values.cloudIdentity.azure }}
{{- if and .clientId (not .mountToken) }}
{{- $_ := set $found "azure.workload.identity/client-id" .clientId }}
{{- with .tenantId }}
{{- $_ := set $found "azure.workload.identity/tenant-id" . }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.cloudIdentity.google.serviceAccount }}
{{- $_ := set $found "iam.gke.io/gcp-service-account" . }}
{{- end }}
{{- with merge (dict) .Values.serviceAccount.annotations $found }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of the pod alone: those of the values, and the one without which the webhook of Azure leaves a pod as it is. */}}
{{- define "cloudspend.podLabels" -}}
{{- $found := dict }}
{{- if and .Values.cloudIdentity.azure.clientId (not .Values.cloudIdentity.azure.mountToken) }}
{{- $_ := set $found "azure.workload.identity/use" "true" }}
{{- end }}
{{- with merge (dict) .Values.podLabels $found }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* What contradicts itself is said before anything is made. */}}
{{- define "cloudspend.check" -}}
{{- $sources := compact (list .Values.config .Values.existingConfigMap (ternary "demo" "" .Values.demo)) }}
{{- if eq (len $sources) 0 }}
{{- fail "give the configuration: --set-file config=cloudspend.yml, or existingConfigMap, or try --set demo=true" }}
{{- end }}
{{- if gt (len $sources) 1 }}
{{- fail "config, existingConfigMap and demo exclude each other" }}
{{- end }}
{{- if and .Values.web.config .Values.web.existingSecret }}
{{- fail "web.config and web.existingSecret exclude each other" }}
{{- end }}
{{- if contains "basic_auth_users" .Values.web.config }}
{{- fail "web.config stands in a ConfigMap: put a web.yml with users into a Secret and name it in web.existingSecret" }}
{{- end }}
{{- if and .Values.persistence.existingClaim (gt (int .Values.shards) 1) }}
{{- fail "persistence.existingClaim is one volume, and each shard needs its own" }}
{{- end }}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) }}
{{- fail "persistence.existingClaim needs persistence.enabled" }}
{{- end }}
{{- if and .Values.demo (gt (int .Values.shards) 1) }}
{{- fail "demo is for one shard" }}
{{- end }}
{{- $aws := .Values.cloudIdentity.aws }}
{{- $azure := .Values.cloudIdentity.azure }}
{{- if and $aws.mountToken (not $aws.roleArn) }}
{{- fail "cloudIdentity.aws.mountToken needs cloudIdentity.aws.roleArn" }}
{{- end }}
{{- if and $azure.tenantId (not $azure.clientId) }}
{{- fail "cloudIdentity.azure.tenantId needs cloudIdentity.azure.clientId" }}
{{- end }}
{{- if and $azure.mountToken (not (and $azure.clientId $azure.tenantId)) }}
{{- fail "cloudIdentity.azure.mountToken needs cloudIdentity.azure.clientId and tenantId" }}
{{- end }}
{{- $annotated := compact (list (ternary "" $aws.roleArn $aws.mountToken) (ternary "" $azure.clientId $azure.mountToken) .Values.cloudIdentity.google.serviceAccount) }}
{{- if and $annotated (not .Values.serviceAccount.create) }}
{{- fail "cloudIdentity annotates the service account, and serviceAccount.create=false leaves it alone: annotate it yourself and leave cloudIdentity empty, or set mountToken" }}
{{- end }}
{{- if and .Values.demo (or $annotated $aws.mountToken $azure.mountToken) }}
{{- fail "demo needs no cloudIdentity" }}
{{- end }}
{{- end }}
