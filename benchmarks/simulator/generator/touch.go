package generator

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// Touch changes a share of all objects once, spread evenly over all kinds and their
// objects. It increments the creation time by a second and the generation by one,
// because exporters expose one of them for almost every kind. Pods also get a status
// update like those of a Churn, and leases are renewed.
type Touch struct {
	// Share is the fraction of the objects, above 0 and at most 1.
	Share float64
	// Replace recreates each object with another UID, so that an exporter must drop
	// its samples of the old object.
	Replace bool
	// PerSecond limits the rate, so that watches keep up. 0 is unlimited.
	PerSecond float64
	// Seed determines the status updates. Two Touches with the same seed may undo
	// each other.
	Seed uint64
}

// Run changes the objects and returns their number. If a change fails or ctx ends, it
// returns an error and the number so far.
func (t Touch) Run(ctx context.Context, cluster *simulator.Cluster) (int, error) {
	g := newGenerator(Spec{Seed: t.Seed ^ churnSeed, Now: time.Now()}, nil)
	limiter := rate.NewLimiter(cmp.Or(rate.Limit(t.PerSecond), rate.Inf), 100)
	changed, owed := 0, 0.0
	for _, kind := range simulator.Kinds() {
		for _, name := range cluster.Names(kind.Resource) {
			if owed += t.Share; owed < 1 {
				continue
			}
			owed--
			obj, err := kind.New()
			if err == nil {
				obj.SetNamespace(name.Namespace)
				obj.SetName(name.Name)
				err = ignoreNotFound(t.change(cluster, g, obj))
			}
			if err != nil {
				return changed, fmt.Errorf("touch: %w", err)
			}
			changed++
			if err := limiter.Wait(ctx); err != nil {
				return changed, err
			}
		}
	}
	return changed, nil
}

func (t Touch) change(cluster *simulator.Cluster, g *generator, obj simulator.Object) error {
	if !t.Replace {
		return cluster.Modify(obj, func() { g.touch(obj) })
	}
	if err := cluster.Get(obj); err != nil {
		return err
	}
	g.touch(obj)
	obj.SetUID(g.uid())
	return cluster.Put(obj)
}

func (g *generator) touch(obj simulator.Object) {
	obj.SetCreationTimestamp(metav1.NewTime(obj.GetCreationTimestamp().Add(time.Second)))
	obj.SetGeneration(obj.GetGeneration() + 1)
	switch o := obj.(type) {
	case *corev1.Pod:
		g.changeStatus(o)
	case *coordinationv1.Lease:
		o.Spec.RenewTime = new(metav1.NewMicroTime(g.spec.Now))
	}
}
