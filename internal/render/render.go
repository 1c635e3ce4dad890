// Package render turns manifests into the exposition that the exporter would serve for them, without
// a cluster. People develop and test custom resource configurations with it.
package render

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// Options choose what is rendered. Fields without a comment have the meaning of the exporter's flag
// of that name.
type Options struct {
	Kinds                        []resources.Kind
	Filter                       resources.Filter
	Custom                       *customresource.Config // nil: no custom resources
	Namespaces, NamespacesDenied []string
	// NamespaceSelector selects by the Namespaces of the input; nil selects all.
	NamespaceSelector labels.Selector
	ObjectSelectors   map[string]labels.Selector // by kind
	Node              string
	TrackUnscheduled  bool
	ObjectBytes       int64
	// Shard is the part of the objects that is rendered.
	Shard shard.Ranges
	// Explain puts the object and the source of the family before each line.
	Explain bool
	// Logger logs problems of the objects, and what is left out.
	Logger *slog.Logger
}

// renderer is implemented by the renderers of built-in kinds and of custom resources.
type renderer interface {
	Families() []resources.Family
	Render(enc wire.Encoding, raw []byte, l *resources.Lines) error
}

// kind is a kind with the objects rendered so far.
type kind struct {
	name       string
	resource   schema.GroupVersionResource
	namespaced bool
	custom     bool
	renderer   renderer
	store      *store.Store
	shared     []int           // indexes of the families in which two objects may have the same series
	series     map[string]bool // the series of these families so far
	limits     []int           // maximum number of samples of each family; 0: no limit
	samples    []int           // number of samples of each family so far
	labels     labels.Selector // nil: all objects
	fields     fields.Selector // nil: all objects
}

// Write renders objects as one exposition in the text format. It leaves out objects of kinds that are
// not exported, and says so in the log.
func Write(w io.Writer, objects []Object, o Options) error {
	objects = o.lastOfEach(objects)
	known := newDefinitions(objects)
	kinds, err := o.kinds(known)
	if err != nil {
		return err
	}
	selected := o.namespaceFilter(objects)
	leftOut := map[string]int{}
	for _, object := range objects {
		resource, isExported := known.resource(object.GVK), false
		for _, k := range kinds { // a built-in one, and those of custom resource entries
			if k.resource != resource {
				continue
			}
			isExported = true
			if (k.namespaced && !selected(object.Namespace)) || !o.selects(k, object) {
				continue
			}
			if err := o.render(w, k, object); err != nil {
				return fmt.Errorf("%s: %w", object.Place, err)
			}
		}
		if !isExported {
			leftOut[describe(object.GVK, resource, kinds)]++
		}
	}
	for _, text := range slices.Sorted(maps.Keys(leftOut)) {
		o.Logger.Warn("objects are left out", "kind", text, "objects", leftOut[text])
	}
	if o.Explain {
		return nil
	}
	var stores []*store.Store
	for _, k := range kinds {
		stores = append(stores, k.store)
	}
	snapshot := store.TakeSnapshot(store.Text, stores...)
	defer snapshot.Release()
	return snapshot.WriteText(w)
}

// lastOfEach leaves out each object that a later one replaces. It must not take part in the rendering:
// its samples would keep those of the later object out.
func (o Options) lastOfEach(objects []Object) (kept []Object) {
	type identity struct {
		gvk             schema.GroupVersionKind
		namespace, name string
	}
	seen := map[identity]bool{}
	for _, object := range slices.Backward(objects) {
		id := identity{object.GVK, object.Namespace, object.Name}
		if seen[id] {
			o.Logger.Warn("an object is left out because a later one has the same kind, namespace and name", "object", object.Place)
			continue
		}
		seen[id] = true
		kept = append(kept, object)
	}
	slices.Reverse(kept)
	return kept
}

// kinds returns the kinds in the order of the exposition.
func (o Options) kinds(known definitions) (all []*kind, err error) {
	budget := store.NewBudget(1 << 30)
	add := func(k kind) {
		var families []store.Family
		for _, f := range k.renderer.Families() {
			families = append(families, store.Family{Name: f.Name, TextHeader: f.TextHeader(), OpenMetricsHeader: f.OpenMetricsHeader()})
		}
		k.store, k.series = store.New(families, budget), map[string]bool{}
		all = append(all, &k)
	}
	for _, builtin := range o.Kinds {
		r, err := builtin.Renderer(o.Filter)
		if err != nil {
			return nil, err
		}
		add(kind{name: builtin.Name(), resource: builtin.Resource, namespaced: builtin.Namespaced, renderer: r})
	}
	if o.Custom == nil {
		return all, nil
	}
	for _, c := range o.Custom.Kinds(known, o.Filter, o.Logger) {
		k := kind{
			name: c.Name, resource: c.Resource, namespaced: c.Namespaced, custom: true, renderer: c.Renderer,
			shared: c.Renderer.SharedFamilies(c.Namespaced),
			limits: c.Renderer.SeriesLimits(), samples: make([]int, len(c.Renderer.Families())),
		}
		if k.labels, err = labels.Parse(c.LabelSelector); err != nil {
			return nil, err
		}
		if k.fields, err = fields.ParseSelector(c.FieldSelector); err != nil {
			return nil, err
		}
		add(k)
	}
	return all, nil
}

// describe names a type that is left out, and the version that is exported if there is another.
func describe(gvk schema.GroupVersionKind, resource schema.GroupVersionResource, kinds []*kind) string {
	text := gvk.GroupVersion().String() + " " + gvk.Kind
	for _, k := range kinds {
		if k.resource.GroupResource() == resource.GroupResource() {
			return text + "; want apiVersion " + k.resource.GroupVersion().String()
		}
	}
	return text
}

// render renders an object, into the store of its kind or, explained, to w.
func (o Options) render(w io.Writer, k *kind, object Object) error {
	id, err := wire.ReadMeta(wire.JSON, object.raw)
	if err != nil {
		return err
	}
	hash := shard.HashObject(id.UID, id.Namespace, id.Name)
	if !o.Shard.Contains(hash) {
		return nil
	}
	lines := resources.Lines{Limit: int(o.ObjectBytes)}
	if err := k.renderer.Render(wire.JSON, object.raw, &lines); err != nil {
		return err
	}
	families := k.renderer.Families()
	for _, f := range lines.Failed {
		o.Logger.Error("a metric family is missing because it panicked; this is a bug", "object", object.Place, "err", fmt.Sprint(f))
	}
	for _, f := range lines.Omitted {
		o.Logger.Warn("a metric family is left out because the text of the object would exceed --object-bytes-limit",
			"object", object.Place, "family", families[f].Name)
	}
	o.leaveOutShared(k, object, &lines)
	o.limitSeries(k, object, &lines)
	if o.Explain {
		return o.explain(w, k, object, &lines)
	}
	key := store.NewID(id.UID, id.Namespace, id.Name)
	if k.custom { // the APIs of custom kinds may let users choose UIDs
		key = store.HashedID(id.UID, id.Namespace, id.Name)
	}
	if k.store.Contains(key) {
		o.Logger.Warn("two objects have the same UID; the last one counts", "object", object.Place)
	}
	k.store.Put(store.Object{ID: key, Hash: hash}, &store.Lines{Buf: lines.Buf, Ends: lines.Ends})
	return nil
}

// explain writes the lines of an object, each preceded by the object and the source of its family.
func (o Options) explain(w io.Writer, k *kind, object Object, l *resources.Lines) error {
	name := object.Name
	if object.Namespace != "" {
		name = object.Namespace + "/" + name
	}
	for i, family := range k.renderer.Families() {
		source := k.name
		if k.custom {
			source = strings.Join(o.Custom.Sources(object.GVK, family.Name), "; ")
		}
		for line := range strings.Lines(string(l.Family(i))) {
			if _, err := fmt.Fprintf(w, "%s %s %s | %s | %s", object.Place, object.GVK.Kind, name, source, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaveOutShared removes the samples whose series an earlier object has.
func (o Options) leaveOutShared(k *kind, object Object, l *resources.Lines) {
	if len(k.shared) == 0 {
		return
	}
	var kept resources.Lines
	for i := range l.Ends {
		for line := range strings.Lines(string(l.Family(i))) {
			if slices.Contains(k.shared, i) {
				series := string(resources.AppendSeries(nil, []byte(line)))
				if k.series[series] {
					o.Logger.Warn("two objects have the same series, so the sample of the later one is left out",
						"object", object.Place, "series", series)
					continue
				}
				k.series[series] = true
			}
			kept.Buf = append(kept.Buf, line...)
		}
		kept.Ends = append(kept.Ends, len(kept.Buf))
	}
	l.Buf, l.Ends = kept.Buf, kept.Ends
}

// limitSeries removes the samples beyond the seriesLimit of a metric.
func (o Options) limitSeries(k *kind, object Object, l *resources.Lines) {
	for i, limit := range k.limits {
		if limit == 0 {
			continue
		}
		if all, room := l.Samples(i), limit-k.samples[i]; all > room {
			o.Logger.Warn("samples are left out because the seriesLimit of their metric is reached",
				"object", object.Place, "family", k.renderer.Families()[i].Name, "limit", limit, "samples", all-room)
			l.Truncate(i, room)
		}
		k.samples[i] += l.Samples(i)
	}
}
