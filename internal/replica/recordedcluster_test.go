package replica

import (
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/faults"
	"github.com/statefleet/statefleet/internal/testing/history"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
)

// recordedCluster is a cluster that changes at random, with its history.
type recordedCluster struct {
	t            *testing.T
	random       *rand.Rand
	cluster      *simulator.Cluster
	injector     *faults.Injector
	server       *httptest.Server
	history      *history.History
	views        [][]Kind // the kinds of each way to configure a replica
	steps        int
	checked      int           // non-empty expositions that were compared with the history
	pollInterval time.Duration // between two bookmarks, and between two comparisons of converge
}

// nameCount returns how many names of a kind are used. The lines of ConfigMaps contain the object's
// version; those of pods and jobs have families with several series, of which some disappear.
func nameCount(kind string) int {
	return map[string]int{"pods": 20, "jobs": 20, "configmaps": 40}[kind]
}

// historyKinds returns how to find the object of a line, by kind.
func historyKinds() history.Kinds {
	return history.Kinds{
		"pods":       {Family: "kube_pod_", Label: "pod"},
		"jobs":       {Family: "kube_job_", Label: "job_name"},
		"configmaps": {Family: "kube_configmap_", Label: "configmap"},
	}
}

func newRecordedCluster(t *testing.T, seed uint64) *recordedCluster {
	return newRecordedClusterOn(t, seed, nil)
}

// newRecordedClusterOn makes the API server listen on listener; nil stands for a loopback port.
func newRecordedClusterOn(t *testing.T, seed uint64, listener net.Listener) *recordedCluster {
	pollInterval := 5 * time.Millisecond
	if listener != nil { // simulated time costs no waiting, but each poll costs CPU
		pollInterval = 100 * time.Millisecond
	}
	c := &recordedCluster{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), pollInterval: pollInterval,
		cluster: simulator.New(simulator.Options{Seed: seed, ShardSelector: true, LogEvents: 2000, BookmarkInterval: pollInterval}),
	}
	var views history.Views
	for _, labels := range [][]string{nil, {"*=[*]"}} {
		kinds, view := recordedKinds(t, labels)
		c.views, views = append(c.views, kinds), append(views, view)
	}
	c.history = history.New(views)
	c.injector = faults.New(c.cluster.Handler(), seed)
	c.injector.Pages(25)
	c.server = httptest.NewUnstartedServer(c.injector)
	if listener != nil {
		_ = c.server.Listener.Close()
		c.server.Listener = listener
	}
	c.server.Start()
	t.Cleanup(func() {
		if c.checked == 0 && !t.Failed() && !t.Skipped() {
			t.Error("no non-empty exposition was compared with the history")
		}
		c.server.CloseClientConnections()
		c.server.Close()
	})
	for range 200 {
		c.step()
	}
	return c
}

// recordedKinds are the kinds with an allowlist of labels.
func recordedKinds(t *testing.T, labels []string) (kinds []Kind, view map[string]*resources.Renderer) {
	t.Helper()
	allowed, err := resources.ParseAllowlist(labels)
	if err != nil {
		t.Fatal(err)
	}
	filter, err := resources.NewFilter(resources.Selection{Labels: allowed})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Builtin(resources.All(), filter)
	if err != nil {
		t.Fatal(err)
	}
	view = map[string]*resources.Renderer{}
	for _, k := range all {
		if r, ok := k.Renderer.(*resources.Renderer); ok && nameCount(k.Name) > 0 {
			kinds, view[k.Name] = append(kinds, k), r
		}
	}
	return kinds, view
}

// protoObject is an object that can be stored in the cluster and recorded in the history.
type protoObject interface {
	simulator.Object
	Marshal() ([]byte, error)
}

// step creates, updates or deletes a random object, or deletes it and creates another one under its
// name.
func (c *recordedCluster) step() {
	c.steps++
	kind := []string{"pods", "jobs", "configmaps"}[c.random.IntN(3)]
	o := c.object(kind, kind[:1]+strconv.Itoa(c.random.IntN(nameCount(kind))))
	exists := c.exists(o)
	switch n := c.random.IntN(10); {
	case exists && n < 2:
		c.remove(kind, o)
	case exists && n < 4:
		c.remove(kind, o)
		c.put(kind, o)
	default:
		c.put(kind, o)
	}
}

// exists reports whether the cluster has an object with the name of o.
func (c *recordedCluster) exists(o protoObject) bool {
	var found protoObject
	switch o.(type) {
	case *corev1.Pod:
		found = &corev1.Pod{}
	case *batchv1.Job:
		found = &batchv1.Job{}
	default:
		found = &corev1.ConfigMap{}
	}
	found.SetNamespace(o.GetNamespace())
	found.SetName(o.GetName())
	return c.cluster.Get(found) == nil
}

func (c *recordedCluster) key(kind string, o protoObject) history.Key {
	return history.Key{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

func (c *recordedCluster) put(kind string, o protoObject) {
	err := c.cluster.Put(o)
	var raw []byte
	if err == nil {
		raw, err = o.Marshal()
	}
	if err == nil {
		err = c.history.Put(c.key(kind, o), string(o.GetUID()), watch.ParseVersion(o.GetResourceVersion()), raw)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *recordedCluster) remove(kind string, o protoObject) {
	err := c.cluster.Delete(o)
	if err == nil {
		err = c.history.Delete(c.key(kind, o), c.cluster.ResourceVersion())
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// object returns a random version of an object.
func (c *recordedCluster) object(kind, name string) protoObject {
	meta := metav1.ObjectMeta{Namespace: "default", Name: name, CreationTimestamp: metav1.Unix(1700000000+int64(c.random.IntN(1000)), 0)}
	for range c.random.IntN(4) {
		metav1.SetMetaDataLabel(&meta, string(rune('a'+c.random.IntN(6))), strconv.Itoa(c.random.IntN(5)))
	}
	switch kind {
	case "pods":
		return c.pod(meta)
	case "jobs":
		return c.job(meta)
	}
	return &corev1.ConfigMap{ObjectMeta: meta}
}

func (c *recordedCluster) pod(meta metav1.ObjectMeta) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{NodeName: "n" + strconv.Itoa(c.random.IntN(5))}}
	pod.Status.Phase = []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded}[c.random.IntN(3)]
	for i := range c.random.IntN(4) {
		name := "c" + strconv.Itoa(i)
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name, Image: "i", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(c.random.Int64N(1000), resource.DecimalSI)},
		}})
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: name, Image: "i", RestartCount: c.random.Int32N(5), Ready: c.random.IntN(2) == 0,
		})
	}
	return pod
}

func (c *recordedCluster) job(meta metav1.ObjectMeta) *batchv1.Job {
	parallelism := c.random.Int32N(5)
	job := &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Parallelism: &parallelism}}
	job.Status.Active, job.Status.Failed = c.random.Int32N(3), c.random.Int32N(3)
	if c.random.IntN(3) == 0 {
		job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	}
	return job
}
