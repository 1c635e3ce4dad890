//go:build linux

package node

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/audit"
)

const (
	// noticed is how long it may take until Kubernetes says of a node that is cut off that it is not ready: by default
	// its lease may be silent for 50 s, and the controller looks every 5 s.
	noticed = 65 * time.Second
	// collected is how long it may take until the pods of a node with the taint out-of-service are gone: the controller
	// that deletes them looks every 20 s.
	collected = 30 * time.Second
	// evicted is the node that is cut off.
	evicted = "node-2"
)

// partition is a node that is cut off from the others, where the control plane and Prometheus are.
type partition struct {
	standby bool
	lost    string       // the replica that runs there
	late    audit.Report // from the moment on when it was known that the node is gone
}

// nodePartitioned cuts a node off that runs one replica of three. When Kubernetes has noticed that, the administrator
// says that the node is out of service, as the documentation of Kubernetes asks for: until then a StatefulSet does not
// replace the pods. They run on the other node then, and the node comes back.
//
// The node runs one replica only because a replica and the next one, which stands by for it, would be gone together.
func nodePartitioned(name string, standby bool) scenario {
	p := &partition{standby: standby}
	missing := noticed
	if !standby {
		missing += collected + restart
	}
	return scenario{name: name, before: p.before, act: p.act, after: p.after, missing: missing}
}

func (p *partition) before(t *testing.T, s *site) { p.lost = s.leaveOne(t, evicted) }

// leaveOne moves replicas until a node runs one of them, and returns its name.
func (s *site) leaveOne(t *testing.T, node string) string {
	t.Helper()
	for range 3 {
		var there, elsewhere []corev1.Pod
		for _, p := range s.pods(t) {
			if p.Spec.NodeName == node {
				there = append(there, p)
			} else {
				elsewhere = append(elsewhere, p)
			}
		}
		if len(there) == 1 {
			return there[0].Name
		}
		moved := append(there, elsewhere...)[0]
		uncordon := s.cordon(t, moved.Spec.NodeName)
		s.replacePod(t, moved.Name)
		s.waitReady(t, s.replicas(t))
		uncordon()
	}
	t.Fatalf("%s does not run one replica", node)
	return ""
}

func (p *partition) act(t *testing.T, s *site) {
	began := time.Now()
	since := func() time.Duration { return time.Since(began).Round(100 * time.Millisecond) }
	s.cable(t, "down")
	t.Cleanup(func() { s.cable(t, "up") })
	s.waitNode(t, evicted, false)
	t.Logf("%s, which ran %s, was not ready %s after it was cut off", evicted, p.lost, since())

	time.Sleep(unnoticed / 2) // in which a standby receives the change of the pod
	a := audit.Start(t, s.auditOptions(audit.Follow(t, s.Config())))
	s.outOfService(t, evicted, true)
	t.Cleanup(func() { s.outOfService(t, evicted, false) })
	s.waitReady(t, s.replicas(t))
	t.Logf("its pods were replaced, and ready, after %s", since())

	s.cable(t, "up")
	s.waitNode(t, evicted, true)
	s.outOfService(t, evicted, false)
	err := waitFor(time.Minute, func() bool { // it does not wait for --drain-timeout, 90 s
		_, err := s.machines[1].run(t.Context(), "pgrep", "-f", "^/statefleet .*--pod="+p.lost+" ")
		return err != nil // none is left
	})
	if err != nil {
		t.Errorf("the container of %s on %s, which is back: %v", p.lost, evicted, err)
	}
	t.Logf("%s was ready again, and the container of %s gone, after %s", evicted, p.lost, since())
	p.late = a.Stop()
}

// after: with a standby nothing was missing once the node was known to be gone, without one only what was on the page
// of the replica that ran there.
func (p *partition) after(t *testing.T, _ *site, r audit.Report) {
	t.Log(p.late.Line("once the node was known to be gone"))
	if p.standby && p.late.WorstMissing > 0 {
		t.Errorf("with a standby, an object was missing for %s once the node was known to be gone:\n%s", p.late.WorstMissing, p.late.Details())
	}
	for page, gap := range r.Gaps {
		if page != p.lost && page != "" { // no page: the object came while its replica was gone
			t.Errorf("an object of %s was missing for %s, and only %s ran on the node", page, gap, p.lost)
		}
	}
}

// cable takes the cable of the second node out of the first one, or plugs it in.
func (s *site) cable(t *testing.T, state string) {
	t.Helper()
	if _, err := s.machines[0].run(context.Background(), "ip", "link", "set", "to-2", state); err != nil {
		t.Fatal(err)
	}
}

// waitNode waits until a node is ready, or is not.
func (s *site) waitNode(t *testing.T, name string, ready bool) {
	t.Helper()
	err := waitFor(3*time.Minute, func() bool {
		n, err := s.Client().CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && isReady(n) == ready
	})
	if err != nil {
		t.Fatalf("%s is ready or not, want %t: %v", name, ready, err)
	}
}

// outOfService adds or removes the taint by which an administrator says that a node will not come back by itself: its
// pods are deleted without its kubelet.
func (s *site) outOfService(t *testing.T, name string, on bool) {
	t.Helper()
	nodes := s.Client().CoreV1().Nodes()
	err := waitFor(time.Minute, func() bool { // others write the node as well
		n, err := nodes.Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == corev1.TaintNodeOutOfService })
		if on {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{
				Key: corev1.TaintNodeOutOfService, Value: "nodeshutdown", Effect: corev1.TaintEffectNoExecute,
			})
		}
		_, err = nodes.Update(context.Background(), n, metav1.UpdateOptions{})
		return err == nil
	})
	if err != nil {
		t.Errorf("taint of %s: %v", name, err)
	}
}
