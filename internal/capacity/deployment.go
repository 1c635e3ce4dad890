package capacity

import (
	"bytes"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

// deployment is how to deploy a fleet. Quantities are those of Kubernetes.
type deployment struct {
	Replicas      int    `json:"replicas"`
	Standby       bool   `json:"standby"`
	CPURequest    string `json:"cpuRequest"`
	MemoryRequest string `json:"memoryRequest"`
	MemoryLimit   string `json:"memoryLimit,omitempty"` // "": none
}

func (r report) deployment() deployment {
	d := deployment{Replicas: r.smallest.Replicas, Standby: r.load.Standby}
	d.CPURequest, d.MemoryRequest = r.smallest.Requests(r.limits.Memory)
	if r.limits.Memory > 0 {
		d.MemoryLimit = resource.NewQuantity(r.limits.Memory, resource.BinarySI).String()
	}
	return d
}

// writeDeployment writes the values of the chart and the kustomization.
func (r report) writeDeployment(b *bytes.Buffer) {
	d := r.deployment()
	standby, base := "", "base"
	if d.Standby {
		standby, base = ",standby.enabled=true", "overlays/standby"
	}
	limit, limits := "null", "" // null removes the chart's default
	if d.MemoryLimit != "" {
		limit, limits = d.MemoryLimit, ", limits: {memory: "+d.MemoryLimit+"}"
	}
	_, _ = fmt.Fprintf(b, `
Helm
  --set replicas=%d%s
  --set resources.requests.cpu=%s,resources.requests.memory=%s
  --set resources.limits.memory=%s
Kustomize
  resources: [manifests/%s]
  replicas: [{name: statefleet, count: %d}]
  patches:
    - target: {kind: StatefulSet, name: statefleet}
      patch: |
        - op: replace
          path: /spec/template/spec/containers/0/resources
          value: {requests: {cpu: %s, memory: %s}%s}
`, d.Replicas, standby, d.CPURequest, d.MemoryRequest, limit, base, d.Replicas, d.CPURequest, d.MemoryRequest, limits)
}
