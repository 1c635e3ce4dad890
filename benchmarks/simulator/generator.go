package simulator

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Objects generates the cluster, owners before what they own. The same Spec
// gives the same objects, byte for byte. Objects share maps and slices with
// one another: encode or deep-copy them before changing one.
func (s Spec) Objects() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		g := newGenerator(s, yield)
		for _, step := range []func(){
			g.makeNamespaces, g.makeNodes, g.makeStorage, g.makeAccess, g.makeAdmission,
			g.makeDaemonSets, g.makeStatefulSets, g.makeReplicationControllers, g.makeDeployments,
			g.makeCronJobs, g.makeJobs, g.makeServices, g.makeNetwork, g.makeConfig, g.makePolicies, g.makeSigningRequests,
		} {
			if step(); g.stopped {
				return
			}
		}
	}
}

// Populate stores everything that the spec generates.
func (c *Cluster) Populate(s Spec) error {
	for obj := range s.Objects() {
		if err := c.Put(obj); err != nil {
			return fmt.Errorf("populate: %w", err)
		}
	}
	return nil
}

// generator makes the objects of one Spec.
type generator struct {
	spec       Spec
	random     *rand.Rand
	yield      func(Object) bool
	stopped    bool
	namespaces []string
	nodes      []nodeIdentity
	podsMade   int // of spec.Pods
	addresses  uint32
	workloads  []*workload // that services, autoscalers and budgets select
	cronJobs   []cronJob
	suffixes   uint64

	ownedFields map[string]*metav1.FieldsV1 // by shape
}

func newGenerator(s Spec, yield func(Object) bool) *generator {
	if s.Now.IsZero() {
		s.Now = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)
	}
	random := newRandom(s.Seed)
	return &generator{spec: s, random: random, yield: yield, suffixes: random.Uint64N(1 << 32), ownedFields: map[string]*metav1.FieldsV1{}}
}

func (g *generator) put(obj Object) {
	if !g.stopped {
		g.stopped = !g.yield(obj)
	}
}

// meta is the metadata that every object has. Ages are up to 90 days.
func (g *generator) meta(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	const oldest = 90 * 24 * time.Hour
	return metav1.ObjectMeta{
		Namespace:         namespace,
		Name:              name,
		UID:               randomUID(g.random),
		CreationTimestamp: g.ago(g.within(oldest)),
		Labels:            labels,
	}
}

// ago is a time before the spec's, in whole seconds as the API keeps them.
func (g *generator) ago(d time.Duration) metav1.Time {
	return metav1.NewTime(g.spec.Now.Add(-d).Truncate(time.Second))
}

// after is d later than a time, but not in the future.
func (g *generator) after(t metav1.Time, d time.Duration) metav1.Time {
	if later := t.Add(d); later.Before(g.spec.Now) {
		return metav1.NewTime(later)
	}
	return g.ago(0)
}

func (g *generator) within(most time.Duration) time.Duration {
	return time.Duration(g.random.Int64N(int64(most)))
}

// chance is true in percent of all cases.
func (g *generator) chance(percent int) bool { return g.random.IntN(100) < percent }

func (g *generator) namespace(i int) string {
	if len(g.namespaces) == 0 {
		return "default"
	}
	return g.namespaces[i%len(g.namespaces)]
}

// suffix ends a generated name. None comes twice in 14 million.
func (g *generator) suffix() string {
	g.suffixes++
	const step = 7_919_393 // shares no factor with the number of suffixes
	n := g.suffixes * step
	text := make([]byte, 5)
	for i := range text {
		text[i] = suffixAlphabet[n%uint64(len(suffixAlphabet))]
		n /= uint64(len(suffixAlphabet))
	}
	return string(text)
}

// pick chooses one at random.
func pick[T any](g *generator, from ...T) T { return from[g.random.IntN(len(from))] }

// share is the i-th of n parts of total, which differ by one at most.
func share(total, n, i int) int {
	if i < total%n {
		return total/n + 1
	}
	return total / n
}

// address is the next address of the pod network.
func (g *generator) address() string {
	g.addresses++
	n := g.addresses
	return fmt.Sprintf("10.%d.%d.%d", 128+(n>>16)&0x7f, n>>8&0xff, n&0xff)
}

// appName is what people call the i-th application.
func appName(i int) string {
	subjects := []string{
		"billing", "checkout", "search", "profile", "inventory", "shipping", "catalog", "pricing", "session", "notification",
		"reporting", "gateway", "ledger", "fraud", "media", "recommendation", "identity", "audit", "support", "analytics",
	}
	parts := []string{"api", "worker", "frontend", "consumer", "cache", "sync", "scheduler", "proxy"}
	name := subjects[i%len(subjects)] + "-" + parts[i/len(subjects)%len(parts)]
	if round := i / (len(subjects) * len(parts)); round > 0 {
		name += fmt.Sprintf("-%d", round)
	}
	return name
}
