//go:build linux

package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/test/audit"
)

const (
	// initialReplicas have too little memory for the ballast, scaledReplicas have enough.
	initialReplicas, scaledReplicas = 3, 8
	// smallLimit is a memory limit of a container that is too small for a third of the ballast, and enough for an eighth.
	smallLimit, usualLimit = "60Mi", "512Mi"
	// ballast is the number of objects that fill the memory, ballastBytes the number of random bytes in each.
	ballast, ballastBytes = 7_000, 24 << 10
	ballastNamespace      = "ballast"
	// minKills is how often each container must be killed before the fleet is scaled.
	minKills = 2
	// stableFor is how long no container may be killed once the fleet is complete.
	stableFor = 20 * time.Second
	// maxRestartDelay is the longest back-off of a kubelet for a container that has been killed that often, and the time
	// that the restart then takes.
	maxRestartDelay = 2*time.Minute + restartTime
)

// outOfMemory scales up a fleet that is too small for its cluster: the kernel kills each container repeatedly, because
// its memory limit is too low for a third of the objects. The audit begins when the fleet is scaled.
func outOfMemory() scenario {
	return scenario{name: "grow-out-of-memory-kills", prepare: fillMemory, act: scaleUp, finish: scaleDown, maxMissing: maxRestartDelay}
}

// fillMemory fills the cluster until every container was killed minKills times.
func fillMemory(t *testing.T, s *setup) {
	s.setMemoryLimit(t, smallLimit)
	s.waitRollout(t)
	s.putBallast(t)
	err := waitFor(5*time.Minute, func() bool {
		for _, p := range s.pods(t) {
			if oomKills(p) < minKills {
				return false
			}
		}
		return true
	})
	for _, p := range s.pods(t) {
		for _, c := range p.Status.ContainerStatuses {
			t.Logf("%s: restarted %d times, last termination: %+v", p.Name, c.RestartCount, c.LastTerminationState.Terminated)
		}
	}
	if err != nil {
		t.Fatalf("waiting until every container was killed %d times for its memory: %v", minKills, err)
	}
}

// scaleUp scales the fleet to a size at which all objects fit into memory. Once it is complete, no container may be
// killed, although all expositions are read.
func scaleUp(t *testing.T, s *setup) {
	began := time.Now()
	s.patchSet(t, fmt.Sprintf(`{"spec": {"replicas": %d}}`, scaledReplicas))
	if err := waitFor(maxRestartDelay, func() bool { return countReady(s.pods(t)) == scaledReplicas }); err != nil {
		t.Fatalf("got %d ready replicas, want %d: %v", countReady(s.pods(t)), scaledReplicas, err)
	}
	t.Logf("all %d replicas were ready %s after the fleet was scaled", scaledReplicas, time.Since(began).Round(100*time.Millisecond))
	before, exposed := 0, 0
	pods := s.waitReady(t, scaledReplicas)
	for _, p := range pods {
		before += restarts(p)
		exposed += s.countSeries(t, p, "kube_ingress_info")
	}
	if exposed != ballast {
		t.Errorf("got %d ingresses in the expositions, want %d", exposed, ballast)
	}
	time.Sleep(stableFor)
	after := 0
	for _, p := range s.waitReady(t, scaledReplicas) {
		after += restarts(p)
	}
	if after != before {
		t.Errorf("got %d restarts of containers after the fleet was complete, want 0", after-before)
	}
}

// scaleDown deletes the ballast, and restores the size and the memory limit of the fleet.
func scaleDown(t *testing.T, s *setup, _ audit.Report) {
	ingresses := s.client.NetworkingV1().Ingresses(ballastNamespace)
	inParallel(t, 0, ballast, func(ctx context.Context, i int) error { // the namespace controller would take minutes
		return ingresses.Delete(ctx, ballastName(i), metav1.DeleteOptions{})
	})
	if err := s.client.CoreV1().Namespaces().Delete(t.Context(), ballastNamespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.patchSet(t, fmt.Sprintf(`{"spec": {"replicas": %d}}`, initialReplicas))
	s.waitReady(t, initialReplicas)
	s.setMemoryLimit(t, usualLimit)
	s.waitRollout(t)
}

// setMemoryLimit changes the memory request and limit of the fleet's containers.
func (s *setup) setMemoryLimit(t *testing.T, limit string) {
	t.Helper()
	s.patchSet(t, fmt.Sprintf(`{"spec": {"template": {"spec": {"containers": [{"name": "statefleet", "resources":
		{"requests": {"memory": %[1]q}, "limits": {"memory": %[1]q}}}]}}}}`, limit))
}

// putBallast creates ingresses with paths that hardly compress. No controller of this cluster handles ingresses.
func (s *setup) putBallast(t *testing.T) {
	t.Helper()
	s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ballastNamespace)
	inParallel(t, 0, ballast, func(ctx context.Context, i int) error {
		random := make([]byte, ballastBytes)
		_, _ = rand.Read(random) // never fails
		ingress := &networkingv1.Ingress{}
		if err := yaml.Unmarshal(fmt.Appendf(nil, ballastIngress, ballastName(i), base64.RawURLEncoding.EncodeToString(random)), ingress); err != nil {
			return err
		}
		_, err := s.client.NetworkingV1().Ingresses(ballastNamespace).Create(ctx, ingress, metav1.CreateOptions{})
		return err
	})
}

// ballastIngress is an ingress with one long path. Its arguments are the name and the path.
const ballastIngress = `
metadata: {name: %s}
spec: {rules: [{host: shop.example, http: {paths: [{path: /%s, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}}]}
`

func ballastName(i int) string { return fmt.Sprintf("heavy-%d", i) }

// oomKills returns how often the container of a pod has ended, if its last termination was an OOM kill, and 0
// otherwise.
func oomKills(p corev1.Pod) int {
	if len(p.Status.ContainerStatuses) != 1 {
		return 0
	}
	c := p.Status.ContainerStatuses[0]
	if last := c.State.Terminated; last != nil && last.Reason == "OOMKilled" {
		return int(c.RestartCount) + 1
	}
	if last := c.LastTerminationState.Terminated; last != nil && last.Reason == "OOMKilled" {
		return int(c.RestartCount)
	}
	return 0
}
