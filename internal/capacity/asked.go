package capacity

import "github.com/statefleet/statefleet/shard"

// Asked is the share of all objects that the replicas of a fleet ask an API server for that shards. It is more than
// what they hold where a selector for exactly that would be too long.
type Asked struct{ Mean, Most float64 }

// AskedOf returns that of n replicas, 1 to [shard.MaxTotal]; with standby each also holds the shard of the one before it.
// The selectors of replicas that join late name more ranges, and are the coarser ones.
func AskedOf(n int, standby bool) (Asked, error) {
	table, err := shard.NewTable(n)
	if err != nil {
		return Asked{}, err
	}
	var a Asked
	for ordinal := range n {
		held := table.Ranges(ordinal)
		if standby {
			held = held.Union(table.Ranges((ordinal + n - 1) % n))
		}
		share := 1.0
		if asked, err := shard.ParseSelector(held.Selector()); err == nil { // else there is no selector
			share = asked.Fraction()
		}
		a.Mean += share / float64(n)
		a.Most = max(a.Most, share)
	}
	return a, nil
}
