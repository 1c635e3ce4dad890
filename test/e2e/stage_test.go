package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"

	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/gate"
	"github.com/statefleet/statefleet/test/kubelet"
	"github.com/statefleet/statefleet/test/manifest"
	"github.com/statefleet/statefleet/test/prometheus"
	"github.com/statefleet/statefleet/test/proxy"
)

const (
	// scrapeInterval of the Prometheus that watches all scenarios.
	scrapeInterval = time.Second

	// discoveryDelay stands to scrapeInterval as Prometheus' two times 5 s stand to an interval of a minute.
	discoveryDelay = scrapeInterval * 5 / 60

	// deathIsNoticed is half of the second after which a kubelet looks again.
	deathIsNoticed = 500 * time.Millisecond
)

// stage is what scenarios play on: the fleet's pods, what comes between it and the API server, and who watches it.
type stage struct {
	*world
	kubelet    *kubelet.Kubelet
	wire       *proxy.Proxy // between all replicas and the API server
	prometheus *prometheus.Server
	objects    *audit.Cluster
	lines      []string

	stopControllers func()
	quiet           atomic.Bool // nothing comes and goes

	slow   *slow       // makes lists slow for a fleet that is gated
	gated  atomic.Bool // replicas reach the API server through a gate with slow, and not through wire
	record *record     // of the topology during the present scenario

	states  string                        // folder with a directory for the state of each replica
	fleetIs string                        // the manifests that the fleet is of, and the name of its variant
	change  func(*corev1.PodTemplateSpec) // made to the pods of all of them
}

// variant is how a fleet differs from the manifests.
type variant struct {
	name string
	// gated fleets reach the API server through a gate that makes lists slow on demand.
	gated bool
	// saves has each replica save its state in a directory that its next pod has, too.
	saves bool
	// pods changes the template of the pods. Nil for none.
	pods func(*corev1.PodTemplateSpec)
}

// newStage takes over the fleet, which has no pods until a scenario asks for some.
func (w *world) newStage(t *testing.T, change func(*corev1.PodTemplateSpec)) *stage {
	w.scale(t, 0)
	w.removeFleetPods(t)
	s := &stage{world: w, wire: proxy.Start(t, w.cluster.Address()), change: change, states: makeStateDirs(t)}
	s.startControllers(t)
	t.Cleanup(func() { s.stopControllers() })
	s.objects = audit.Follow(t, w.cluster.Config())
	direct := []string{"--kubeconfig=" + w.cluster.KubeconfigVia(t, w.token, s.wire.Address())}
	slowed := []string{"--kubeconfig=" + gate.Start(t, w.cluster.Config(), func(next http.Handler) http.Handler {
		s.slow = &slow{next: next}
		return s.slow
	}).Kubeconfig(t, w.token)}
	s.kubelet = kubelet.Run(t, kubelet.Options{
		Client: w.cluster.Client(), Namespace: namespace, Selector: "app.kubernetes.io/name=" + setName, Node: "node-1", Notice: deathIsNoticed,
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
	w.churn(t, &s.quiet)
	return s
}

func (s *stage) startControllers(t *testing.T) {
	s.stopControllers = s.cluster.StartControllers(t, "statefulset-controller")
}

// fleet makes a settled fleet of n replicas, as the manifests of a folder have it but for the variant.
func (s *stage) fleet(t *testing.T, n int, folder string, v variant) {
	t.Helper()
	if is := folder + " " + v.name; is != s.fleetIs {
		s.scale(t, 0)
		s.settle(t, 0)
		s.gated.Store(v.gated)
		s.install(t, folder, v)
		s.fleetIs = is
	}
	s.scale(t, n)
	s.settle(t, n)
}

// install applies the part of a folder's manifests in which the folders differ: what the fleet may do, and its pods.
func (s *stage) install(t *testing.T, folder string, v variant) {
	t.Helper()
	objects, err := manifest.Build(folder)
	if err != nil {
		t.Fatal(err)
	}
	applier, err := manifest.NewApplier(s.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		switch object.GetKind() {
		case "Role":
			if _, err := applier.Apply(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		case "StatefulSet":
			var set appsv1.StatefulSet
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &set); err != nil {
				t.Fatal(err)
			}
			s.changePods(t, func(pods *corev1.PodTemplateSpec) {
				*pods = set.Spec.Template
				if err := kubelet.OwnPorts(&pods.Spec); err != nil {
					t.Fatal(err)
				}
				s.change(pods)
				if v.saves {
					pods.Spec.Containers[0].Args = append(pods.Spec.Containers[0].Args, "--store.snapshot-dir="+s.states+"/$(POD_NAME)")
				}
				if v.pods != nil {
					v.pods(pods)
				}
			})
		}
	}
}

// prometheusKubeconfig belongs to an account that may do what the scrape configuration says that Prometheus must.
func (w *world) prometheusKubeconfig(t *testing.T) string {
	t.Helper()
	const name = "prometheus"
	client := w.cluster.Client()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}},
	}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}
	_, err := client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), account, metav1.CreateOptions{})
	if err == nil {
		_, err = client.RbacV1().Roles(namespace).Create(t.Context(), role, metav1.CreateOptions{})
	}
	if err == nil {
		_, err = client.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.cluster.Kubeconfig(t, w.cluster.Token(t, namespace, name))
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

// settle waits until there are n replicas that are Ready, agree on n, and have every object on one page, which
// Prometheus has seen too.
func (s *stage) settle(t *testing.T, n int) {
	t.Helper()
	fleet.Eventually(t, fmt.Sprintf("a fleet of %d", n), func(ctx context.Context) error { return s.isFleet(ctx, n) })
	if n > 0 {
		s.isComplete(t)
	}
}

// isComplete waits until every object is on one page, which Prometheus has seen too.
func (s *stage) isComplete(t *testing.T) {
	t.Helper()
	fleet.Eventually(t, "every object is on one page", func(ctx context.Context) error {
		return audit.Complete(ctx, audit.Options{Cluster: s.objects, Pages: s.pages, Late: promptly})
	})
	fleet.Eventually(t, "Prometheus sees every object", func(ctx context.Context) error {
		now := time.Now()
		counts, err := s.prometheus.Range(ctx, "count("+seeded+")", now, now)
		if all := counts["{}"]; err == nil && (len(all) == 0 || int(all[0]) != seededPods) {
			err = fmt.Errorf("%v pods, want %d; targets: %v", all, seededPods, s.prometheus.Targets("statefleet"))
		}
		return err
	})
}

func (s *stage) isFleet(ctx context.Context, n int) error {
	if err := s.serveBy(ctx, n); err != nil {
		return err
	}
	set, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Get(ctx, setName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if now := set.Status; now.ObservedGeneration != set.Generation || int(now.ReadyReplicas) != n || int(now.Replicas) != n ||
		n > 0 && now.UpdateRevision != now.CurrentRevision {
		return fmt.Errorf("%d of %d pods are Ready, at revision %s of %s", now.ReadyReplicas, now.Replicas, now.CurrentRevision, now.UpdateRevision)
	}
	return nil
}

// serveBy returns an error unless n replicas run, which agree on n.
func (s *stage) serveBy(ctx context.Context, n int) error {
	running := s.kubelet.Running()
	if len(running) != n {
		return fmt.Errorf("%d replicas run", len(running))
	}
	for _, r := range running {
		self, err := r.SelfMetrics(ctx)
		if err != nil {
			return err
		}
		active, _ := self.Sum("statefleet_topology_active_shards", nil)
		changing, _ := self.Sum("statefleet_transition_in_progress", nil)
		coordinated, _ := self.Sum("statefleet_coordination", map[string]string{"state": "coordinated"})
		if int(active) != n || changing != 0 || coordinated != 1 {
			return fmt.Errorf("%s: active %v, changing %v, coordinated %v", r.Pod, active, changing, coordinated)
		}
	}
	return nil
}

// pages are those of all processes that may answer.
func (s *stage) pages() []audit.Page {
	var pages []audit.Page
	for _, r := range s.kubelet.Running() {
		pages = append(pages, audit.Page{Name: r.Pod, URL: r.URL})
	}
	return pages
}

// removeFleetPods removes pods that no process stands behind.
func (w *world) removeFleetPods(t *testing.T) {
	t.Helper()
	pods := w.cluster.Client().CoreV1().Pods(namespace)
	fleet.Eventually(t, "no pods of the fleet", func(ctx context.Context) error {
		now := int64(0)
		if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}); err != nil {
			return err
		}
		left, err := pods.List(ctx, metav1.ListOptions{})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("%d are left", len(left.Items))
		}
		return err
	})
}
