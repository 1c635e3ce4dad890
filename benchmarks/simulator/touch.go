package simulator

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Touch changes objects once, spread evenly over all kinds and all that there
// is of them. The creation time moves by a second and the generation by one: of
// almost every kind, exporters show one of them. Pods get a status update as
// from a Churn as well, leases are renewed.
type Touch struct {
	// Share of the objects, above 0 and at most 1.
	Share float64
	// Replace makes each object again instead, under another uid: whatever an
	// exporter holds of it has to go.
	Replace bool
	// PerSecond bounds the speed, so that watches keep up; 0 does not.
	PerSecond float64
	// Seed is for what happens to pods. Two of the same seed may undo each other.
	Seed uint64
}

// Run returns how many objects it has changed when it is done, or ctx is.
func (t Touch) Run(ctx context.Context, cluster *Cluster) (int, error) {
	driver, err := newChurnDriver(Churn{Seed: t.Seed}, cluster)
	if err != nil {
		return 0, fmt.Errorf("touch: %w", err)
	}
	driver.made.spec.Now = time.Now()
	start, done, owed := time.Now(), 0, 0.0
	for _, kind := range cluster.kinds {
		for _, name := range cluster.Names(kind.Resource) {
			if owed += t.Share; owed < 1 {
				continue
			}
			owed--
			obj, err := kind.New()
			if err != nil {
				return done, fmt.Errorf("touch: %w", err)
			}
			obj.SetNamespace(name.Namespace)
			obj.SetName(name.Name)
			if err := t.one(cluster, driver, obj); err != nil {
				return done, fmt.Errorf("touch: %w", err)
			}
			done++
			if !t.pause(ctx, start, done) {
				return done, ctx.Err()
			}
		}
	}
	return done, nil
}

func (t Touch) one(cluster *Cluster, driver *churnDriver, obj Object) error {
	if !t.Replace {
		return ignoreNotFound(cluster.Modify(obj, func() { driver.touch(obj) }))
	}
	if err := cluster.Get(obj); err != nil {
		return ignoreNotFound(err)
	}
	driver.touch(obj)
	obj.SetUID(randomUID(driver.made.random))
	return cluster.Put(obj)
}

// pause waits until the next object is due; false when ctx ends.
func (t Touch) pause(ctx context.Context, start time.Time, done int) bool {
	if t.PerSecond <= 0 || done%100 > 0 {
		return ctx.Err() == nil
	}
	due := start.Add(time.Duration(float64(done) / t.PerSecond * float64(time.Second)))
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(due)):
		return true
	}
}

func (d *churnDriver) touch(obj Object) {
	obj.SetCreationTimestamp(metav1.NewTime(obj.GetCreationTimestamp().Add(time.Second)))
	obj.SetGeneration(obj.GetGeneration() + 1)
	switch o := obj.(type) {
	case *corev1.Pod:
		d.changeStatus(o)
	case *coordinationv1.Lease:
		renewed := metav1.NewMicroTime(d.made.spec.Now)
		o.Spec.RenewTime = &renewed
	}
}
