package shard

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Plan is what one replica serves, and what it holds besides for the change that is under way. Plans are
// compared with ==.
type Plan struct {
	Ordinal int
	Active  int  // replicas in the table to serve by
	Target  int  // replicas in the table to hold by as well; that of Active when nothing changes
	Due     bool // the instant of the switch is named: it comes within seconds
}

// Alone returns the plan of a replica that goes by an assignment and coordinates with nobody.
func Alone(a Assignment) Plan { return Plan{Ordinal: a.Ordinal, Active: a.Total, Target: a.Total} }

// Now returns what the replica serves, nil for nothing. Like [Plan.Next] it makes the table anew at each call.
func (p Plan) Now() Ranges { return Assignment{p.Ordinal, p.Active}.Ranges() }

// Next returns what the replica will serve after the change; what [Plan.Now] does when there is none.
func (p Plan) Next() Ranges { return Assignment{p.Ordinal, p.Target}.Ranges() }

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
}

// String is the text that is written.
func (r Report) String() string { return compact(r) }

// says reports whether two reports mean the same, whichever process gave them.
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
	for key, text := range data {
		number, ok := strings.CutPrefix(key, reportPrefix)
		ordinal, err := strconv.Atoi(number)
		var r Report
		if !ok || err != nil || reportKey(ordinal) != key || json.Unmarshal([]byte(text), &r) != nil {
			continue
		}
		reports[ordinal] = r
	}
	return reports
}
