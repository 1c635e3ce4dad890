package statuspage

import (
	"slices"
	"time"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/shard/fleet"
)

// Status is the state of a process, as JSON and for the templates. Zero times are unknown.
type Status struct {
	At       time.Time         `json:"at"`
	Version  string            `json:"version"`
	Findings []Finding         `json:"findings,omitempty"` // set by the [Handler]
	Process  Process           `json:"process"`
	Fleet    Fleet             `json:"fleet"`
	Replica  replica.Overview  `json:"replica"`
	Scrapes  web.ScrapeSummary `json:"scrapes"`
	// Cardinality is nil before the first count.
	Cardinality *Cardinality `json:"cardinality,omitempty"`
}

// Process is the state of the process.
type Process struct {
	Pod string `json:"pod,omitempty"`
	// NotReady is why the process is not ready; "" if it is.
	NotReady string    `json:"notReady,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	// ResidentBytes is 0 if the operating system does not report it.
	ResidentBytes int64 `json:"residentBytes,omitempty"`
	// ConfigRefused and WebConfigRefused are why the current content of the configuration and of the
	// web configuration file is not in use; "" if it is. The previous content stays in use.
	ConfigRefused    string `json:"configRefused,omitempty"`
	WebConfigRefused string `json:"webConfigRefused,omitempty"`
	// Warnings are sentences about questionable settings.
	Warnings []string `json:"warnings,omitempty"`
	// ExposesNothing is whether the configuration leaves no metric family to expose.
	ExposesNothing bool `json:"exposesNothing"`
	// ShardedByServer is whether the API server leaves out objects of other shards, by kind. Kinds for
	// which this is unknown are missing.
	ShardedByServer map[string]bool `json:"shardedByServer,omitempty"`
}

// Fleet is the state of the fleet as the replica knows it.
type Fleet struct {
	fleet.Overview
	// Problem is why the topology cannot be followed; "" if it can.
	Problem string `json:"problem,omitempty"`
	// FollowsStatefulSet is whether the shard comes from a StatefulSet, not from the command line.
	FollowsStatefulSet bool `json:"followsStatefulSet"`
	// StandbyRequested is whether replicas should stand by for one another; Standby is whether they do.
	StandbyRequested bool `json:"standbyRequested"`
}

// Cardinality counts the series that the replica serves.
type Cardinality struct {
	replica.CardinalityReport
	Running bool `json:"running"` // whether the next count is in progress
}

// PodsKnown reports whether the state of the fleet's pods is known.
func (f Fleet) PodsKnown() bool {
	return slices.ContainsFunc(f.Replicas, func(r fleet.Replica) bool { return r.State != fleet.PodUnknown })
}

// Columns returns the number of columns of the table of replicas.
func (f Fleet) Columns() int {
	columns := 1
	if f.PodsKnown() {
		columns += 2
	}
	if f.Target != 0 {
		columns++
	}
	if f.HasRanges() {
		columns += 2
	}
	return columns
}

// HasRanges reports whether the ranges of the replicas are known. Those of very large fleets are not.
func (f Fleet) HasRanges() bool {
	return slices.ContainsFunc(f.Replicas, func(r fleet.Replica) bool { return len(r.Own) > 0 })
}

// Age returns how long ago t was at the time of the status.
func (s Status) Age(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return s.Since(t) + " ago"
}

// Since returns the time from t until the time of the status.
func (s Status) Since(t time.Time) string { return formatDuration(s.At.Sub(t)) }

// Total returns the sums over all kinds.
func (s Status) Total() (t replica.KindOverview) {
	for _, k := range s.Replica.Kinds {
		t.Objects += k.Objects
		t.HiddenObjects += k.HiddenObjects
		t.TextBytes += k.TextBytes
		t.RawBytes += k.RawBytes
		t.CompressedBytes += k.CompressedBytes
	}
	return t
}

// KindColumns returns the number of columns of the table of kinds, which leaves out those that are
// empty for every kind.
func (s Status) KindColumns() int {
	columns := 7
	for _, shown := range []bool{s.Total().HiddenObjects > 0, s.Total().RawBytes > 0, len(s.Process.ShardedByServer) > 0} {
		if shown {
			columns++
		}
	}
	return columns
}

// SyncedKinds returns the synced kinds with the latest and the oldest contact; zero without such.
func (s Status) SyncedKinds() (kinds struct{ Latest, Oldest replica.KindOverview }) {
	for _, k := range s.Replica.Kinds {
		if k.Phase != watch.Synced || k.LastContact.IsZero() {
			continue
		}
		if k.LastContact.After(kinds.Latest.LastContact) {
			kinds.Latest = k
		}
		if kinds.Oldest.Name == "" || k.LastContact.Before(kinds.Oldest.LastContact) {
			kinds.Oldest = k
		}
	}
	return kinds
}

// Series returns the number of series of a kind, -1 if it has not been counted yet.
func (s Status) Series(kind string) int {
	if s.Cardinality == nil {
		return -1
	}
	for _, c := range s.Cardinality.Kinds {
		if c.Name == kind {
			return c.Series
		}
	}
	return 0
}

// ShardedBy returns which program leaves out the objects of a kind that belong to other shards.
func (s Status) ShardedBy(kind string) string {
	switch byServer, known := s.Process.ShardedByServer[kind]; {
	case !known:
		return "–"
	case byServer:
		return "API server"
	}
	return "statefleet"
}
