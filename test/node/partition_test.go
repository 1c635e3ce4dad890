//go:build linux

package node

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/audit"
)

const (
	// notReadyTime is the longest time until Kubernetes reports that a partitioned node is not ready. By default, the node
	// lifecycle controller waits 50 s for the node's lease and checks every 5 s.
	notReadyTime = 65 * time.Second
	// podDeletionTime is the longest time until the pods of a node with the taint out-of-service are deleted. The
	// controller that deletes them checks every 20 s.
	podDeletionTime = 30 * time.Second
	// partitionedNode is the node that is cut off.
	partitionedNode = "node-2"
)

// partition cuts a node off from the other one, which runs the control plane and the audit.
type partition struct {
	standby       bool
	replica       string       // the replica on the partitioned node
	afterNotReady audit.Report // begins once Kubernetes has reported that the node is not ready
}

// nodePartitioned cuts off a node that runs one replica of three. Once Kubernetes reports that the node is not ready,
// it adds the taint out-of-service to the node, as an administrator would: until then the StatefulSet does not replace
// the pods. When the pods run on the other node, the partitioned node comes back.
//
// The node runs only one replica, because otherwise a replica and its standby could be lost together.
func nodePartitioned(name string, standby bool) scenario {
	p := &partition{standby: standby}
	maxMissing := notReadyTime
	if !standby {
		maxMissing += podDeletionTime + restartTime
	}
	return scenario{name: name, prepare: p.prepare, act: p.act, finish: p.finish, maxMissing: maxMissing}
}

func (p *partition) prepare(t *testing.T, s *setup) { p.replica = s.leaveOne(t, partitionedNode) }

// leaveOne moves replicas until a node runs exactly one of them, and returns its name.
func (s *setup) leaveOne(t *testing.T, node string) string {
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
		s.replacePod(t, moved.Name, nil)
		s.waitReady(t, s.wantReplicas(t))
		uncordon()
	}
	t.Fatalf("%s does not run exactly one replica after 3 moves", node)
	return ""
}

func (p *partition) act(t *testing.T, s *setup) {
	began := time.Now()
	since := func() time.Duration { return time.Since(began).Round(100 * time.Millisecond) }
	s.setLink(t, "down")
	t.Cleanup(func() { s.setLink(t, "up") })
	s.waitNodeReady(t, partitionedNode, false)
	t.Logf("%s, which ran %s, was reported not ready %s after the partition", partitionedNode, p.replica, since())

	time.Sleep(takeoverTime / 2) // the standby receives the change of the pod meanwhile
	a := audit.Start(t, s.auditOptions(audit.Follow(t, s.Config())))
	s.outOfService(t, partitionedNode, true)
	t.Cleanup(func() { s.outOfService(t, partitionedNode, false) })
	s.waitReady(t, s.wantReplicas(t))
	t.Logf("the new pods were ready %s after the partition", since())

	s.setLink(t, "up")
	s.waitNodeReady(t, partitionedNode, true)
	s.outOfService(t, partitionedNode, false)
	// The process must end without waiting for --drain-timeout, 90 s.
	await(t, time.Minute, "the process of "+p.replica+" on the node that has come back has ended", func() bool {
		_, err := s.machines[1].run(t.Context(), "pgrep", "-f", "^/statefleet .*--pod="+p.replica+" ")
		return err != nil // pgrep finds no process
	})
	t.Logf("%s was ready again, and the process of %s had ended, %s after the partition", partitionedNode, p.replica, since())
	p.afterNotReady = a.Stop()
}

// finish checks that only objects of the lost replica were missing. With standby, none may be missing once Kubernetes
// has reported that the node is not ready.
func (p *partition) finish(t *testing.T, _ *setup, r audit.Report) {
	t.Log(p.afterNotReady.Line("once the node was known to be gone"))
	if p.standby && p.afterNotReady.WorstMissing > 0 {
		t.Errorf("with standby, an object was missing for %s after the node was reported not ready, want 0:\n%s",
			p.afterNotReady.WorstMissing, p.afterNotReady.Details())
	}
	for name, gap := range r.Gaps {
		if name != p.replica && name != "" { // "": the object was created while its replica was gone
			t.Errorf("an object of %s was missing for %s, want only objects of %s missing", name, gap, p.replica)
		}
	}
}

// setLink sets the link between the two nodes "up" or "down".
func (s *setup) setLink(t *testing.T, state string) {
	t.Helper()
	if _, err := s.machines[0].run(context.Background(), "ip", "link", "set", "to-2", state); err != nil {
		t.Fatal(err)
	}
}

// waitNodeReady waits until a node is ready or, if ready is false, until it is not.
func (s *setup) waitNodeReady(t *testing.T, name string, ready bool) {
	t.Helper()
	await(t, 3*time.Minute, fmt.Sprintf("the readiness of %s is %t", name, ready), func() bool {
		n, err := s.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && isReady(n) == ready
	})
}

// outOfService adds or removes the taint with which an administrator declares that a node will not come back by itself.
// Kubernetes then deletes its pods without waiting for its kubelet.
func (s *setup) outOfService(t *testing.T, name string, on bool) {
	t.Helper()
	nodes := s.client.CoreV1().Nodes()
	await(t, time.Minute, "the taint of "+name+" is updated", func() bool { // an update may conflict with those of controllers and the kubelet
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
}
