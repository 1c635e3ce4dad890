package shard

// Plan states by which tables one replica serves and which shards it holds. Plans are compared with ==.
type Plan struct {
	Ordinal int
	Active  int // replicas in the table by which the fleet serves
	Target  int // replicas in the target table, which the fleet prepares; equal to Active outside a transition
	// SwitchScheduled is set once the time of the switch is fixed. The switch follows within seconds.
	SwitchScheduled bool

	// Shift is set while spec.ordinals.start of the StatefulSet changes: in the target table the replica has the ordinal
	// Ordinal - Shift.
	Shift int
	// TargetOnly makes a replica that serves nothing hold only its part of the target table, because it lacks the memory
	// for its part of the active table.
	TargetOnly bool

	// Standby is set in a fleet where each replica also holds the shard of its neighbour (see [Neighbour]), by the active
	// table and by the target table.
	Standby bool
	// ServesNeighbour is set while the replica serves its neighbour's shard by the active table. ServedByStandby is set
	// while another replica serves this replica's shard. Both need Standby.
	ServesNeighbour, ServedByStandby bool
}

// Uncoordinated returns the plan of a replica that follows an assignment without coordinating with others.
func Uncoordinated(a Assignment) Plan {
	return Plan{Ordinal: a.Ordinal, Active: a.Total, Target: a.Total}
}

// InTransition reports whether the fleet moves to another table.
func (p Plan) InTransition() bool { return p.Active != p.Target || p.Shift != 0 }

// Grows reports whether the target table has more replicas, so that each replica's part becomes smaller.
func (p Plan) Grows() bool { return p.Target > p.Active }

// Shards are the hash ranges that a plan makes a replica hold: its own shard and, with Standby, its neighbour's, by the
// active table and by the target table. nil is an empty shard. Outside a transition the Target fields equal the others.
type Shards struct{ Own, Neighbour, TargetOwn, TargetNeighbour Ranges }

// Shards computes the shards from the tables that the plan names, at each call (see [NewTable] for the cost).
func (p Plan) Shards() Shards {
	var s Shards
	s.Own, s.Neighbour = p.rangesFor(p.Ordinal, p.Active)
	s.TargetOwn, s.TargetNeighbour = s.Own, s.Neighbour
	if p.InTransition() {
		s.TargetOwn, s.TargetNeighbour = p.rangesFor(p.Ordinal-p.Shift, p.Target)
	}
	return s
}

// rangesFor returns what a replica with this ordinal holds by the table for total replicas.
func (p Plan) rangesFor(ordinal, total int) (own, neighbour Ranges) {
	table, err := NewTable(total)
	if err != nil {
		return nil, nil
	}
	own = table.Ranges(ordinal)
	if p.Standby && own != nil && total > 1 {
		neighbour = table.Ranges(Neighbour(ordinal, total))
	}
	return own, neighbour
}

// Neighbour returns the ordinal whose shard a standby replica holds in addition to its own: the one before it. The last
// ordinal comes before 0.
func Neighbour(ordinal, total int) int { return (ordinal + total - 1) % total }

// List returns the four shards.
func (s Shards) List() []Ranges { return []Ranges{s.Own, s.Neighbour, s.TargetOwn, s.TargetNeighbour} }

// Target returns the hashes to hold for the target table.
func (s Shards) Target() Ranges { return s.TargetOwn.Union(s.TargetNeighbour) }

// All returns all hashes to hold.
func (s Shards) All() Ranges {
	return s.Own.Union(s.Neighbour).Union(s.TargetOwn).Union(s.TargetNeighbour)
}

// Serves returns the shards that the plan makes the replica serve.
func (p Plan) Serves(s Shards) []Ranges {
	var served []Ranges
	if !p.ServedByStandby {
		served = append(served, s.Own)
	}
	if p.ServesNeighbour {
		served = append(served, s.Neighbour)
	}
	return served
}

// Held states how much of a plan a replica holds.
type Held struct {
	Target bool // its part of the target table; outside a transition, of the active table
	All    bool // everything
}
