package resources

import (
	"fmt"
	"sync"

	"sigs.k8s.io/json"

	"github.com/statefleet/statefleet/internal/wire"
)

// Renderer turns raw objects of one kind into the lines of the families that a
// filter selected. It is safe for concurrent use.
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

// Families returns the families rendered, in order: Lines.Ends has one entry for each.
func (r *Renderer) Families() []Family { return r.families }

// Mask returns the fields that are kept of an object's bytes.
func (r *Renderer) Mask() *wire.Mask { return r.mask }

// Form returns the part of each object that the families read and that is requested from API servers.
func (r *Renderer) Form() wire.Form { return r.form }

// Render replaces what l holds by the lines of the object that raw encodes: for
// Protobuf the message inside the envelope, for JSON the object. An error says
// that the bytes are no such object; l is then to be ignored. l.Limit bounds the lines
// while they are written.
func (r *Renderer) Render(enc wire.Encoding, raw []byte, l *Lines) (err error) {
	s, ok := r.pool.Get().(*scratch)
	if !ok {
		s = &scratch{}
	}
	// A decoder that meets data no one thought of must cost one object, not the
	// process: the page of all others is worth more.
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

// enabled is one family that a renderer writes.
type enabledFamily[T any] struct {
	name      string
	skipsZero bool
	write     func(o *T, w *SampleWriter)
}

// contained writes the family's lines, or none if its function panics.
func (e enabledFamily[T]) writeRecovered(family int, o *T, w *SampleWriter) {
	defer w.recoverFamily(family)
	e.write(o, w)
}

func newRenderer[T any, P object[T]](k Kind, d definition[T], f Filter) (r *Renderer, err error) {
	r = &Renderer{}
	var writers []enabledFamily[T]
	reads := fields(alwaysRead, d.reads)
	for _, fam := range d.families {
		write := fam.write
		if fam.bind != nil {
			write = fam.bind(k.Name(), f)
		}
		if write == nil || !f.Selects(fam.Family) {
			continue
		}
		reads = append(reads, fam.reads...)
		r.families = append(r.families, fam.Family)
		writers = append(writers, enabledFamily[T]{fam.Name, f.skipsZero(fam.Name), write})
	}
	if r.form, err = formFor(d.form, reads); err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name(), err)
	}
	m, err := mask[T](reads)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name(), err)
	}
	r.mask = m
	var used sync.Pool
	r.render = func(enc wire.Encoding, raw []byte, s *scratch) error {
		var o *T
		// The JSON decoder would find the old elements in the memory of a list;
		// the one for protobuf appends empty ones.
		if enc == wire.Protobuf {
			o, _ = used.Get().(*T)
		}
		if o == nil {
			o = new(T)
		}
		if err := decode(enc, raw, P(o)); err != nil {
			return err
		}
		w := &s.out
		d.identity(o, w)
		for i, family := range writers {
			w.beginFamily(family.name, family.skipsZero)
			family.writeRecovered(i, o, w)
			w.endFamily(i)
		}
		if d.reuse != nil {
			d.reuse(o)
			used.Put(o)
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
