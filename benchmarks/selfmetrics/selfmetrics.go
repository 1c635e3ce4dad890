// Package selfmetrics names the self-metrics that tests and measurements read.
package selfmetrics

import "github.com/statefleet/statefleet/benchmarks/exposition"

// Names of metric families, and values of their labels.
const (
	// ObjectsRead counts objects and events read from the API server; label shard is Owned or Ignored.
	ObjectsRead = "statefleet_watch_objects_total"
	Owned       = "owned"
	Ignored     = "ignored"

	// TotalShards and ShardOrdinal are the replica's idea of the fleet.
	TotalShards  = "kube_state_metrics_total_shards"
	ShardOrdinal = "kube_state_metrics_shard_ordinal"

	// ResourcePhase is 1 for the phase in which a resource is, and 0 for the others.
	ResourcePhase = "statefleet_resource_phase"

	// Objects is the number of objects served, by resource; Hidden of those held and not served.
	Objects = "statefleet_objects"
	Hidden  = "statefleet_objects_hidden"

	// Updates counts received versions of owned objects, by resource and result.
	Updates = "statefleet_updates_total"

	// Ready is 1 if the replica serves all that it must.
	Ready = "statefleet_ready"

	// ActiveShards is the number of shards that the replica serves by; Changing is 1 while it moves to another.
	ActiveShards = "statefleet_topology_active_shards"
	Changing     = "statefleet_transition_in_progress"

	// Blocks, TextBytes, CompressedBytes and RawBytes describe the store.
	Blocks          = "statefleet_store_blocks"
	TextBytes       = "statefleet_store_text_bytes"
	CompressedBytes = "statefleet_store_compressed_bytes"
	RawBytes        = "statefleet_store_raw_bytes"
)

// Reading is what a replica says about the objects of one resource.
type Reading struct {
	Owned   int // read from the API server and in its shard
	Ignored int // read and dropped, because other shards have them
	Decoded int // decoded, with either result
	Served  int // on its page
}

// ReadingOf takes the self-metrics of a resource.
func ReadingOf(self exposition.Page, resource string) Reading {
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

// Held is the number of objects of all resources that a replica holds, served or not.
func Held(self exposition.Page) int { return int(self.Value(Objects) + self.Value(Hidden)) }
