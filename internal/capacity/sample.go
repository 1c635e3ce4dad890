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
	Gzip   float64 `yaml:"gzip"`   // bytes in a gzip scrape, once packed hard
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

	objects, series, prints int
	marked                  int // series of the families that mark says
	mark                    []bool
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
	start := 0
	for family, end := range s.lines.Ends {
		n := bytes.Count(s.lines.Buf[start:end], []byte{'\n'})
		if n > 0 {
			s.prints++
		}
		if s.mark[family] {
			s.marked += n
		}
		s.series += n
		start = end
	}
	s.objects++
	s.store.Put(store.Object{ID: store.NewIDBytes(meta.UID, meta.Namespace, meta.Name), Hash: shard.HashBytes(meta.UID)},
		&store.Lines{Buf: s.lines.Buf, Ends: s.lines.Ends})
	return nil
}

// Len is the number of objects.
func (s *Sample) Len() int { return s.objects }

// Marked is how many series of the marked families an object has on average; 0
// when there are no objects.
func (s *Sample) Marked() float64 { return float64(s.marked) / float64(max(s.objects, 1)) }

// Size is that of the objects so far, all zero when there are none. It packs
// them as a replica does once they have been left alone.
func (s *Sample) Size() Size {
	s.store.Loaded()
	now := time.Now()
	for range store.SettledAfter + s.store.Stats().Buckets + 1 { // each of the last ones packs one bucket harder, or more
		s.store.Sweep(0, now)
	}
	n := float64(max(s.objects, 1))
	stats := s.store.Stats()
	return Size{
		Series: float64(s.series) / n,
		Text:   float64(stats.TextBytes) / n,
		Gzip:   float64(store.Collect(store.Text, s.store).GzipSize()) / n,
		Memory: float64(stats.PackedBytes+int64(s.prints)*fingerprint) / n,
	}
}
