package shard

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Plan is what one replica serves, and what it holds besides for the change that is under way. Plans are
// compared with ==.
type Plan struct {
	Ordinal int
	Active  int  // replicas in the table to serve by
	Target  int  // replicas in the table to hold by as well; that of Active when nothing changes
	Due     bool // the instant of the switch is named: it comes within seconds

	// Shift is set while spec.ordinals.start of the StatefulSet changes: by the target's table the replica has the ordinal
	// Ordinal - Shift.
	Shift int
	// NextOnly has a replica that serves nothing hold its part of the target alone. More, its part of the active table,
	// is more than it has memory for.
	NextOnly bool

	// Standby is set in a fleet where each replica also holds the shard of its neighbour, the one with the
	// ordinal before its own (before 0 comes the last), by the active table as by the target's.
	Standby bool
	// Covers is set while the replica serves the neighbour's shard, and Covered while its own is served by the
	// replica that stands by for it. Both are by the active table, and need Standby.
	Covers, Covered bool
}

// Alone returns the plan of a replica that goes by an assignment and coordinates with nobody.
func Alone(a Assignment) Plan { return Plan{Ordinal: a.Ordinal, Active: a.Total, Target: a.Total} }

// Shards are what one plan asks a replica to hold: by the active table and by the target's, its own shard and,
// with Standby, the neighbour's. nil is nothing; without a change the second two are the first two.
type Shards struct{ Own, Neighbour, NextOwn, NextNeighbour Ranges }

// Shards makes the tables that the plan speaks of, anew at each call.
func (p Plan) Shards() Shards {
	var s Shards
	s.Own, s.Neighbour = p.by(p.Ordinal, p.Active)
	s.NextOwn, s.NextNeighbour = s.Own, s.Neighbour
	if p.Changing() {
		s.NextOwn, s.NextNeighbour = p.by(p.Ordinal-p.Shift, p.Target)
	}
	return s
}

// by returns what the replica holds as the one with this ordinal in the table for total replicas.
func (p Plan) by(ordinal, total int) (own, neighbour Ranges) {
	table, err := NewTable(total)
	if err != nil {
		return nil, nil
	}
	own = table.Ranges(ordinal)
	if p.Standby && own != nil && total > 1 {
		neighbour = table.Ranges(before(ordinal, total))
	}
	return own, neighbour
}

// before is the ordinal before one, in a ring of so many.
func before(ordinal, total int) int { return (ordinal + total - 1) % total }

// List returns the four of them.
func (s Shards) List() []Ranges { return []Ranges{s.Own, s.Neighbour, s.NextOwn, s.NextNeighbour} }

// Next returns what is to be held for the target.
func (s Shards) Next() Ranges { return s.NextOwn.Union(s.NextNeighbour) }

// All returns everything that is to be held.
func (s Shards) All() Ranges { return s.Own.Union(s.Neighbour).Union(s.NextOwn).Union(s.NextNeighbour) }

// Serves returns those of the shards that the plan has the replica serve.
func (p Plan) Serves(s Shards) []Ranges {
	var served []Ranges
	if !p.Covered {
		served = append(served, s.Own)
	}
	if p.Covers {
		served = append(served, s.Neighbour)
	}
	return served
}

// Changing reports whether the plan is one of a fleet that changes.
func (p Plan) Changing() bool { return p.Active != p.Target || p.Shift != 0 }

// Grows reports whether the plan is one of a fleet that becomes larger, so that a replica's part becomes smaller.
func (p Plan) Grows() bool { return p.Target > p.Active }

// Report is what one replica says of itself to the others.
type Report struct {
	versions // the newest ones that the replica knows
	// Generation and Target are those of the topology that it speaks of.
	Generation int64 `json:"generation"`
	Target     int   `json:"target"`
	// Holds is whether it holds everything of the target that is its part, and Complete whether it holds besides what it
	// serves by the active table. A replica that starts while the fleet grows may hold the one and not yet the other.
	Holds    bool `json:"holds"`
	Complete bool `json:"complete,omitempty"`
	// Incarnation names the process, so that people can tell a restart.
	Incarnation string `json:"incarnation"`
	// Pod is the UID of the replica's pod; "" when it may not be read.
	Pod types.UID `json:"pod,omitempty"`
	// Until is set by a replica that has been asked to stop because the fleet is to shrink: it goes on serving until others
	// have taken over, but no longer than this.
	Until time.Time `json:"until,omitzero"`
}

// prepared reports whether the replica holds its part of the topology's target.
func (r Report) prepared(t Topology) bool {
	return r.Holds && t.Target != 0 && r.Generation == t.Generation && r.Target == t.Target
}

// leaves reports whether the replica serves and is about to end, whatever the StatefulSet wants by now.
func (r Report) leaves(now time.Time) bool { return now.Before(r.Until) }

// String is the text that is written.
func (r Report) String() string { return compact(r) }

// says reports whether two reports mean the same, whichever process of the pod gave them.
func (r Report) says(o Report) bool {
	r.Incarnation = o.Incarnation
	return r == o
}

// Keys of the object that the topology lives in.
const (
	topologyKey  = "topology"
	reportPrefix = "replica-"
)

// reportKey is that of the replica whose pod has this number in its name.
func reportKey(number int) string { return reportPrefix + strconv.Itoa(number) }

// contents are what a topology ConfigMap says.
type contents struct {
	topology Topology       // zero when it cannot be followed
	format   int            // that it is written in
	err      error          // why it cannot
	reports  map[int]Report // by the number of the replica's pod
	empty    bool           // as it is delivered
}

func parseContents(data map[string]string) contents {
	t, err := ParseTopology(data[topologyKey])
	v, _ := readVersions(data[topologyKey])
	return contents{topology: t, format: v.Format, err: err, reports: parseReports(data), empty: len(data) == 0}
}

// parseReports reads the reports among the object's data; what is none is left out, as if it had not been given.
func parseReports(data map[string]string) map[int]Report {
	reports := map[int]Report{}
	for key, text := range data {
		digits, ok := strings.CutPrefix(key, reportPrefix)
		number, err := strconv.Atoi(digits)
		if !ok || err != nil || reportKey(number) != key {
			continue
		}
		var r Report
		if json.Unmarshal([]byte(text), &r) == nil {
			reports[number] = r
		}
	}
	return reports
}
