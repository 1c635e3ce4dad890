package generator

import (
	"context"
	"reflect"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// eventually polls until done is true; it fails the test after a minute.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

// churned drives a small cluster through simulated time.
func churned(t *testing.T, c Churn, seconds int) *simulator.Cluster {
	t.Helper()
	cluster := populated(t, Scale(100))
	driver, err := newDriver(c, cluster)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)
	for range seconds * int(time.Second/churnTick) {
		if err := driver.step(now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(churnTick)
	}
	return cluster
}

func TestChurnMakesTheDocumentedNumberOfEvents(t *testing.T) {
	f := func(what string, c Churn, want uint64) {
		t.Helper()
		const seconds = 30
		quiet := churned(t, Churn{}, 1).ResourceVersion()
		got := (churned(t, c, seconds).ResourceVersion() - quiet) / seconds
		// The latest jobs are not through yet.
		if got > want || got < want-want/4 {
			t.Errorf("%s: %d events a second, want %d", what, got, want)
		}
	}
	f("jobs", Churn{JobsPerSecond: 2, JobRuns: time.Second, JobStays: time.Second}, 20)
	f("updates", Churn{StatusUpdatesPerSecond: 20}, 20)
	f("heartbeats", Churn{HeartbeatsPerSecond: 30}, 31)
	f("all", Churn{JobsPerSecond: 2, StatusUpdatesPerSecond: 20, JobRuns: time.Second, JobStays: time.Second}, 40)
}

func TestChurnIsSteady(t *testing.T) {
	c := Churn{JobsPerSecond: 5, JobRuns: 2 * time.Second, JobStays: 3 * time.Second}
	half, full := churned(t, c, 20), churned(t, c, 40)
	// Five a second that live for 6.3 seconds.
	before := total(Scale(100))
	for _, cluster := range []*simulator.Cluster{half, full} {
		if jobs := (cluster.Len() - before) / 2; jobs < 28 || jobs > 34 {
			t.Errorf("%d jobs live", jobs)
		}
	}
	var phases [4]int
	for _, name := range full.Names("pods") {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		if err := full.Get(pod); err != nil {
			t.Fatal(err)
		}
		if pod.OwnerReferences[0].Kind != "Job" {
			continue
		}
		if (pod.Spec.NodeName == "") != (pod.Status.PodIP == "") || (pod.Status.PodIP == "") != (pod.Status.HostIP == "") {
			t.Errorf("%s on node %q has address %q at %q", pod.Name, pod.Spec.NodeName, pod.Status.PodIP, pod.Status.HostIP)
		}
		switch {
		case pod.Spec.NodeName == "":
			phases[0]++
		case pod.Status.Phase == corev1.PodPending:
			phases[1]++
		case pod.Status.Phase == corev1.PodRunning:
			phases[2]++
		case pod.Status.Phase == corev1.PodSucceeded:
			phases[3]++
		}
	}
	for phase, n := range phases {
		if n == 0 {
			t.Errorf("no pod of a job in phase %d of 4: %v", phase, phases)
		}
	}
	for _, name := range full.Names("jobs") {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		if err := full.Get(job); err != nil {
			t.Fatal(err)
		}
		if s := job.Status; s.Active+s.Succeeded+s.Failed != 1 || (s.Succeeded == 1) != (s.CompletionTime != nil) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestChurnIsDeterministicInSimulatedTime(t *testing.T) {
	c := Churn{JobsPerSecond: 5, StatusUpdatesPerSecond: 20, HeartbeatsPerSecond: 5, Seed: 3}
	first, again := churned(t, c, 5), churned(t, c, 5)
	objects, others := stored(t, first), stored(t, again)
	if len(objects) != len(others) {
		t.Fatalf("%d and %d objects", len(objects), len(others))
	}
	for name, obj := range objects {
		if other := others[name]; other == nil || !reflect.DeepEqual(obj, other) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestChurnEndsWithItsContext(t *testing.T) {
	cluster := populated(t, Scale(20))
	before := cluster.ResourceVersion()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Churn{JobsPerSecond: 50, StatusUpdatesPerSecond: 100}.Run(ctx, cluster) }()
	eventually(t, "change", func() bool { return cluster.ResourceVersion() > before+20 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTidyChurnLeavesNothing(t *testing.T) {
	cluster := populated(t, Scale(20))
	objects, before := cluster.Len(), cluster.ResourceVersion()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Churn{JobsPerSecond: 100, Tidy: true}.Run(ctx, cluster) }()
	eventually(t, "change", func() bool { return cluster.ResourceVersion() > before+20 })
	cancel()
	if err := <-done; err != nil || cluster.Len() != objects {
		t.Errorf("%d objects of %d, %v", cluster.Len(), objects, err)
	}
}

func TestChurnOutlivesWhatOthersDelete(t *testing.T) {
	cluster := populated(t, Scale(20))
	driver, err := newDriver(Churn{JobsPerSecond: 5, StatusUpdatesPerSecond: 50, HeartbeatsPerSecond: 50}, cluster)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)
	for range 600 {
		for obj, resource := range map[simulator.Object]string{&corev1.Pod{}: "pods", &batchv1.Job{}: "jobs", &corev1.Node{}: "nodes"} {
			names := cluster.Names(resource)
			if len(names) == 0 {
				continue
			}
			obj.SetNamespace(names[0].Namespace)
			obj.SetName(names[0].Name)
			if err := cluster.Delete(obj); err != nil {
				t.Fatal(err)
			}
		}
		if err := driver.step(now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(churnTick)
	}
}
