package customresource

import (
	"cmp"
	"errors"
	"log/slog"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

var errEncoding = errors.New("custom resources are read as JSON only")

// Renderer turns the objects of one kind of custom resource into lines. It is safe for concurrent
// use.
type Renderer struct {
	gvk      schema.GroupVersionKind
	families []resources.Family
	metrics  [][]*reported // of each family
	limits   []int         // of each family; 0: none
	shape    shape
	// copiedWin lets labels copied with a star replace common labels.
	copiedWin bool
	logger    *slog.Logger
	pool      sync.Pool // of *samples
}

// newRenderer returns the renderer of a kind for the entries that match it.
func newRenderer(gvk schema.GroupVersionKind, entries []*entry, f resources.Filter, logger *slog.Logger) *Renderer {
	r := &Renderer{gvk: gvk, logger: logger, copiedWin: f.CopiedLabelsWin}
	index := map[string]int{}
	for _, e := range entries {
		for _, m := range e.metrics {
			if !f.Selects(*m.family) {
				continue
			}
			i, ok := index[m.family.Name]
			if !ok {
				i = len(r.families)
				index[m.family.Name] = i
				r.families = append(r.families, *m.family)
				r.metrics = append(r.metrics, nil)
				r.limits = append(r.limits, 0)
			}
			r.limits[i] = cmp.Or(r.limits[i], m.limit)
			r.metrics[i] = append(r.metrics[i], &reported{metric: m})
			m.each.addTo(&r.shape)
			m.labels.addTo(&r.shape)
		}
	}
	r.shape.normalize()
	return r
}

// Families returns the rendered families in order. Lines.Ends has one entry for each.
func (r *Renderer) Families() []resources.Family { return r.families }

// SeriesLimits returns the limit of each family; 0 means none. Render does not enforce them.
func (r *Renderer) SeriesLimits() []int { return r.limits }

// maxIdleLabels limits the memory that is kept from one object to the next, in labels.
const maxIdleLabels = 1 << 10

// Render replaces the content of l with the lines of the object in raw, which must be JSON. An error means that raw is
// not an object; l is then invalid. A value that cannot be used gives no sample. It is counted in l.Skipped, and logged
// the first time. l.Limit limits the lines: labels copied from a map are on each of an object's samples, so an object
// of a megabyte could give terabytes.
func (r *Renderer) Render(enc wire.Encoding, raw []byte, l *resources.Lines) (err error) {
	s, ok := r.pool.Get().(*samples)
	if !ok {
		s = &samples{}
	}
	// As for built-in kinds, a panic must cost one object only.
	defer func() {
		if p := recover(); p != nil {
			err = resources.NewPanic(p)
		}
		if cap(s.base)+cap(s.own)+cap(s.joined) <= maxIdleLabels {
			r.pool.Put(s)
		}
	}()
	l.Reset()
	if enc != wire.JSON {
		return errEncoding
	}
	object, err := decode(raw, &r.shape)
	if err != nil {
		return err
	}
	object.addType(r.gvk, &r.shape)
	s.reserved = reservedLabels(r.gvk)
	resources.WriteFamilies(l, r.families, func(i int, out *resources.SampleWriter) {
		s.out, s.work = out, 0
		for _, m := range r.metrics[i] {
			s.found = 0
			s.common = nil
			if !r.copiedWin {
				s.common = m.labels.fixed
			}
			s.base = m.labels.append(s.base[:0], object, s.mayCopy).normalize()
			m.each.write(object, s)
			r.report(m, s.found, raw)
		}
	})
	return nil
}

// reservedLabels returns the labels that no configuration changes.
func reservedLabels(gvk schema.GroupVersionKind) [3]label {
	return [3]label{
		{"customresource_group", gvk.Group},
		{"customresource_kind", gvk.Kind},
		{"customresource_version", gvk.Version},
	}
}

// samples writes the samples of objects, one object after the other.
type samples struct {
	out      *resources.SampleWriter
	work     int    // labels copied for the family; see maxCopied
	found    issues // of the metric
	reserved [3]label
	common   labels // of the configuration
	base     labels // of all samples of the metric
	own      labels // of one sample; scratch of each.own
	joined   labels
	pairs    []string
}

// mayCopy reports whether a label copied from a map may have this name. If not, it counts the label as skipped.
func (s *samples) mayCopy(name string) bool {
	s.work++
	may := s.common.copyable(name)
	if !may {
		s.out.SkipLabel()
	}
	return may
}

// write appends a sample unless the object has given its series before.
func (s *samples) write(v float64, own labels) {
	if s.out.Full() {
		return
	}
	s.joined = append(append(append(s.joined[:0], s.base...), own...), s.reserved[:]...).normalize()
	s.pairs = s.pairs[:0]
	for _, l := range s.joined {
		s.pairs = append(s.pairs, l.name, l.value)
	}
	if !s.out.SampleIfNew(v, s.pairs...) {
		s.skip(duplicate)
	}
}
