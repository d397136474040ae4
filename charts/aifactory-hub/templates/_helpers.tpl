{{- define "aifactory.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end }}
{{- end }}

{{- define "aifactory.tenants" -}}
{{- .Values.tenants.existingConfigMap | default "aifactory-tenants" }}
{{- end }}

{{/* What can't be said in the schema. */}}
{{- define "aifactory.check" -}}
{{- $inline := .Values.tenants.inline }}
{{- if and $inline .Values.tenants.existingConfigMap }}
{{- fail "tenants.inline and tenants.existingConfigMap are both set: give the text of tenants.yaml, or the name of a ConfigMap that has it" }}
{{- end }}
{{- if not (or $inline .Values.tenants.existingConfigMap) }}
{{- fail "tenants is empty: add --set-file tenants.inline=tenants.yaml, or name a ConfigMap in tenants.existingConfigMap" }}
{{- end }}
{{- if ne .Release.Namespace "aifactory-system" }}
{{- fail (printf "the namespace is %q: install with --namespace aifactory-system --create-namespace, which the rendered rights name" .Release.Namespace) }}
{{- end }}
{{- if $inline }}
{{- $file := fromYaml $inline }}
{{- if $file.Error }}
{{- fail (printf "tenants.inline is no YAML: %s; try it with `aifactory-hub tenants check tenants.yaml`" $file.Error) }}
{{- end }}
{{- $name := $file.hub | default "main" }}
{{- if ne $name .Values.hubName }}
{{- fail (printf "hubName is %q and tenants.yaml says hub: %s; give both the same name" .Values.hubName $name) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "aifactory.pod" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
{{- end }}

{{- define "aifactory.container" -}}
securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
{{- end }}

{{/* The public internet, neither private nor metadata addresses. */}}
{{- define "aifactory.internet" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
          - 0.0.0.0/8
          - 10.0.0.0/8
          - 100.64.0.0/10
          - 127.0.0.0/8
          - 168.63.129.16/32
          - 169.254.0.0/16
          - 172.16.0.0/12
          - 192.0.0.0/24
          - 192.168.0.0/16
          - 198.18.0.0/15
          - 224.0.0.0/4
          - 240.0.0.0/4
    - ipBlock: {cidr: "2000::/3", except: ["2001::/23", "2001:db8::/32", "2002::/16"]}
{{- end }}

{{- define "aifactory.nameServers" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    {{- range .Values.networkPolicy.nameServers }}
    - ipBlock: {{ toJson . }}
    {{- end }}
{{- end }}

{{/* And the host's API server. */}}
{{- define "aifactory.egress" -}}
{{ include "aifactory.nameServers" . }}
{{- with .Values.networkPolicy.apiServers }}
- ports: [{port: 443, protocol: TCP}, {port: 6443, protocol: TCP}]
  to:
    {{- range . }}
    - ipBlock: {{ toJson . }}
    {{- end }}
{{- end }}
{{- end }}
