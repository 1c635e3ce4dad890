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

	// ResourceState is 1 for the state, label phase, in which a resource is.
	ResourceState = "statefleet_resource_state"
)

// Read is the number of objects of a resource that the replica has read from the API server, owned or ignored.
func (p Page) Read(resource, shard string) int {
	sum, _ := p.Sum(ObjectsRead, map[string]string{"resource": resource, "shard": shard})
	return int(sum)
}
