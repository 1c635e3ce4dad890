package capacity

import (
	"encoding/json"
	"io"
	"math"
	"time"
)

// document is the estimate as JSON. docs/capacity.md documents the fields. Their names and units are
// an interface: add fields, and keep the others.
type document struct {
	Kinds       []documentKind      `json:"kinds"`
	Total       documentSize        `json:"total"`
	Assumptions documentAssumptions `json:"assumptions"`
	Limits      documentLimits      `json:"limits"`
	Fleets      []documentFleet     `json:"fleets"`
	Recommended *deployment         `json:"recommended"` // null: no fleet is within the limits
}

type documentKind struct {
	Name string `json:"name"`
	documentSize
	SampledObjects int    `json:"sampledObjects"`
	Problem        string `json:"problem,omitempty"`
}

type documentSize struct {
	Objects   int   `json:"objects"`
	Series    int64 `json:"series"`
	TextBytes int64 `json:"textBytes"`
	GzipBytes int64 `json:"gzipBytes"`
}

type documentAssumptions struct {
	EventsPerSecond       float64 `json:"eventsPerSecond"`
	ServerSharding        bool    `json:"serverSharding"`
	Standby               bool    `json:"standby"`
	ScrapeIntervalSeconds float64 `json:"scrapeIntervalSeconds"`
	CheckIntervalSeconds  float64 `json:"checkIntervalSeconds"`
}

type documentLimits struct {
	MemoryBytes          int64   `json:"memoryBytes"`
	ScrapeTimeoutSeconds float64 `json:"scrapeTimeoutSeconds"`
	ScrapeTextBytes      int64   `json:"scrapeTextBytes"`
}

type documentFleet struct {
	Replicas     int             `json:"replicas"`
	Exceeds      string          `json:"exceeds"` // the flag of a limit; "": none
	MissingRatio float64         `json:"missingRatioDuringRestart"`
	EachReplica  documentReplica `json:"eachReplica"`
}

type documentReplica struct {
	Objects               int64   `json:"objects"`
	Series                int64   `json:"series"`
	ScrapeTextBytes       int64   `json:"scrapeTextBytes"`
	ScrapeGzipBytes       int64   `json:"scrapeGzipBytes"`
	ScrapeSeconds         float64 `json:"scrapeSeconds"`
	ScrapeCPUSeconds      float64 `json:"scrapeCPUSeconds"`
	MemoryBytes           int64   `json:"memoryBytes"`
	CPUCores              float64 `json:"cpuCores"`
	CPUCoresPer1000Events float64 `json:"cpuCoresPer1000EventsPerSecond"`
	EventBytesPerSecond   int64   `json:"eventBytesPerSecond"`
	CheckBytesPerSecond   int64   `json:"checkBytesPerSecond"`
	StartCPUSeconds       float64 `json:"startCPUSeconds"`
	StartReceivedBytes    int64   `json:"startReceivedBytes"`
}

// writeJSON writes as JSON what writeText writes as text.
func (r report) writeJSON(w io.Writer) error {
	l := r.load
	d := document{
		Kinds: []documentKind{},
		Total: sizeOf(l.Total()),
		Assumptions: documentAssumptions{
			EventsPerSecond: l.Events, ServerSharding: l.ServerSharded, Standby: l.Standby,
			ScrapeIntervalSeconds: l.Interval.Seconds(), CheckIntervalSeconds: l.Check.Seconds(),
		},
		Limits: documentLimits{r.limits.Memory, r.limits.Timeout.Seconds(), r.limits.Text},
	}
	for _, k := range l.Kinds {
		size := sizeOf(Load{Kinds: []Kind{k}}.Total())
		d.Kinds = append(d.Kinds, documentKind{k.Name, size, k.Sampled, k.Problem})
	}
	for _, n := range l.fleetSizes(r.smallest.Replicas) {
		d.Fleets = append(d.Fleets, r.documentFleet(n))
	}
	if r.fits {
		recommended := r.deployment()
		d.Recommended = &recommended
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

func (r report) documentFleet(n int) documentFleet {
	one := r.costs.Replica(r.load, n)
	return documentFleet{
		Replicas: n, Exceeds: r.limits.Exceeds(one), MissingRatio: one.MissingShare,
		EachReplica: documentReplica{
			Objects:               whole(one.Objects),
			Series:                whole(one.Series),
			ScrapeTextBytes:       whole(one.Text),
			ScrapeGzipBytes:       whole(one.Gzip),
			ScrapeSeconds:         inMillis(one.ScrapeTime),
			ScrapeCPUSeconds:      inMillis(one.ScrapeCPU),
			MemoryBytes:           whole(one.Memory),
			CPUCores:              thousandths(one.CPU),
			CPUCoresPer1000Events: thousandths(one.EventCPU),
			EventBytesPerSecond:   whole(one.EventBytes),
			CheckBytesPerSecond:   whole(one.CheckBytes),
			StartCPUSeconds:       inMillis(one.StartCPU),
			StartReceivedBytes:    whole(one.StartBytes),
		},
	}
}

func sizeOf(t Total) documentSize {
	return documentSize{t.Objects, whole(t.Series), whole(t.Text), whole(t.Gzip)}
}

func whole(n float64) int64 { return int64(math.Round(n)) }

// thousandths rounds up, as the text for people does.
func thousandths(n float64) float64 { return math.Ceil(1000*n) / 1000 }

func inMillis(d time.Duration) float64 { return thousandths(d.Seconds()) }
