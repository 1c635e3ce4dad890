package generator

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// Churn describes steady change: Jobs that are created, run and deleted with their
// pods, status updates of pods, and heartbeats of nodes. A rate of zero disables its
// part. 20 Jobs and 200 status updates a second cause 400 events a second.
type Churn struct {
	// JobsPerSecond is the rate of new Jobs. Each has one pod and causes 10 events
	// until it is deleted.
	JobsPerSecond float64
	// StatusUpdatesPerSecond is the rate of status updates of random pods.
	StatusUpdatesPerSecond float64
	// HeartbeatsPerSecond is the rate at which the leases of the nodes are renewed
	// in turn. Every thirtieth heartbeat also updates the node's status. Kubelets
	// renew their leases every ten seconds, so a tenth of the number of nodes is
	// realistic.
	HeartbeatsPerSecond float64
	// JobRuns is how long a Job runs, JobStays how long it remains after it has
	// completed. Defaults: 5 s and 10 s.
	JobRuns, JobStays time.Duration
	// Tidy removes the Jobs that the churn has left at the end, and their pods.
	Tidy bool
	// Seed determines names and random choices. Churns of the same cluster need
	// different seeds.
	Seed uint64
}

const (
	churnTick = 20 * time.Millisecond // interval between steps
	churnSeed = 0xc4a2                // so that UIDs differ from those of a Spec with the same seed
)

// During changes the cluster while run runs. If the churn fails, During cancels the context of run
// and returns the churn's error.
func (c Churn) During(ctx context.Context, cluster *simulator.Cluster, run func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		done <- c.Run(ctx, cluster)
	}()
	err := run(ctx)
	cancel()
	if failed := <-done; failed != nil {
		return failed
	}
	return err
}

// Run changes the cluster until ctx ends, and then removes its Jobs if Tidy is set.
// It returns the first error, but none for the end of ctx. Changes that are overdue
// by more than a second are skipped.
func (c Churn) Run(ctx context.Context, cluster *simulator.Cluster) error {
	driver, err := newDriver(c, cluster)
	if err != nil {
		return fmt.Errorf("churn: %w", err)
	}
	ticker := time.NewTicker(churnTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			if !c.Tidy {
				return nil
			}
			return driver.removeJobs()
		case now := <-ticker.C:
			if err := driver.step(now); err != nil {
				return fmt.Errorf("churn: %w", err)
			}
		}
	}
}

// changeRate converts elapsed time to a number of changes.
type changeRate struct {
	perSecond, owed float64
	change          func() error
}

// due returns the number of changes that are due after a further duration.
func (r *changeRate) due(elapsed time.Duration) int {
	r.owed += r.perSecond * elapsed.Seconds()
	r.owed = min(r.owed, max(1, r.perSecond)) // at most the changes of one second
	n := int(r.owed)
	r.owed -= float64(n)
	return n
}

// driver is the state of one Churn.Run. The caller passes the time, which tests simulate.
type driver struct {
	cluster   *simulator.Cluster
	generator *generator
	stages    []stage
	live      []liveJob
	pods      []types.NamespacedName // for status updates
	last      time.Time
	rates     []changeRate

	jobsMade, heartbeatsMade int
}

func newDriver(c Churn, cluster *simulator.Cluster) (*driver, error) {
	d := &driver{
		cluster: cluster, generator: newGenerator(Spec{Seed: c.Seed ^ churnSeed}, nil), pods: cluster.Names("pods"),
	}
	d.stages = d.jobStages(c)
	d.rates = []changeRate{
		{perSecond: c.JobsPerSecond, change: d.startJob},
		{perSecond: c.StatusUpdatesPerSecond, change: d.updatePod},
		{perSecond: c.HeartbeatsPerSecond, change: d.heartbeat},
	}
	for _, name := range cluster.Names("namespaces") {
		d.generator.namespaces = append(d.generator.namespaces, name.Name)
	}
	for _, name := range cluster.Names("nodes") {
		node := &corev1.Node{ObjectMeta: metaOf(name)}
		if err := cluster.Get(node); err != nil {
			return nil, fmt.Errorf("node %s: %w", name.Name, err)
		}
		identity := nodeIdentity{name: name.Name}
		if len(node.Status.Addresses) > 0 {
			identity.address = node.Status.Addresses[0].Address
		}
		d.generator.nodes = append(d.generator.nodes, identity)
	}
	return d, nil
}

func metaOf(name types.NamespacedName) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}
}

// step makes the changes that are due.
func (d *driver) step(now time.Time) error {
	var elapsed time.Duration
	if !d.last.IsZero() {
		elapsed = now.Sub(d.last)
	}
	d.last, d.generator.spec.Now = now, now
	if err := d.advanceJobs(); err != nil {
		return err
	}
	for i := range d.rates {
		for range d.rates[i].due(elapsed) {
			if err := d.rates[i].change(); err != nil {
				return err
			}
		}
	}
	return nil
}

// updatePod changes the status of a random pod. It drops pods from its list that
// others have deleted.
func (d *driver) updatePod() error {
	for len(d.pods) > 0 {
		i := d.generator.random.IntN(len(d.pods))
		pod := &corev1.Pod{ObjectMeta: metaOf(d.pods[i])}
		err := d.cluster.Modify(pod, func() { d.generator.changeStatus(pod) })
		if !apierrors.IsNotFound(err) {
			return err
		}
		last := len(d.pods) - 1
		d.pods[i] = d.pods[last]
		d.pods = d.pods[:last]
	}
	return nil
}

// changeStatus restarts the first container or toggles its readiness. If the container
// does not run, it updates the probe times of the pod's conditions instead.
func (g *generator) changeStatus(pod *corev1.Pod) {
	now := g.ago(0)
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
	if g.chance(50) {
		first.RestartCount++
		first.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			ExitCode: 137, Reason: "OOMKilled", ContainerID: first.ContainerID,
			StartedAt: first.State.Running.StartedAt, FinishedAt: now,
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

// heartbeat renews the lease of the next node. Every thirtieth call also updates the
// node's status.
func (d *driver) heartbeat() error {
	nodes := d.generator.nodes
	if len(nodes) == 0 {
		return nil
	}
	const leasesPerStatus = 30
	name := nodes[d.heartbeatsMade%len(nodes)].name
	d.heartbeatsMade++
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: leaseNamespace, Name: name}}
	err := d.cluster.Modify(lease, func() { lease.Spec.RenewTime = new(metav1.NewMicroTime(d.last)) })
	if ignoreNotFound(err) != nil || d.heartbeatsMade%leasesPerStatus > 0 {
		return ignoreNotFound(err)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err = d.cluster.Modify(node, func() {
		for i := range node.Status.Conditions {
			node.Status.Conditions[i].LastHeartbeatTime = d.generator.ago(0)
		}
	})
	return ignoreNotFound(err)
}

// ignoreNotFound returns err unless it is a NotFound status. Others may have deleted an
// object that a churn changes.
func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
