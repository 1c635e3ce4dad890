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
	Gzip   float64 `yaml:"gzip"`   // bytes in a gzip scrape
	// Memory is the object's part of the compressed blocks, and a fingerprint for each family that
	// it has; in bytes.
	Memory float64 `yaml:"memory"`
}

// Sample measures objects of one kind with the code that renders and compresses them in a replica.
// It is not safe for concurrent use.
type Sample struct {
	renderer *resources.Renderer
	store    *store.Store
	lines    resources.Lines

	marked   []bool // by family: its series are also counted separately
	objects  int
	pending  sums // objects added since SetPopulation
	weighted sums // the population that the objects before represent
}

// sums are totals over objects.
type sums struct {
	objects, series, fingerprints, text float64
	marked                              float64 // series of the marked families
}

// add adds o n times.
func (s *sums) add(o sums, n float64) {
	s.objects += o.objects * n
	s.series += o.series * n
	s.fingerprints += o.fingerprints * n
	s.text += o.text * n
	s.marked += o.marked * n
}

// fingerprintBytes is the memory that a store needs for each family of an object.
const fingerprintBytes = bits.UintSize / 8

// NewSample returns an empty sample. Series of the marked families are also counted separately.
func NewSample(r *resources.Renderer, marked ...string) *Sample {
	s := &Sample{renderer: r}
	var families []store.Family
	for _, f := range r.Families() {
		families = append(families, store.Family{Name: f.Name})
		s.marked = append(s.marked, slices.Contains(marked, f.Name))
	}
	s.store = store.New(families, nil)
	return s
}

// Add adds an object in the encoding of the API server. It returns an error for an object that
// cannot be rendered, which is left out of the sample as it is left out of the exposition.
func (s *Sample) Add(enc wire.Encoding, raw []byte) error {
	meta, err := wire.ReadMeta(enc, raw)
	if err != nil {
		return err
	}
	if err := s.renderer.Render(enc, raw, &s.lines); err != nil {
		return err
	}
	start, one := 0, sums{objects: 1, text: float64(len(s.lines.Buf))}
	for family, end := range s.lines.Ends {
		n := float64(bytes.Count(s.lines.Buf[start:end], []byte{'\n'}))
		if n > 0 {
			one.fingerprints++
		}
		if s.marked[family] {
			one.marked += n
		}
		one.series += n
		start = end
	}
	s.objects++
	s.pending.add(one, 1)
	s.store.Put(store.Object{ID: store.NewID(meta.UID, meta.Namespace, meta.Name), Hash: shard.HashBytes(meta.UID)},
		&store.Lines{Buf: s.lines.Buf, Ends: s.lines.Ends})
	return nil
}

// SetPopulation sets how many objects of the cluster the objects added since the last call
// represent. All means of the sample are weighted by population.
func (s *Sample) SetPopulation(objects int) {
	if s.pending.objects > 0 {
		s.weighted.add(s.pending, float64(objects)/s.pending.objects)
	}
	s.pending = sums{}
}

// Len returns the number of objects that were added.
func (s *Sample) Len() int { return s.objects }

// MeanMarkedSeries returns the mean number of series of the marked families per object; 0 without
// objects.
func (s *Sample) MeanMarkedSeries() float64 { return s.weighted.marked / max(s.weighted.objects, 1) }

// Size returns the mean size of an object; zero without objects. It compresses all objects of the
// sample together: in a replica, too, a block holds objects of many namespaces.
func (s *Sample) Size() Size {
	s.store.EndBulkLoad()
	s.store.Sweep(0, time.Now())
	n, stats := max(s.weighted.objects, 1), s.store.Stats()
	text := s.weighted.text / n
	share := text / max(float64(stats.TextBytes), 1) // one object's share of the compressed text
	return Size{
		Series: s.weighted.series / n,
		Text:   text,
		Gzip:   share * float64(store.TakeSnapshot(store.Text, s.store).GzipSize()),
		Memory: share*float64(stats.CompressedBytes) + s.weighted.fingerprints/n*fingerprintBytes,
	}
}
