package capacity

import (
	"bytes"
	"math/bits"
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

// sample measures objects of one kind with the code that renders and compresses them in a replica.
type sample struct {
	renderer *resources.Renderer
	store    *store.Store
	lines    resources.Lines

	ofContainers []bool // by family: it has one series for each container of a pod
	objects      int
	pending      sums // objects added since setPopulation
	weighted     sums // the population that the objects before represent
}

// sums are totals over objects.
type sums struct{ objects, series, fingerprints, text, containers float64 }

// add adds o n times.
func (s *sums) add(o sums, n float64) {
	s.objects += o.objects * n
	s.series += o.series * n
	s.fingerprints += o.fingerprints * n
	s.text += o.text * n
	s.containers += o.containers * n
}

// fingerprintBytes is the memory that a store needs for each family of an object.
const fingerprintBytes = bits.UintSize / 8

func newSample(r *resources.Renderer) *sample {
	s := &sample{renderer: r}
	var families []store.Family
	for _, f := range r.Families() {
		families = append(families, store.Family{Name: f.Name})
		s.ofContainers = append(s.ofContainers, f.Name == "kube_pod_container_info" || f.Name == "kube_pod_init_container_info")
	}
	s.store = store.New(families, nil)
	return s
}

// add adds an object in the encoding of the API server. It returns an error for an object that
// cannot be rendered, which is left out of the sample as it is left out of the exposition.
func (s *sample) add(enc wire.Encoding, raw []byte) error {
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
		if s.ofContainers[family] {
			one.containers += n
		}
		one.series += n
		start = end
	}
	s.objects++
	s.pending.add(one, 1)
	s.store.Put(store.Object{ID: store.NewID(meta.UID, meta.Namespace, meta.Name), Hash: shard.Hash(meta.UID)},
		&store.Lines{Buf: s.lines.Buf, Ends: s.lines.Ends})
	return nil
}

// setPopulation sets how many objects of the cluster the objects added since the last call
// represent. All means of the sample are weighted by population.
func (s *sample) setPopulation(objects int) {
	if s.pending.objects > 0 {
		s.weighted.add(s.pending, float64(objects)/s.pending.objects)
	}
	s.pending = sums{}
}

// containers returns the mean number of containers per pod; 0 without pods.
func (s *sample) containers() float64 { return s.weighted.containers / max(s.weighted.objects, 1) }

// size returns the mean size of an object; zero without objects. It compresses all objects of the
// sample together: in a replica, too, a block holds objects of many namespaces.
func (s *sample) size() Size {
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
