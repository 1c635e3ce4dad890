package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/gate"
	"github.com/statefleet/statefleet/test/kubelet"
	"github.com/statefleet/statefleet/test/manifest"
	"github.com/statefleet/statefleet/test/prometheus"
	"github.com/statefleet/statefleet/test/proxy"
)

const (
	// scrapeInterval is the interval of the Prometheus that scrapes in all scenarios.
	scrapeInterval = time.Second

	// discoveryDelay is Prometheus' delay of 5 s, which it applies twice to a change of targets, scaled from a scrape
	// interval of a minute to scrapeInterval.
	discoveryDelay = scrapeInterval * 5 / 60

	// deathNotice is how long the kubelet takes to notice the death of a process. A real kubelet looks once a second,
	// so it takes half a second on average.
	deathNotice = 500 * time.Millisecond
)

// setup is the environment of scenarios: a kubelet that runs the fleet's pods, the proxies between the fleet and the
// API server, and the Prometheus that scrapes the fleet.
type setup struct {
	*world
	kubelet    *kubelet.Kubelet
	apiProxy   *proxy.Proxy // between the API server and all replicas, unless gated
	prometheus *prometheus.Server
	objects    *audit.Cluster
	lines      []string // results, one line for each scenario

	stopControllers func()
	churnPaused     atomic.Bool // churn creates and deletes nothing

	slow   *slow       // limits the rate of lists for a gated fleet
	gated  atomic.Bool // replicas reach the API server through a gate with slow instead of apiProxy
	record *record     // of the topology, during the current scenario

	states         string                        // path of a directory with one directory for the state of each replica
	installed      string                        // folder of the installed manifests, and the name of the variant
	changeTemplate func(*corev1.PodTemplateSpec) // applied to the pod template of every fleet
}

// variant is how a fleet differs from the manifests.
type variant struct {
	name string
	// gated fleets reach the API server through a gate that can limit the rate of lists.
	gated bool
	// savesState has each replica save its state in a directory that outlives its pod.
	savesState bool
	// changeTemplate changes the template of the pods; nil leaves it as it is.
	changeTemplate func(*corev1.PodTemplateSpec)
}

// newSetup takes over the fleet, which has no pods until a scenario scales it.
func (w *world) newSetup(t *testing.T, change func(*corev1.PodTemplateSpec)) *setup {
	w.scale(t, 0)
	w.removeFleetPods(t)
	s := &setup{world: w, apiProxy: proxy.Start(t, w.cluster.Address()), changeTemplate: change, states: makeStateDirs(t)}
	s.startControllers(t)
	t.Cleanup(func() { s.stopControllers() })
	s.objects = audit.Follow(t, w.cluster.Config())
	direct := []string{"--kubeconfig=" + w.cluster.KubeconfigVia(t, w.token, s.apiProxy.Address())}
	slowed := []string{"--kubeconfig=" + gate.Start(t, w.cluster.Config(), func(next http.Handler) http.Handler {
		s.slow = &slow{next: next}
		return s.slow
	}).Kubeconfig(t, w.token)}
	s.kubelet = kubelet.Run(t, kubelet.Options{
		Client: w.cluster.Client(), Namespace: namespace, Selector: "app.kubernetes.io/name=" + setName, Node: "node-1", Notice: deathNotice,
		Flags: func(*corev1.Pod) []string {
			if s.gated.Load() {
				return slowed
			}
			return direct
		},
		Binary: binaryOf,
	})
	s.prometheus = prometheus.Start(t, prometheus.Options{
		Kubeconfig: w.prometheusKubeconfig(t), Interval: scrapeInterval, Delay: discoveryDelay, Log: slog.New(slog.DiscardHandler),
	})
	w.churn(t, &s.churnPaused)
	return s
}

func (s *setup) startControllers(t *testing.T) {
	s.stopControllers = s.cluster.StartControllers(t, "statefulset-controller")
}

// fleet scales the fleet to n replicas and waits until it is settled. If another folder or variant is installed, it
// installs the manifests of folder first, changed by the variant.
func (s *setup) fleet(t *testing.T, n int, folder string, v variant) {
	t.Helper()
	if is := folder + " " + v.name; is != s.installed {
		s.scale(t, 0)
		s.settle(t, 0)
		s.gated.Store(v.gated)
		s.install(t, folder, v)
		s.installed = is
	}
	s.scale(t, n)
	s.settle(t, n)
}

// install applies the parts of a folder's manifests in which the folders differ: the Role and the pod template.
func (s *setup) install(t *testing.T, folder string, v variant) {
	t.Helper()
	apply(t, s.cluster, folder, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Role" })
	objects, err := manifest.Build(folder)
	if err != nil {
		t.Fatal(err)
	}
	var set appsv1.StatefulSet
	for _, object := range objects {
		if object.GetKind() == "StatefulSet" {
			convert(t, object, &set)
		}
	}
	s.changePods(t, func(pods *corev1.PodTemplateSpec) {
		*pods = set.Spec.Template
		if err := kubelet.OwnPorts(&pods.Spec); err != nil {
			t.Fatal(err)
		}
		s.changeTemplate(pods)
		if v.savesState {
			pods.Spec.Containers[0].Args = append(pods.Spec.Containers[0].Args, "--store.snapshot-dir="+s.states+"/$(POD_NAME)")
		}
		if v.changeTemplate != nil {
			v.changeTemplate(pods)
		}
	})
}

// prometheusKubeconfig returns the path of a kubeconfig for the account of the Prometheus in the example for kind, with
// the rights that it has there.
func (w *world) prometheusKubeconfig(t *testing.T) string {
	t.Helper()
	const name = "prometheus"
	apply(t, w.cluster, "manifests/examples/kind", func(o *unstructured.Unstructured) bool {
		return o.GetName() == name && slices.Contains([]string{"ServiceAccount", "Role", "RoleBinding"}, o.GetKind())
	})
	return w.cluster.Kubeconfig(t, w.cluster.Token(t, namespace, name))
}

func (w *world) scale(t *testing.T, replicas int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := w.cluster.Client().AppsV1().StatefulSets(namespace).Patch(t.Context(), setName, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// changePods changes the template of the fleet's pods.
func (w *world) changePods(t *testing.T, change func(*corev1.PodTemplateSpec)) *appsv1.StatefulSet {
	t.Helper()
	return w.changeSet(t, func(set *appsv1.StatefulSet) { change(&set.Spec.Template) })
}

// changeSet changes the fleet's StatefulSet.
func (w *world) changeSet(t *testing.T, change func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	t.Helper()
	sets, set := w.cluster.Client().AppsV1().StatefulSets(namespace), &appsv1.StatefulSet{}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() (err error) {
		if set, err = sets.Get(t.Context(), setName, metav1.GetOptions{}); err == nil {
			change(set)
			set, err = sets.Update(t.Context(), set, metav1.UpdateOptions{})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// settle waits until n replicas are Ready and serve n shards, and, unless n is 0, until every object is in one
// exposition and Prometheus has scraped it.
func (s *setup) settle(t *testing.T, n int) {
	t.Helper()
	fleet.Eventually(t, fmt.Sprintf("a settled fleet of %d", n), func(ctx context.Context) error { return s.checkFleet(ctx, n, false) })
	if n > 0 {
		s.waitForCompleteness(t)
	}
}

// waitForCompleteness waits until every object is in one exposition, and Prometheus has scraped the seeded pods.
func (s *setup) waitForCompleteness(t *testing.T) {
	t.Helper()
	fleet.Eventually(t, "every object is in one exposition", func(ctx context.Context) error {
		return audit.Complete(ctx, audit.Options{Cluster: s.objects, Targets: s.targets, Late: defaultMaxDelay})
	})
	fleet.Eventually(t, "Prometheus has every seeded pod", func(ctx context.Context) error {
		now := time.Now()
		counts, err := s.prometheus.Range(ctx, "count("+seededSeries+")", now, now)
		if all := counts["{}"]; err == nil && (len(all) == 0 || int(all[0]) != seededPods) {
			err = fmt.Errorf("got counts %v of the seeded pods, want %d; targets: %v", all, seededPods, s.prometheus.Targets("statefleet"))
		}
		return err
	})
}

// checkFleet returns an error unless n replicas run and serve n shards, each that of its ordinal, and their pods are Ready
// and updated. A fleet of two versions (mixed) need not be coordinated, and may have a transition.
func (s *setup) checkFleet(ctx context.Context, n int, mixed bool) error {
	running := s.kubelet.Running()
	if len(running) != n {
		return fmt.Errorf("%d replicas run, want %d", len(running), n)
	}
	for _, r := range running {
		self, err := r.SelfMetrics(ctx)
		if err != nil {
			return err
		}
		shard, total := self.Value(selfmetrics.ShardOrdinal), self.Value(selfmetrics.TotalShards)
		if podName(int(shard)) != r.Pod || int(total) != n || int(self.Value(selfmetrics.ActiveShards)) != n {
			return fmt.Errorf("%s is shard %v of %v, want %d shards", r.Pod, shard, total, n)
		}
		changing, coordinated := self.Value(selfmetrics.Changing), self.Value("statefleet_coordination", "state", "coordinated")
		if !mixed && (changing != 0 || coordinated != 1) {
			return fmt.Errorf("%s: got transition %v, coordinated %v", r.Pod, changing, coordinated)
		}
	}
	set, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Get(ctx, setName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	now := set.Status
	updated := n == 0 || now.UpdateRevision == now.CurrentRevision
	if mixed {
		updated = int(now.UpdatedReplicas) == n-int(*set.Spec.UpdateStrategy.RollingUpdate.Partition)
	}
	if now.ObservedGeneration != set.Generation || int(now.ReadyReplicas) != n || int(now.Replicas) != n || !updated {
		return fmt.Errorf("%d of %d pods are Ready, %d are updated, at revision %s of %s",
			now.ReadyReplicas, now.Replicas, now.UpdatedReplicas, now.CurrentRevision, now.UpdateRevision)
	}
	return nil
}

// targets returns the name and URL of each running replica.
func (s *setup) targets() []audit.Target {
	var targets []audit.Target
	for _, r := range s.kubelet.Running() {
		targets = append(targets, audit.Target{Name: r.Pod, URL: r.URL})
	}
	return targets
}

// removeFleetPods deletes the fleet's pods, which no kubelet runs.
func (w *world) removeFleetPods(t *testing.T) {
	t.Helper()
	pods := w.cluster.Client().CoreV1().Pods(namespace)
	fleet.Eventually(t, "the fleet has no pods", func(ctx context.Context) error {
		now := int64(0)
		if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}); err != nil {
			return err
		}
		left, err := pods.List(ctx, metav1.ListOptions{})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("%d pods are left", len(left.Items))
		}
		return err
	})
}
