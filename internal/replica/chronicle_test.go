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

// chronicle drives a cluster at random, and remembers what it held.
type chronicle struct {
	t        *testing.T
	random   *rand.Rand
	cluster  *simulator.Cluster
	injector *faults.Injector
	server   *httptest.Server
	history  *history.History
	views    [][]Kind // ways to configure a replica
	steps    int
	checked  int           // pages that were held against the history, and had objects
	often    time.Duration // the time between two bookmarks, and between two looks at pages that are to become true
}

// chronicled says how many names of a kind there are. The page of ConfigMaps names
// the version that it was made from; those of pods and jobs have several series of a
// family for an object, and some that go.
func chronicled(kind string) int {
	return map[string]int{"pods": 20, "jobs": 20, "configmaps": 40}[kind]
}

// identities tell whose a line is.
func identities() history.Kinds {
	return history.Kinds{
		"pods":       {Family: "kube_pod_", Label: "pod"},
		"jobs":       {Family: "kube_job_", Label: "job_name"},
		"configmaps": {Family: "kube_configmap_", Label: "configmap"},
	}
}

func newChronicle(t *testing.T, seed uint64) *chronicle { return newChronicleOn(t, seed, nil) }

// newChronicleOn has its API server listen there; nil is a port of loopback.
func newChronicleOn(t *testing.T, seed uint64, listener net.Listener) *chronicle {
	often := 5 * time.Millisecond
	if listener != nil { // time is simulated: none of it is waited for, and all that happens in it is work
		often = 100 * time.Millisecond
	}
	c := &chronicle{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), often: often,
		cluster: simulator.New(simulator.Options{Seed: seed, ShardSelector: true, LogEvents: 2000, BookmarkInterval: often}),
	}
	var views history.Views
	for _, labels := range [][]string{nil, {"*=[*]"}} {
		kinds, view := chronicledKinds(t, labels)
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
			t.Error("no page with objects was held against the history")
		}
		c.server.CloseClientConnections()
		c.server.Close()
	})
	for range 200 {
		c.step()
	}
	return c
}

// chronicledKinds are the kinds with an allowlist of labels.
func chronicledKinds(t *testing.T, labels []string) (kinds []Kind, view map[string]*resources.Renderer) {
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
		if r, ok := k.Renderer.(*resources.Renderer); ok && chronicled(k.Name) > 0 {
			kinds, view[k.Name] = append(kinds, k), r
		}
	}
	return kinds, view
}

// thing is an object that can be put and written down.
type thing interface {
	simulator.Object
	Marshal() ([]byte, error)
}

// step changes one object: it is created, updated, deleted, or deleted and created
// again under its name.
func (c *chronicle) step() {
	c.steps++
	kind := []string{"pods", "jobs", "configmaps"}[c.random.IntN(3)]
	o := c.object(kind, kind[:1]+strconv.Itoa(c.random.IntN(chronicled(kind))))
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

// exists reports whether there is an object of that name.
func (c *chronicle) exists(o thing) bool {
	var there thing
	switch o.(type) {
	case *corev1.Pod:
		there = &corev1.Pod{}
	case *batchv1.Job:
		there = &batchv1.Job{}
	default:
		there = &corev1.ConfigMap{}
	}
	there.SetNamespace(o.GetNamespace())
	there.SetName(o.GetName())
	return c.cluster.Get(there) == nil
}

func (c *chronicle) key(kind string, o thing) history.Key {
	return history.Key{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

func (c *chronicle) put(kind string, o thing) {
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

func (c *chronicle) remove(kind string, o thing) {
	err := c.cluster.Delete(o)
	if err == nil {
		err = c.history.Delete(c.key(kind, o), c.cluster.ResourceVersion())
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// object makes a random version of an object.
func (c *chronicle) object(kind, name string) thing {
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

func (c *chronicle) pod(meta metav1.ObjectMeta) *corev1.Pod {
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

func (c *chronicle) job(meta metav1.ObjectMeta) *batchv1.Job {
	parallelism := c.random.Int32N(5)
	job := &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Parallelism: &parallelism}}
	job.Status.Active, job.Status.Failed = c.random.Int32N(3), c.random.Int32N(3)
	if c.random.IntN(3) == 0 {
		job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	}
	return job
}
