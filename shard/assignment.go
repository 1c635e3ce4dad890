package shard

import "fmt"

// Assignment is the place of one replica in its fleet.
type Assignment struct {
	Ordinal int // counted from 0; a replica outside 0 to Total-1 is surplus and owns nothing
	Total   int // replicas in the fleet, 1 to MaxTotal
}

// Static returns the assignment that the flags --shard and --total-shards specify. The error names
// the invalid flag.
func Static(shard, total int) (Assignment, error) {
	if total < 1 || total > MaxTotal {
		return Assignment{}, fmt.Errorf("--total-shards must be between 1 and %d, got %d", MaxTotal, total)
	}
	if shard < 0 || shard >= total {
		return Assignment{}, fmt.Errorf("--shard must be between 0 and %d with --total-shards=%d, got %d",
			total-1, total, shard)
	}
	return Assignment{Ordinal: shard, Total: total}, nil
}

// Ranges returns the hashes that the replica owns by the table for Total replicas; nil if the
// ordinal or the total is out of range. It computes the table at each call (see [NewTable] for the
// cost).
func (a Assignment) Ranges() Ranges {
	table, err := NewTable(a.Total)
	if err != nil {
		return nil
	}
	return table.Ranges(a.Ordinal)
}

// String returns, for example, "shard 2 of 3 (counted from 0)".
func (a Assignment) String() string {
	return fmt.Sprintf("shard %d of %d (counted from 0)", a.Ordinal, a.Total)
}
