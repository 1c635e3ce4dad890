package simulator

import (
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// churnDriver is the state of one Churn.Run. Time comes in from outside.
type churnDriver struct {
	cluster *Cluster
	made    *generator
	stages  []stage
	pods    []types.NamespacedName // for status updates
	last    time.Time

	jobs, updates, heartbeats rate
	jobsMade, beats           int
}

func newChurnDriver(c Churn, cluster *Cluster) (*churnDriver, error) {
	d := &churnDriver{
		cluster:    cluster,
		made:       newGenerator(Spec{Seed: c.Seed ^ 0xc4a2}, nil),
		pods:       cluster.Names("pods"),
		jobs:       rate{perSecond: c.JobsPerSecond},
		updates:    rate{perSecond: c.StatusUpdatesPerSecond},
		heartbeats: rate{perSecond: c.HeartbeatsPerSecond},
	}
	d.stages = d.jobStages(c)
	for _, name := range cluster.Names("namespaces") {
		d.made.namespaces = append(d.made.namespaces, name.Name)
	}
	for _, name := range cluster.Names("nodes") {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name.Name}}
		if err := cluster.Get(node); err != nil {
			return nil, fmt.Errorf("node %s: %w", name.Name, err)
		}
		identity := nodeIdentity{name: name.Name}
		if len(node.Status.Addresses) > 0 {
			identity.address = node.Status.Addresses[0].Address
		}
		d.made.nodes = append(d.made.nodes, identity)
	}
	return d, nil
}

// step does what is due at a time.
func (d *churnDriver) step(now time.Time) error {
	var elapsed time.Duration
	if !d.last.IsZero() {
		elapsed = now.Sub(d.last)
	}
	d.last = now
	d.made.spec.Now = now
	if err := d.stepJobs(d.jobs.due(elapsed)); err != nil {
		return err
	}
	for range d.updates.due(elapsed) {
		if err := d.updatePod(); err != nil {
			return err
		}
	}
	for range d.heartbeats.due(elapsed) {
		if err := d.heartbeat(); err != nil {
			return err
		}
	}
	return nil
}

// updatePod changes the status of a pod drawn at random. Pods that others
// have deleted are forgotten.
func (d *churnDriver) updatePod() error {
	for len(d.pods) > 0 {
		i := d.made.random.IntN(len(d.pods))
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.pods[i].Namespace, Name: d.pods[i].Name}}
		err := d.cluster.Modify(pod, func() { d.changeStatus(pod) })
		if !apierrors.IsNotFound(err) {
			return err
		}
		last := len(d.pods) - 1
		d.pods[i] = d.pods[last]
		d.pods = d.pods[:last]
	}
	return nil
}

// changeStatus restarts the first container, turns its readiness, or, when it
// does not run, notes that it has been looked at.
func (d *churnDriver) changeStatus(pod *corev1.Pod) {
	now := d.made.ago(0)
	for i := range pod.ManagedFields {
		if pod.ManagedFields[i].Subresource == "status" {
			pod.ManagedFields[i].Time = &now
		}
	}
	statuses := pod.Status.ContainerStatuses
	if len(statuses) == 0 || statuses[0].State.Running == nil {
		for i := range pod.Status.Conditions {
			pod.Status.Conditions[i].LastProbeTime = now
		}
		return
	}
	first := &statuses[0]
	if d.made.chance(50) {
		first.RestartCount++
		first.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			ExitCode: 137, Reason: "OOMKilled", StartedAt: first.State.Running.StartedAt, FinishedAt: now, ContainerID: first.ContainerID,
		}
		first.State.Running.StartedAt = now
		return
	}
	first.Ready = !first.Ready
	status := corev1.ConditionFalse
	if first.Ready {
		status = corev1.ConditionTrue
	}
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady || c.Type == corev1.ContainersReady {
			c.Status, c.LastTransitionTime = status, now
		}
	}
}

// heartbeat renews the lease of the next node, and of every thirtieth the
// status as well.
func (d *churnDriver) heartbeat() error {
	if len(d.made.nodes) == 0 {
		return nil
	}
	const leasesPerStatus = 30
	name := d.made.nodes[d.beats%len(d.made.nodes)].name
	d.beats++
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: leaseNamespace, Name: name}}
	err := d.cluster.Modify(lease, func() {
		renewed := metav1.NewMicroTime(d.last)
		lease.Spec.RenewTime = &renewed
	})
	if ignoreNotFound(err) != nil {
		return err
	}
	if d.beats%leasesPerStatus > 0 {
		return nil
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err = d.cluster.Modify(node, func() {
		for i := range node.Status.Conditions {
			node.Status.Conditions[i].LastHeartbeatTime = d.made.ago(0)
		}
	})
	return ignoreNotFound(err)
}

// ignoreNotFound is for objects that someone else may have deleted.
func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
