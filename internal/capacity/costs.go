package capacity

import (
	"bytes"
	_ "embed" // for costs.yaml
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/statefleet/statefleet/resources"
)

//go:embed costs.yaml
var costsFile []byte

// podsKind is the kind that the numbers of other kinds are scaled from.
const podsKind = "pods"

// Costs are the measured costs of statefleet, see costs.yaml.
type Costs struct {
	Process  Process              `yaml:"process"`
	Start    Start                `yaml:"start"`
	Scrape   Scrape               `yaml:"scrape"`
	Defaults Defaults             `yaml:"defaults"`
	Kinds    map[string]KindCosts `yaml:"kinds"`
}

// Process holds the costs of a replica apart from its text and its scrapes. Sizes are in bytes.
type Process struct {
	Base    float64 `yaml:"base"`    // resident without objects
	Object  float64 `yaml:"object"`  // in use for each object, for the index
	Garbage float64 `yaml:"garbage"` // resident for each byte in use

	// RawPerEvent is the uncompressed text for each owned event per second, up to the fraction
	// MaxRawFraction of all text.
	RawPerEvent    float64 `yaml:"rawPerEvent"`
	MaxRawFraction float64 `yaml:"maxRawFraction"`

	Idle         time.Duration `yaml:"idle"`         // CPU per second without events
	WakeupCPU    time.Duration `yaml:"wakeupCPU"`    // CPU per second for wake-ups, when events arrive continuously
	OwnedEvent   time.Duration `yaml:"ownedEvent"`   // CPU
	ForeignEvent time.Duration `yaml:"foreignEvent"` // CPU for an event of another shard

	ObjectBytes   float64 `yaml:"objectBytes"`   // received for an object in the first list
	EventBytes    float64 `yaml:"eventBytes"`    // received for an event
	MetadataBytes float64 `yaml:"metadataBytes"` // received for an object in a consistency check
}

// Start holds the CPU costs from the start of a replica until it serves everything.
type Start struct {
	Fixed         time.Duration `yaml:"fixed"`
	PerMB         time.Duration `yaml:"perMB"`         // for each 1,000,000 bytes of served text
	ForeignObject time.Duration `yaml:"foreignObject"` // for each object of another shard
}

// Scrape holds the costs of a gzip scrape.
type Scrape struct {
	Fixed time.Duration `yaml:"fixed"` // CPU
	PerMB time.Duration `yaml:"perMB"` // CPU for each 1,000,000 bytes of gzip

	// PerEvent is the CPU to compress the changes of one event since the last scrape, up to
	// PerChangedMB for each 1,000,000 bytes of text.
	PerEvent     time.Duration `yaml:"perEvent"`
	PerChangedMB time.Duration `yaml:"perChangedMB"`

	Transfer   float64 `yaml:"transfer"`   // bytes of gzip per second, on the network
	Decompress float64 `yaml:"decompress"` // bytes of text per second, by the client
}

// Defaults are the values of an estimate without a cluster to read.
type Defaults struct {
	EventsPerPod float64 `yaml:"eventsPerPod"` // per second
	Containers   float64 `yaml:"containers"`   // of a pod, including init containers
}

// KindCosts describes a kind in the measured cluster.
type KindCosts struct {
	PerPod float64 `yaml:"perPod"` // objects of the kind for each pod
	Size   `yaml:",inline"`
}

// Measured returns the costs in costs.yaml.
func Measured() (Costs, error) {
	var c Costs
	decoder := yaml.NewDecoder(bytes.NewReader(costsFile))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		return Costs{}, fmt.Errorf("costs.yaml: %w", err)
	}
	return c, nil
}

// DefaultKinds returns the kinds that are exposed by default.
func DefaultKinds() []string {
	var names []string
	for _, k := range resources.All() {
		if k.Default {
			names = append(names, k.Name())
		}
	}
	return names
}

// ScaleFromPods returns a cluster with the proportions of the measured one, scaled to a number of
// pods. Numbers in given, by kind, replace scaled ones; those of pods must be among them.
func (c Costs) ScaleFromPods(given map[string]int, kinds []string) []Kind {
	var all []Kind
	for name, k := range c.Kinds {
		if !slices.Contains(kinds, name) {
			continue
		}
		n, ok := given[name]
		if !ok {
			n = int(k.PerPod*float64(given[podsKind]) + 0.5)
		}
		scaled := Kind{Name: name, Objects: n, Size: k.Size}
		if name == podsKind {
			scaled.Containers = c.Defaults.Containers
		}
		all = append(all, scaled)
	}
	return all
}

// DefaultEvents returns the assumed number of changes per second in a cluster.
func (c Costs) DefaultEvents(kinds []Kind) float64 {
	for _, k := range kinds {
		if k.Name == podsKind {
			return c.Defaults.EventsPerPod * float64(k.Objects)
		}
	}
	return 0
}
