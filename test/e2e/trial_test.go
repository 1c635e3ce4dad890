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

	library "github.com/statefleet/statefleet/benchmarks/fleet"
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
	trialShards  = 2  // replicas of a trial
	namesPerKind = 12 // names of objects, of each kind
	allLabels    = "*=[*]"
)

// trial is one run of a faultScenario: a namespace whose objects change at random, the history of these changes, and
// replicas that reach the API server through a gate that injects faults. Only the trial writes in the namespace.
type trial struct {
	faultScenario
	t        *testing.T
	random   *rand.Rand
	seed     uint64
	client   kubernetes.Interface
	ns       string
	injector *faults.Injector
	gate     *gate.Gate
	history  *history.History
	objects  map[history.Key]apiObject
	replicas []*fleet.Replica
	readers  []*history.Reader

	steps, outages int
	took           time.Duration
}

func newTrial(t *testing.T, cluster *controlplane.Cluster, token string, o faultScenario, seed uint64) *trial {
	all, err := renderers()
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{
		faultScenario: o, t: t, random: rand.New(rand.NewPCG(seed, 2)), seed: seed, client: cluster.Client(), ns: "ordeal-" + o.name,
		history: history.New(history.Views{all}), objects: map[history.Key]apiObject{},
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
	tr.injector.Watches(o.watchSeconds)
	tr.injector.Unstreamed(o.unstreamedLists)
	for range 3 * namesPerKind {
		tr.step()
	}
	tr.start(tr.gate.Kubeconfig(t, token))
	return tr
}

// renderers returns the renderers of all kinds, configured like the replicas of a trial.
func renderers() (map[string]*resources.Renderer, error) {
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
	for ordinal := range trialShards {
		flags := []string{
			"--kubeconfig=" + kubeconfig, "--namespaces=" + tr.ns, "--resources=pods,jobs,configmaps",
			"--metric-labels-allowlist=" + allLabels, "--consistency.check-interval=3s", "--custom-resource-state-config=" + gadgetMetrics,
			"--shard=" + strconv.Itoa(ordinal), "--total-shards=" + strconv.Itoa(trialShards),
		}
		if tr.name == string(faults.Stale) {
			flags = append(flags, "--use-apiserver-cache")
		}
		tr.replicas = append(tr.replicas, fleet.Start(tr.t, flags...))
		owned := shard.Assignment{Ordinal: ordinal, Total: trialShards}.Ranges()
		tr.readers = append(tr.readers, tr.history.Reader(0, owned.Contains, nil))
	}
	for _, replica := range tr.replicas {
		replica.WaitReady(tr.t)
	}
}

// identities returns how to recognise the object to which a line belongs.
func identities() history.Kinds {
	return history.Kinds{
		"pods": {Family: "kube_pod_", Label: "pod"}, "jobs": {Family: "kube_job_", Label: "job_name"},
		"configmaps": {Family: "kube_configmap_", Label: "configmap"}, "gadgets": {Family: "gadget_", Label: "name"},
	}
}

// makeChanges makes changes while it compares the expositions with the history, and cuts all connections afterwards,
// unless the scenario keeps them.
func (tr *trial) makeChanges(steps int) {
	tr.t.Helper()
	for range steps {
		tr.step()
		if tr.random.IntN(4) == 0 {
			tr.check()
		}
	}
	if !tr.keepConnections {
		tr.gate.Cut()
	}
	time.Sleep(time.Duration(tr.random.IntN(300)) * time.Millisecond)
	tr.check()
}

func (tr *trial) check() {
	tr.t.Helper()
	for i, replica := range tr.replicas {
		metrics, err := tr.exposition(replica)
		if err == nil {
			err = tr.readers[i].Check(metrics)
		}
		if err != nil {
			tr.t.Fatalf("STATEFLEET_SEED=%d, after %d changes and faults %v: replica %d: %v", tr.seed, tr.steps, tr.injector.Counts(), i, err)
		}
	}
}

// exposition reads the exposition of a replica. A replica that has been ready must always return one.
func (tr *trial) exposition(replica *fleet.Replica) (history.Exposition, error) {
	answer, err := replica.Get(tr.t.Context(), replica.URL+"/metrics")
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("/metrics: got status %d, want 200: %s", answer.Status, answer.Body)
	}
	return identities().Read([]byte(answer.Body))
}

// converge waits until the expositions agree with the cluster, and returns how long that took.
func (tr *trial) converge() time.Duration {
	tr.t.Helper()
	start := time.Now()
	err := library.Until(tr.t.Context(), tr.timeout, "the expositions agree with the cluster", func(context.Context) (errs error) {
		for i, replica := range tr.replicas {
			metrics, err := tr.exposition(replica)
			if err == nil {
				err = tr.readers[i].Equal(metrics)
			}
			errs = errors.Join(errs, err)
		}
		return errs
	})
	if err != nil {
		tr.t.Fatalf("STATEFLEET_SEED=%d, faults %v: %v", tr.seed, tr.injector.Counts(), err)
	}
	return time.Since(start)
}

func (tr *trial) struck() (n int) {
	for _, count := range tr.injector.Counts() {
		n += count
	}
	return n + tr.outages
}

// apiServerOutages closes the gate three times while the cluster changes.
func (tr *trial) apiServerOutages() {
	for range 3 {
		tr.outages++
		tr.gate.Close()
		tr.makeChanges(30)
		time.Sleep(2 * time.Second)
		tr.check()
		if err := tr.gate.Open(); err != nil {
			tr.t.Fatal(err)
		}
		tr.took = max(tr.took, tr.converge())
	}
}

// refuseRequests returns an act that refuses all requests until the replicas report the phase for at least three kinds.
func refuseRequests(f faults.Fault, phase string) func(tr *trial) {
	return func(tr *trial) {
		tr.injector.SetFaults(1, f)
		tr.gate.Cut()
		fleet.Eventually(tr.t, "the kinds are "+phase, func(ctx context.Context) error {
			tr.makeChanges(5)
			for _, replica := range tr.replicas {
				metrics, err := replica.SelfMetrics(ctx)
				if err != nil {
					return err
				}
				if n := metrics.Value(selfmetrics.ResourcePhase, "phase", phase); n < 3 {
					return fmt.Errorf("%v kinds are %s, want at least 3", n, phase)
				}
			}
			return nil
		})
	}
}
