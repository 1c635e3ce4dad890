package resources

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"sigs.k8s.io/json"

	"github.com/statefleet/statefleet/internal/wire"
)

// Renderer turns raw objects of one kind into the lines of the families that a filter selected. It
// is safe for concurrent use.
type Renderer struct {
	families []Family
	mask     *wire.Mask
	form     wire.Form
	render   func(enc wire.Encoding, raw []byte, scratch *scratch) error
	pool     sync.Pool
}

type scratch struct {
	out SampleWriter
	raw []byte
}

// Families returns the rendered families in order. Lines.Ends has one entry for each.
func (r *Renderer) Families() []Family { return r.families }

// Mask returns the mask of the fields that the families read.
func (r *Renderer) Mask() *wire.Mask { return r.mask }

// Form returns the part of each object that the families read and that is requested from API
// servers.
func (r *Renderer) Form() wire.Form { return r.form }

// Render replaces the content of l with the lines of the object in raw. For Protobuf, raw is the message inside the
// envelope. An error means that raw is not such an object; l is then invalid. l.Limit is enforced while the lines are
// written.
func (r *Renderer) Render(enc wire.Encoding, raw []byte, l *Lines) (err error) {
	s, ok := r.pool.Get().(*scratch)
	if !ok {
		s = &scratch{}
	}
	// A panic of a decoder must cost one object only, not the process with the lines of all other objects.
	defer func() {
		if p := recover(); p != nil {
			err = NewPanic(p)
		}
		s.out.lines = nil
		r.pool.Put(s)
	}()
	l.Reset()
	s.out.lines = l
	if s.raw, err = r.mask.Append(s.raw[:0], enc, raw); err != nil {
		return err
	}
	return r.render(enc, s.raw, s)
}

// enabledFamily is a family that a renderer writes.
type enabledFamily[T any] struct {
	name  string
	set   *stateSet
	write func(o *T, w *SampleWriter)
}

func newRenderer[T any, P object[T]](d definition[T], f Filter) (r *Renderer, err error) {
	r = &Renderer{}
	kind := d.resource.Resource
	var writers []enabledFamily[T]
	reads := strings.Fields(alwaysRead + " " + d.reads)
	for _, fam := range d.families {
		write := fam.write
		if fam.bind != nil {
			write = fam.bind(kind, f)
		}
		if write == nil || !f.Selects(fam.Family) {
			continue
		}
		reads = append(reads, fam.reads...)
		r.families = append(r.families, fam.Family)
		writers = append(writers, enabledFamily[T]{fam.Name, f.stateSet(fam.Name), write})
	}
	if r.form, err = formFor(d.form, reads); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	if r.mask, err = wire.NewMask(reflect.TypeFor[T](), reads, wire.ExcludeKey("metadata.annotations", lastApplied)); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	var objectPool sync.Pool
	r.render = func(enc wire.Encoding, raw []byte, s *scratch) error {
		var o *T
		// The JSON decoder would find the old elements in the memory of a list. The protobuf decoder appends empty
		// elements.
		if enc == wire.Protobuf {
			o, _ = objectPool.Get().(*T)
		}
		if o == nil {
			o = new(T)
		}
		if err := decode(enc, raw, P(o)); err != nil {
			return err
		}
		w := &s.out
		d.identity.set(o, w)
		for i, family := range writers {
			w.writeFamily(i, family.name, family.set, func() { family.write(o, w) })
		}
		if d.reuse != nil {
			d.reuse(o)
			objectPool.Put(o)
		}
		return nil
	}
	return r, nil
}

func decode(enc wire.Encoding, raw []byte, o interface{ Unmarshal([]byte) error }) error {
	if enc == wire.Protobuf {
		return o.Unmarshal(raw)
	}
	return json.UnmarshalCaseSensitivePreserveInts(raw, o)
}

// WriteFamilies replaces the content of l with the lines of one object, for kinds without a Go type. For each family it
// calls write with the family's index and a SampleWriter without identity labels. A family whose write function panics
// or exceeds l.Limit is left out.
func WriteFamilies(l *Lines, families []Family, write func(i int, w *SampleWriter)) {
	l.Reset()
	w := SampleWriter{lines: l, labelsVary: true}
	for i, f := range families {
		w.writeFamily(i, f.Name, nil, func() { write(i, &w) })
	}
}
