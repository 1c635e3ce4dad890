package fleet

// Self-metrics of a replica that tests look at, by name.
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

	// Objects is the number of objects served, by resource.
	Objects = "statefleet_objects"

	// Hidden is the number of objects held and not served, by resource.
	Hidden = "statefleet_objects_hidden"

	// Processed counts what was decoded, by resource and outcome.
	Processed = "statefleet_objects_processed_total"
)

// Reading is what a replica says about the objects of one resource.
type Reading struct {
	Owned   int // read from the API server and in its shard
	Ignored int // read and thrown away, because other shards have them
	Decoded int // decoded, whatever came of it
	Served  int // on its page
}

// Reading reads the self-metrics of a resource.
func (p Page) Reading(resource string) Reading {
	of := func(name string, labels ...string) int {
		match := map[string]string{"resource": resource}
		for i := 0; i < len(labels); i += 2 {
			match[labels[i]] = labels[i+1]
		}
		sum, _ := p.Sum(name, match)
		return int(sum)
	}
	return Reading{
		Owned:   of(ObjectsRead, "shard", Owned),
		Ignored: of(ObjectsRead, "shard", Ignored),
		Decoded: of(Processed, "outcome", "rendered") + of(Processed, "outcome", "failed"),
		Served:  of(Objects),
	}
}

// Held is the number of objects of all resources that a replica holds, served or not.
func (p Page) Held() int {
	served, _ := p.Sum(Objects, nil)
	hidden, _ := p.Sum(Hidden, nil)
	return int(served + hidden)
}
