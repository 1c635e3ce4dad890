package pressure

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

const (
	manyObjects = "many-objects" // a namespace with a crowd of ConfigMaps
	crowd       = 100_000
)

// objects creates objects as large and as many as a tenant with the right to create objects can make them.
// It checks that all other objects are still exposed.
func (p *pressure) objects(ctx context.Context) error {
	limit := len(p.cluster.Names("pods")) + 1000
	r, err := p.startLimited(ctx, "--metric-labels-allowlist=pods=[*]", "--metric-annotations-allowlist=pods=[*]",
		fmt.Sprintf("--object-limit=%d", limit))
	if err != nil {
		return err
	}
	defer r.fleet.Stop()
	before, err := r.Lines(ctx)
	if err != nil {
		return err
	}
	if err := putHostile(p.cluster); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.relist(ctx, limit); err != nil {
		return err
	}
	after, err := r.Lines(ctx)
	if err != nil {
		return err
	}
	return r.checkObjects(ctx, before, after, limit)
}

// putHostile creates three very large pods and a crowd of ConfigMaps.
func putHostile(c *simulator.Cluster) error {
	labels := map[string]string{}
	for i := range 10_000 {
		labels[fmt.Sprintf("label-%d", i)] = "x"
	}
	pod := func(name string, m metav1.ObjectMeta) error {
		m.Namespace, m.Name = manyObjects, name
		return c.Put(&corev1.Pod{ObjectMeta: m})
	}
	err := errors.Join(
		pod("large", metav1.ObjectMeta{Annotations: map[string]string{"a": strings.Repeat("x", 3*mebi/2)}}),
		pod("long-value", metav1.ObjectMeta{Labels: map[string]string{"a": strings.Repeat("y", mebi)}}),
		pod("many-labels", metav1.ObjectMeta{Labels: labels}),
	)
	for i := range crowd {
		name := metav1.ObjectMeta{Namespace: manyObjects, Name: fmt.Sprintf("c%d", i)}
		err = errors.Join(err, c.Put(&corev1.ConfigMap{ObjectMeta: name}))
	}
	return err
}

// relist makes the replica list all objects, which it has read as events so far, and waits for the end of
// the lists.
func (r *replica) relist(ctx context.Context, limit int) error {
	self, err := r.SelfMetrics(ctx)
	if err != nil {
		return err
	}
	before := overLimit(self)
	// A watch resumes from its last version unless that has been compacted, so the version must become old.
	if err := r.cluster.Put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: manyObjects}}); err != nil {
		return err
	}
	r.cluster.Compact()
	r.cluster.CloseWatches()
	if len(r.cluster.Names("configmaps")) > limit {
		if err := r.fleet.Until(ctx, stepTimeout, "lists after the compaction", func(ctx context.Context) error {
			self, err := r.SelfMetrics(ctx)
			if err == nil && overLimit(self) <= before {
				err = errors.New("no further object was left out because of the limit")
			}
			return err
		}); err != nil {
			return err
		}
	}
	return r.settle(ctx)
}

// checkObjects checks that each hostile object is exposed or counted as left out, and that no line of
// another object is lost.
func (r *replica) checkObjects(ctx context.Context, before, after exposition.Lines, limit int) error {
	lost, longest, exposed := 0, 0, 0
	for line := range before {
		if after[line] == 0 {
			lost++
		}
	}
	for line := range after {
		longest = max(longest, len(line))
	}
	for _, name := range []string{"large", "long-value", "many-labels"} {
		if after.Count("kube_pod_", `pod="`+name+`"`) > 0 {
			exposed++
		}
	}
	self, err := r.SelfMetrics(ctx)
	if err != nil {
		return err
	}
	held, exist := int(self.Value(selfmetrics.Objects, "resource", "configmaps")), len(r.cluster.Names("configmaps"))
	switch {
	case lost > 0:
		return fmt.Errorf("the exposition lost %d lines of other objects, want 0", lost)
	case exposed != 3:
		return fmt.Errorf("the exposition has %d large pods, want 3", exposed)
	case held > limit:
		return fmt.Errorf("the replica holds %d ConfigMaps, want at most %d", held, limit)
	case held < exist && overLimit(self) == 0:
		return errors.New("objects were left out, but none is counted")
	}
	return r.row("objects", "an object of 1.5 MB, a value of 1 MB, 10,000 labels, %d objects in a namespace: a line of %d bytes; "+
		"%d of %d ConfigMaps were left out and counted, and no other line was lost", crowd, longest, exist-held, exist)
}
