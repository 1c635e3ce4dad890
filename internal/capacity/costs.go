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

// podsKind is the kind that others are in proportion to.
const podsKind = "pods"

// Costs are what was measured of statefleet, see costs.yaml.
type Costs struct {
	Process Process              `yaml:"process"`
	Start   Start                `yaml:"start"`
	Scrape  Scrape               `yaml:"scrape"`
	Assumed Assumed              `yaml:"assumed"`
	Kinds   map[string]KindCosts `yaml:"kinds"`
}

// Process is what a replica takes beside what is on its page. Sizes are in bytes.
type Process struct {
	Base    float64 `yaml:"base"`    // resident without objects
	Object  float64 `yaml:"object"`  // of the index, for each object
	Garbage float64 `yaml:"garbage"` // resident bytes for each byte in use

	// Event is the text that waits to be packed for each owned event a second,
	// but no more than the part Touched of all text.
	Event   float64 `yaml:"event"`
	Touched float64 `yaml:"touched"`

	Idle         time.Duration `yaml:"idle"`         // CPU a second when nothing happens
	Awake        time.Duration `yaml:"awake"`        // CPU a second of being woken by events, once they come all the time
	OwnedEvent   time.Duration `yaml:"ownedEvent"`   // CPU
	ForeignEvent time.Duration `yaml:"foreignEvent"` // CPU, of an event that belongs to another replica

	ObjectBytes   float64 `yaml:"objectBytes"`   // received for an object in the first list
	EventBytes    float64 `yaml:"eventBytes"`    // received for an event
	MetadataBytes float64 `yaml:"metadataBytes"` // received for an object in a consistency check
}

// Start is the CPU from the start of a replica until everything is served.
type Start struct {
	Fixed         time.Duration `yaml:"fixed"`
	PerMB         time.Duration `yaml:"perMB"`         // for each 1,000,000 bytes of text on the page
	ForeignObject time.Duration `yaml:"foreignObject"` // for each object that belongs to another replica
}

// Scrape is what a scrape with gzip takes.
type Scrape struct {
	Fixed time.Duration `yaml:"fixed"` // CPU
	PerMB time.Duration `yaml:"perMB"` // CPU for each 1,000,000 bytes of gzip

	// PerEvent is the CPU to pack what an event since the last scrape has changed,
	// but no more than PerChangedMB for each 1,000,000 bytes of text, when all did.
	PerEvent     time.Duration `yaml:"perEvent"`
	PerChangedMB time.Duration `yaml:"perChangedMB"`

	Transfer  float64 `yaml:"transfer"`  // bytes of gzip a second, on the network
	Inflating float64 `yaml:"inflating"` // bytes of text a second, by the one who scrapes
}

// Assumed is what an estimate from numbers takes for granted.
type Assumed struct {
	EventsPerPod float64 `yaml:"eventsPerPod"` // a second
	Containers   float64 `yaml:"containers"`   // of a pod, init containers included
}

// KindCosts are those of one kind in the cluster that was measured.
type KindCosts struct {
	PerPod float64 `yaml:"perPod"` // objects of the kind for each pod
	Size   `yaml:",inline"`
}

// Measured returns the costs.
func Measured() (Costs, error) {
	var c Costs
	decoder := yaml.NewDecoder(bytes.NewReader(costsFile))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		return Costs{}, fmt.Errorf("costs.yaml: %w", err)
	}
	return c, nil
}

// DefaultKinds are those that are exposed when none are named.
func DefaultKinds() []string {
	var names []string
	for _, k := range resources.All() {
		if k.Default {
			names = append(names, k.Name())
		}
	}
	return names
}

// Proportion is a cluster in the proportions of the one that was measured.
// Numbers that are given, by kind, count instead; pods are among them.
func (c Costs) Proportion(given map[string]int, kinds []string) []Kind {
	var all []Kind
	for name, k := range c.Kinds {
		if !slices.Contains(kinds, name) {
			continue
		}
		n, ok := given[name]
		if !ok {
			n = int(k.PerPod*float64(given[podsKind]) + 0.5)
		}
		counted := Kind{Name: name, Objects: n, Size: k.Size}
		if name == podsKind {
			counted.Containers = c.Assumed.Containers
		}
		all = append(all, counted)
	}
	return all
}

// Events is how many changes a second such a cluster has, when no one tells.
func (c Costs) Events(kinds []Kind) float64 {
	for _, k := range kinds {
		if k.Name == podsKind {
			return c.Assumed.EventsPerPod * float64(k.Objects)
		}
	}
	return 0
}
