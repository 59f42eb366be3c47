{{/* The pod, the same in a Deployment and a StatefulSet. */}}
{{- define "cloudspend.pod" -}}
metadata:
  labels:
    {{- include "cloudspend.labels" . | nindent 4 }}
    {{- with include "cloudspend.podLabels" . }}
    {{- . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: exporter
    {{- if and .Values.config .Values.restartOnConfigChange }}
    checksum/config: {{ sha256sum .Values.config }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "cloudspend.serviceAccountName" . }}
  automountServiceAccountToken: false
  # The variables of other services would begin with CLOUDSPEND_, too.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  containers:
    - name: exporter
      image: {{ include "cloudspend.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- if .Values.demo }}
        - demo
        - --web.listen-address=:10190
        {{- else }}
        - --config.file=/etc/cloudspend-exporter/cloudspend.yml
        {{- end }}
        - --web.telemetry-path={{ .Values.web.telemetryPath }}
        {{- if or .Values.web.config .Values.web.existingSecret }}
        - --web.config.file=/etc/cloudspend-exporter-web/web.yml
        {{- end }}
        {{- if .Values.web.enableLifecycle }}
        - --web.enable-lifecycle
        {{- end }}
        - --storage.path=/var/lib/cloudspend-exporter
        {{- if gt (int .Values.shards) 1 }}
        - --shard.count={{ int .Values.shards }}
        {{- end }}
        {{- with .Values.log.level }}
        - --log.level={{ . }}
        {{- end }}
        - --log.format={{ .Values.log.format }}
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        # The ordinal at its end is the index of the shard.
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- range .Values.secretEnv }}
        - name: {{ .name }}
          valueFrom:
            secretKeyRef:
              name: {{ .secret }}
              key: {{ .key }}
        {{- end }}
        {{- with .Values.cloudIdentity.aws }}
        {{- if .mountToken }}
        - name: AWS_ROLE_ARN
          value: {{ .roleArn | quote }}
        - name: AWS_WEB_IDENTITY_TOKEN_FILE
          value: /run/secrets/cloud-tokens/aws
        {{- end }}
        {{- end }}
        {{- with .Values.cloudIdentity.azure }}
        {{- if .mountToken }}
        - name: AZURE_CLIENT_ID
          value: {{ .clientId | quote }}
        - name: AZURE_TENANT_ID
          value: {{ .tenantId | quote }}
        - name: AZURE_FEDERATED_TOKEN_FILE
          value: /run/secrets/cloud-tokens/azure
        - name: AZURE_AUTHORITY_HOST
          value: {{ .authorityHost | quote }}
        {{- end }}
        {{- end }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: metrics
          containerPort: 10190
          protocol: TCP
      # By the program itself and not by HTTP: with users every path wants a password, with client certificates a certificate.
      {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
      {{- with index $.Values $probe }}
      {{ $probe }}:
        exec:
          command: [/usr/local/bin/cloudspend-exporter, health]
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        # Whole folders: a single file that is mounted by subPath never changes.
        {{- if not .Values.demo }}
        - name: config
          mountPath: /etc/cloudspend-exporter
          readOnly: true
        {{- end }}
        - name: state
          mountPath: /var/lib/cloudspend-exporter
        {{- if .Values.demo }}
        - name: tmp
          mountPath: /tmp
        {{- end }}
        {{- if .Values.secretFiles }}
        - name: secrets
          mountPath: /run/secrets/cloudspend
          readOnly: true
        {{- end }}
        {{- if or .Values.cloudIdentity.aws.mountToken .Values.cloudIdentity.azure.mountToken }}
        - name: cloud-tokens
          mountPath: /run/secrets/cloud-tokens
          readOnly: true
        {{- end }}
        {{- if or .Values.web.config .Values.web.existingSecret }}
        - name: web
          mountPath: /etc/cloudspend-exporter-web
          readOnly: true
        {{- end }}
        {{- if .Values.web.tlsSecret }}
        - name: tls
          mountPath: /run/tls/cloudspend
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- if not .Values.demo }}
    - name: config
      configMap:
        name: {{ include "cloudspend.configMapName" . }}
        items:
          - key: cloudspend.yml
            path: cloudspend.yml
    {{- end }}
    {{- if not .Values.persistence.enabled }}
    # Survives a container that is started again, not the pod.
    - name: state
      emptyDir: {}
    {{- else if .Values.persistence.existingClaim }}
    - name: state
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim }}
    {{- end }}
    {{- if .Values.demo }}
    - name: tmp
      emptyDir: {}
    {{- end }}
    {{- if .Values.secretFiles }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range .Values.secretFiles }}
          - secret:
              name: {{ .secret }}
              {{- with .items }}
              items:
                {{- toYaml . | nindent 16 }}
              {{- end }}
          {{- end }}
    {{- end }}
    {{- with .Values.cloudIdentity }}
    {{- if or .aws.mountToken .azure.mountToken }}
    # Good for the cloud that the audience names, not for Kubernetes.
    - name: cloud-tokens
      projected:
        defaultMode: 0440
        sources:
          {{- if .aws.mountToken }}
          - serviceAccountToken:
              path: aws
              audience: {{ .aws.audience | quote }}
              expirationSeconds: {{ int .tokenExpirationSeconds }}
          {{- end }}
          {{- if .azure.mountToken }}
          - serviceAccountToken:
              path: azure
              audience: {{ .azure.audience | quote }}
              expirationSeconds: {{ int .tokenExpirationSeconds }}
          {{- end }}
    {{- end }}
    {{- end }}
    {{- if .Values.web.existingSecret }}
    - name: web
      secret:
        secretName: {{ .Values.web.existingSecret }}
        defaultMode: 0440
        items:
          - key: web.yml
            path: web.yml
    {{- else if .Values.web.config }}
    - name: web
      configMap:
        name: {{ include "cloudspend.fullname" . }}-web
    {{- end }}
    {{- with .Values.web.tlsSecret }}
    - name: tls
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
