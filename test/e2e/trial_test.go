package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/internal/testing/faults"
	"github.com/statefleet/statefleet/internal/testing/history"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/gate"
)

const (
	parts     = 2  // replicas of a trial
	names     = 12 // of each kind
	allLabels = "*=[*]"
)

// trial is a namespace that changes at random, whose history is remembered, and replicas that reach the API server through a
// gate where requests are spoiled. No one else writes in the namespace.
type trial struct {
	ordeal
	t        *testing.T
	random   *rand.Rand
	seed     uint64
	client   kubernetes.Interface
	ns       string
	injector *faults.Injector
	gate     *gate.Gate
	history  *history.History
	objects  map[history.Key]written
	replicas []*fleet.Replica
	readers  []*history.Reader

	steps, outages int
	took           time.Duration
}

func newTrial(t *testing.T, cluster *controlplane.Cluster, token string, o ordeal, seed uint64) *trial {
	all, err := view()
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{
		ordeal: o, t: t, random: rand.New(rand.NewPCG(seed, 2)), seed: seed, client: cluster.Client(), ns: "ordeal-" + o.name,
		history: history.New(history.Views{all}), objects: map[history.Key]written{},
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tr.ns}}
	if _, err := tr.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	tr.gate = gate.Start(t, cluster.Config(), func(next http.Handler) http.Handler {
		tr.injector = faults.New(next, seed)
		return tr.injector
	})
	tr.injector.Pages(5)
	tr.injector.Watches(o.watch)
	tr.injector.Unstreamed(o.lists)
	for range 3 * names {
		tr.step()
	}
	tr.start(tr.gate.Kubeconfig(t, token))
	return tr
}

// view are the renderers of all kinds, as the replicas of a trial are configured.
func view() (map[string]*resources.Renderer, error) {
	labels, err := resources.ParseAllowlist([]string{allLabels})
	if err != nil {
		return nil, err
	}
	filter, err := resources.NewFilter(resources.Selection{Labels: labels})
	if err != nil {
		return nil, err
	}
	all := map[string]*resources.Renderer{}
	for _, k := range resources.All() {
		if all[k.Name()], err = k.Renderer(filter); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// start starts the replicas and waits until they serve the cluster's state.
func (tr *trial) start(kubeconfig string) {
	tr.t.Helper()
	for ordinal := range parts {
		flags := []string{
			"--kubeconfig=" + kubeconfig, "--namespaces=" + tr.ns, "--resources=pods,jobs,configmaps",
			"--metric-labels-allowlist=" + allLabels, "--consistency.check-interval=3s", "--custom-resource-state-config=" + gadgetMetrics,
			"--shard=" + strconv.Itoa(ordinal), "--total-shards=" + strconv.Itoa(parts),
		}
		if tr.name == string(faults.Stale) {
			flags = append(flags, "--use-apiserver-cache")
		}
		tr.replicas = append(tr.replicas, fleet.Start(tr.t, flags...))
		owned := shard.Assignment{Ordinal: ordinal, Total: parts}.Ranges()
		tr.readers = append(tr.readers, tr.history.Reader(0, owned.Contains, nil))
	}
	for _, replica := range tr.replicas {
		replica.WaitReady(tr.t)
	}
}

// identities tell whose a line is.
func identities() history.Kinds {
	return history.Kinds{
		"pods": {Family: "kube_pod_", Label: "pod"}, "jobs": {Family: "kube_job_", Label: "job_name"},
		"configmaps": {Family: "kube_configmap_", Label: "configmap"}, "gadgets": {Family: "gadget_", Label: "name"},
	}
}

// live makes changes, and now and then cuts connections, while the pages are held against the history.
func (tr *trial) live(steps int) {
	tr.t.Helper()
	for range steps {
		tr.step()
		if tr.random.IntN(4) == 0 {
			tr.check()
		}
	}
	if !tr.calm {
		tr.gate.Cut()
	}
	time.Sleep(time.Duration(tr.random.IntN(300)) * time.Millisecond)
	tr.check()
}

func (tr *trial) check() {
	tr.t.Helper()
	for i, replica := range tr.replicas {
		page, err := tr.page(replica)
		if err == nil {
			err = tr.readers[i].Check(page)
		}
		if err != nil {
			tr.t.Fatalf("STATEFLEET_SEED=%d, after %d changes, %v: replica %d: %v", tr.seed, tr.steps, tr.injector.Counts(), i, err)
		}
	}
}

// page reads what a replica shows. Once it was ready it always shows something.
func (tr *trial) page(replica *fleet.Replica) (history.Page, error) {
	answer, err := replica.Get(tr.t.Context(), replica.URL+"/metrics")
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %d %s", answer.Status, answer.Body)
	}
	return identities().Read([]byte(answer.Body))
}

// converge waits until the pages agree with the cluster.
func (tr *trial) converge() time.Duration {
	tr.t.Helper()
	start := time.Now()
	var last error
	for time.Since(start) < tr.within {
		last = nil
		for i, replica := range tr.replicas {
			page, err := tr.page(replica)
			if err == nil {
				err = tr.readers[i].Equal(page)
			}
			last = errors.Join(last, err)
		}
		if last == nil {
			return time.Since(start)
		}
		time.Sleep(20 * time.Millisecond)
	}
	tr.t.Fatalf("STATEFLEET_SEED=%d, %v: the pages do not agree with the cluster after %s: %v", tr.seed, tr.injector.Counts(), tr.within, last)
	return 0
}

func (tr *trial) struck() (n int) {
	for _, count := range tr.injector.Counts() {
		n += count
	}
	return n + tr.outages
}

// away takes the API server away while the cluster changes.
func (tr *trial) away() {
	for range 3 {
		tr.outages++
		tr.gate.Close()
		tr.live(30)
		time.Sleep(2 * time.Second)
		tr.check()
		if err := tr.gate.Open(); err != nil {
			tr.t.Fatal(err)
		}
		tr.took = max(tr.took, tr.converge())
	}
}

// refuses has all requests refused until the replicas say so; after that they are answered again.
func refuses(f faults.Fault, phase string) func(tr *trial) {
	return func(tr *trial) {
		tr.injector.SetFaults(1, f)
		tr.gate.Cut()
		fleet.Eventually(tr.t, "the kinds are "+phase, func(ctx context.Context) error {
			tr.live(5)
			for _, replica := range tr.replicas {
				page, err := replica.SelfMetrics(ctx)
				if err != nil {
					return err
				}
				if n, _ := page.Sum(selfmetrics.ResourcePhase, map[string]string{"phase": phase}); n < 3 {
					return fmt.Errorf("%v of them", n)
				}
			}
			return nil
		})
	}
}
