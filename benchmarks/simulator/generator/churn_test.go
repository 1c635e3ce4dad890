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
	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// runChurn runs a churn on a small cluster for seconds of simulated time, and returns the cluster.
func runChurn(t *testing.T, c Churn, seconds int) *simulator.Cluster {
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
	f := func(name string, c Churn, want uint64) {
		t.Helper()
		const seconds = 30
		quiet := runChurn(t, Churn{}, 1).ResourceVersion()
		got := (runChurn(t, c, seconds).ResourceVersion() - quiet) / seconds
		// The newest Jobs have not been through all stages.
		if got > want || got < want-want/4 {
			t.Errorf("%s: got %d events a second, want %d, or up to a quarter less", name, got, want)
		}
	}
	f("jobs", Churn{JobsPerSecond: 2, JobRuns: time.Second, JobStays: time.Second}, 20)
	f("updates", Churn{StatusUpdatesPerSecond: 20}, 20)
	f("heartbeats", Churn{HeartbeatsPerSecond: 30}, 31)
	f("all", Churn{JobsPerSecond: 2, StatusUpdatesPerSecond: 20, JobRuns: time.Second, JobStays: time.Second}, 40)
}

func TestChurnIsSteady(t *testing.T) {
	c := Churn{JobsPerSecond: 5, JobRuns: 2 * time.Second, JobStays: 3 * time.Second}
	half, full := runChurn(t, c, 20), runChurn(t, c, 40)
	// Five Jobs a second, each of which exists for 6.3 seconds.
	before := total(Scale(100))
	for _, cluster := range []*simulator.Cluster{half, full} {
		if jobs := (cluster.Len() - before) / 2; jobs < 28 || jobs > 34 {
			t.Errorf("got %d live Jobs, want 28 to 34", jobs)
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
			t.Errorf("%s has node %q, pod IP %q, host IP %q, want all or none",
				pod.Name, pod.Spec.NodeName, pod.Status.PodIP, pod.Status.HostIP)
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
			t.Errorf("got no pod of a Job in phase %d of 4: %v", phase, phases)
		}
	}
	for _, name := range full.Names("jobs") {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		if err := full.Get(job); err != nil {
			t.Fatal(err)
		}
		if s := job.Status; s.Active+s.Succeeded+s.Failed != 1 || (s.Succeeded == 1) != (s.CompletionTime != nil) {
			t.Errorf("%s: got inconsistent status %+v", name, s)
		}
	}
}

func TestChurnIsDeterministicInSimulatedTime(t *testing.T) {
	c := Churn{JobsPerSecond: 5, StatusUpdatesPerSecond: 20, HeartbeatsPerSecond: 5, Seed: 3}
	first, again := runChurn(t, c, 5), runChurn(t, c, 5)
	objects, others := readAll(t, first), readAll(t, again)
	if len(objects) != len(others) {
		t.Fatalf("got %d and %d objects, want equal numbers", len(objects), len(others))
	}
	for name, obj := range objects {
		if other := others[name]; other == nil || !reflect.DeepEqual(obj, other) {
			t.Errorf("%s differs between two runs", name)
		}
	}
}

func TestChurnEndsWithItsContext(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		for _, tidy := range []bool{false, true} {
			cluster := populated(t, Scale(20))
			objects, before := cluster.Len(), cluster.ResourceVersion()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := Churn{JobsPerSecond: 50, StatusUpdatesPerSecond: 100, Tidy: tidy}.Run(ctx, cluster)
			cancel()
			if events := cluster.ResourceVersion() - before; err != nil || events < 200 || (cluster.Len() == objects) != tidy {
				t.Errorf("tidy %t: got %d events, %d objects of %d before, error %v, want at least 200 events and Jobs left unless tidy",
					tidy, events, cluster.Len(), objects, err)
			}
		}
	})
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
