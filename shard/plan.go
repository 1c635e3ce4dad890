package shard

import (
	"encoding/json"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Plan is what one replica serves, and what it holds besides for the change that is under way. Plans are
// compared with ==.
type Plan struct {
	Ordinal int
	Active  int  // replicas in the table to serve by
	Target  int  // replicas in the table to hold by as well; that of Active when nothing changes
	Due     bool // the instant of the switch is named: it comes within seconds

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
	s.Own, s.Neighbour = p.by(p.Active)
	s.NextOwn, s.NextNeighbour = s.Own, s.Neighbour
	if p.Changing() {
		s.NextOwn, s.NextNeighbour = p.by(p.Target)
	}
	return s
}

// by returns what the replica holds by the table for total replicas.
func (p Plan) by(total int) (own, neighbour Ranges) {
	table, err := NewTable(total)
	if err != nil {
		return nil, nil
	}
	own = table.Ranges(p.Ordinal)
	if p.Standby && own != nil && total > 1 {
		neighbour = table.Ranges(before(p.Ordinal, total))
	}
	return own, neighbour
}

// before is the ordinal before one, in a ring of so many.
func before(ordinal, total int) int { return (ordinal + total - 1) % total }

// List returns the four of them.
func (s Shards) List() []Ranges { return []Ranges{s.Own, s.Neighbour, s.NextOwn, s.NextNeighbour} }

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
func (p Plan) Changing() bool { return p.Active != p.Target }

// Report is what one replica says of itself to the others.
type Report struct {
	// Generation and Target are those of the topology that it speaks of.
	Generation int64 `json:"generation"`
	Target     int   `json:"target"`
	// Holds is whether it holds everything of the target that is its part.
	Holds bool `json:"holds"`
	// Incarnation names the process, so that people can tell a restart.
	Incarnation string `json:"incarnation"`
	// Pod is the UID of the replica's pod; "" when it may not be read.
	Pod types.UID `json:"pod,omitempty"`
}

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

func reportKey(ordinal int) string { return reportPrefix + strconv.Itoa(ordinal) }

// parseReports reads the reports among the object's data; what is none is left out, as if it had not been given.
func parseReports(data map[string]string) map[int]Report {
	reports := map[int]Report{}
	for key := range data {
		number, ok := strings.CutPrefix(key, reportPrefix)
		ordinal, err := strconv.Atoi(number)
		if !ok || err != nil || reportKey(ordinal) != key {
			continue
		}
		if r, ok := parseReport(data, ordinal); ok {
			reports[ordinal] = r
		}
	}
	return reports
}

// parseReport reads that of one replica.
func parseReport(data map[string]string, ordinal int) (r Report, ok bool) {
	text, there := data[reportKey(ordinal)]
	ok = there && json.Unmarshal([]byte(text), &r) == nil
	return r, ok
}
