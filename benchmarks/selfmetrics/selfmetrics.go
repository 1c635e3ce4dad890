// Package selfmetrics has the names of the self-metrics that tests and measurements read.
package selfmetrics

import "github.com/statefleet/statefleet/benchmarks/exposition"

// Names of metric families, and values of their labels.
const (
	// ObjectsRead counts objects and events read from the API server. Its label shard is Owned or Ignored.
	ObjectsRead = "statefleet_watch_objects_total"
	Owned       = "owned"
	Ignored     = "ignored"

	// TotalShards is the number of shards, ShardOrdinal that of the replica.
	TotalShards  = "kube_state_metrics_total_shards"
	ShardOrdinal = "kube_state_metrics_shard_ordinal"

	// ResourcePhase is 1 for the current phase of a resource, and 0 for the others.
	ResourcePhase = "statefleet_resource_phase"

	// Objects is the number of visible objects by resource, Hidden that of objects that are held but not visible.
	Objects = "statefleet_objects"
	Hidden  = "statefleet_objects_hidden"

	// Updates counts received versions of owned objects, by resource and result.
	Updates = "statefleet_updates_total"

	// Ready is 1 if the replica serves everything that it must serve.
	Ready = "statefleet_ready"

	// ActiveShards is the number of shards in the active table. Changing is 1 during a transition to another number.
	ActiveShards = "statefleet_topology_active_shards"
	Changing     = "statefleet_transition_in_progress"

	// Blocks, TextBytes, CompressedBytes and RawBytes describe the store.
	Blocks          = "statefleet_store_blocks"
	TextBytes       = "statefleet_store_text_bytes"
	CompressedBytes = "statefleet_store_compressed_bytes"
	RawBytes        = "statefleet_store_raw_bytes"
)

// Reading holds counts of the objects of one resource, from the self-metrics of a replica.
type Reading struct {
	Owned   int // read from the API server, and in the shard of the replica
	Ignored int // read and dropped, because other shards own them
	Decoded int // decoded: changed, unchanged or failed
	Served  int // in the exposition
}

// ReadingOf returns the counts of a resource.
func ReadingOf(self exposition.Exposition, resource string) Reading {
	of := func(name string, labels ...string) int {
		return int(self.Value(name, append(labels, "resource", resource)...))
	}
	return Reading{
		Owned:   of(ObjectsRead, "shard", Owned),
		Ignored: of(ObjectsRead, "shard", Ignored),
		Decoded: of(Updates, "result", "changed") + of(Updates, "result", "unchanged") + of(Updates, "result", "failed"),
		Served:  of(Objects),
	}
}

// Held returns the number of objects of all resources that a replica holds, visible or not.
func Held(self exposition.Exposition) int { return int(self.Value(Objects) + self.Value(Hidden)) }
