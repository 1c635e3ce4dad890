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

const manyObjects = "many-objects"

// objects puts objects into the cluster that are as large or as many as a tenant with the right to create
// them can make them.
func (p *pressure) objects(ctx context.Context) error {
	most := len(p.cluster.Names("pods")) + 1000
	r, err := p.begin(ctx, "--metric-labels-allowlist=pods=[*]", "--metric-annotations-allowlist=pods=[*]",
		fmt.Sprintf("--object-limit=%d", most))
	if err != nil {
		return err
	}
	defer r.fleet.Stop()
	before, err := r.Lines(ctx)
	if err != nil {
		return err
	}
	if err := putHostile(p.cluster, p.crowd); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.relist(ctx, most); err != nil {
		return err
	}
	after, err := r.Lines(ctx)
	if err != nil {
		return err
	}
	return r.judgeObjects(ctx, before, after, most)
}

// putHostile creates the objects.
func putHostile(c *simulator.Cluster, crowd int) error {
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

// relist has the objects come in a list as well, not only as events, and waits for it.
func (r *replica) relist(ctx context.Context, most int) error {
	self, err := r.SelfMetrics(ctx)
	if err != nil {
		return err
	}
	before := overLimit(self)
	// Watches go on from the version that they know, unless that is too old by now.
	if err := r.cluster.Put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: manyObjects}}); err != nil {
		return err
	}
	r.cluster.Compact()
	r.cluster.CloseWatches()
	if len(r.cluster.Names("configmaps")) > most {
		if err := r.fleet.Until(ctx, patience, "listed again", func(ctx context.Context) error {
			self, err := r.SelfMetrics(ctx)
			if err == nil && overLimit(self) <= before {
				err = errors.New("no further objects were left out")
			}
			return err
		}); err != nil {
			return err
		}
	}
	return r.settle(ctx)
}

// judgeObjects checks that each hostile object is there or counted, and that no other has lost a line.
func (r *replica) judgeObjects(ctx context.Context, before, after exposition.Lines, most int) error {
	lost, longest, shown := 0, 0, 0
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
			shown++
		}
	}
	self, err := r.SelfMetrics(ctx)
	if err != nil {
		return err
	}
	held, there := int(self.Value(selfmetrics.Objects, "resource", "configmaps")), len(r.cluster.Names("configmaps"))
	switch {
	case lost > 0:
		return fmt.Errorf("%d lines of other objects are gone", lost)
	case shown != 3:
		return fmt.Errorf("%d of the 3 large pods are on the page", shown)
	case held > most:
		return fmt.Errorf("%d configmaps are held, the limit is %d", held, most)
	case held < there && overLimit(self) == 0:
		return errors.New("objects are left out and not counted")
	}
	return r.row("objects", "1.5 MB, a value of 1 MB, 10,000 labels, %d in a namespace: a line of %d bytes, "+
		"%d of %d configmaps left out and counted, no other line gone", r.crowd, longest, there-held, there)
}
