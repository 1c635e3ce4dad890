package capacity

import (
	"bytes"
	"math/bits"
	"slices"
	"time"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// Size is what one object of a kind takes on average.
type Size struct {
	Series float64 `yaml:"series"` // sample lines
	Text   float64 `yaml:"text"`   // bytes of them
	Gzip   float64 `yaml:"gzip"`   // bytes in a gzip scrape, once compressed
	// Memory is what the store holds for the object, in bytes: its part of the
	// packed pages, and a fingerprint for each family that it has.
	Memory float64 `yaml:"memory"`
}

// Sample measures objects of one kind by doing with them what a replica does.
// It is not safe for concurrent use.
type Sample struct {
	renderer *resources.Renderer
	store    *store.Store
	lines    resources.Lines

	mark    []bool // the families whose series are counted by themselves, too
	objects int
	latest  tally // of the objects that do not stand for any yet
	stands  tally // of those that the others stand for
}

// tally is what some objects have together.
type tally struct {
	objects, series, prints, text float64
	marked                        float64 // series of the marked families
}

// add adds what others have, that many times.
func (t *tally) add(o tally, times float64) {
	t.objects += o.objects * times
	t.series += o.series * times
	t.prints += o.prints * times
	t.text += o.text * times
	t.marked += o.marked * times
}

// fingerprint is the memory that a store needs for each family of an object.
const fingerprint = bits.UintSize / 8

// NewSample returns an empty one. The series of the marked families are counted
// by themselves, too.
func NewSample(r *resources.Renderer, marked ...string) *Sample {
	s := &Sample{renderer: r}
	var families []store.Family
	for _, f := range r.Families() {
		families = append(families, store.Family{Name: f.Name})
		s.mark = append(s.mark, slices.Contains(marked, f.Name))
	}
	s.store = store.New(families, nil)
	return s
}

// Add takes an object as it came from the API server. An object that cannot be
// rendered is an error, and is left out, as it is from a page.
func (s *Sample) Add(enc wire.Encoding, raw []byte) error {
	meta, err := wire.ReadMeta(enc, raw)
	if err != nil {
		return err
	}
	if err := s.renderer.Render(enc, raw, &s.lines); err != nil {
		return err
	}
	start, one := 0, tally{objects: 1, text: float64(len(s.lines.Buf))}
	for family, end := range s.lines.Ends {
		n := float64(bytes.Count(s.lines.Buf[start:end], []byte{'\n'}))
		if n > 0 {
			one.prints++
		}
		if s.mark[family] {
			one.marked += n
		}
		one.series += n
		start = end
	}
	s.objects++
	s.latest.add(one, 1)
	s.store.Put(store.Object{ID: store.NewIDBytes(meta.UID, meta.Namespace, meta.Name), Hash: shard.HashBytes(meta.UID)},
		&store.Lines{Buf: s.lines.Buf, Ends: s.lines.Ends})
	return nil
}

// Represent says that the objects added since it was called last, if there are any, stand
// for so many of the cluster. What the sample tells is about those.
func (s *Sample) Represent(objects int) {
	if s.latest.objects > 0 {
		s.stands.add(s.latest, float64(objects)/s.latest.objects)
	}
	s.latest = tally{}
}

// Len is the number of objects that were added.
func (s *Sample) Len() int { return s.objects }

// Marked is how many series of the marked families an object has on average; 0
// when there are no objects.
func (s *Sample) Marked() float64 { return s.stands.marked / max(s.stands.objects, 1) }

// Size is that of the objects that are represented, all zero when there are none. It
// packs what was added as a replica does with what has been left alone, all of it
// together: so it is packed, too, where each of many namespaces has few.
func (s *Sample) Size() Size {
	s.store.EndBulkLoad()
	s.store.Sweep(0, time.Now())
	n, stats := max(s.stands.objects, 1), s.store.Stats()
	text := s.stands.text / n
	packed := text / max(float64(stats.TextBytes), 1) // of what is packed, the part of one object
	return Size{
		Series: s.stands.series / n,
		Text:   text,
		Gzip:   packed * float64(store.TakeSnapshot(store.Text, s.store).GzipSize()),
		Memory: packed*float64(stats.CompressedBytes) + s.stands.prints/n*fingerprint,
	}
}
