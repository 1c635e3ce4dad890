package fleet

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Report is what one replica says of itself to the others.
type replicaReport struct {
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
	// ServesUntil is set by a replica that has been asked to stop because the fleet is to shrink: it goes on serving until others
	// have taken over, but no longer than this.
	ServesUntil time.Time `json:"until,omitzero"`
}

// prepared reports whether the replica holds its part of the topology's target.
func (r replicaReport) holdsTarget(t topology) bool {
	return r.Holds && t.Target != 0 && r.Generation == t.Generation && r.Target == t.Target
}

// leaves reports whether the replica serves and is about to end, whatever the StatefulSet wants by now.
func (r replicaReport) isLeaving(now time.Time) bool { return now.Before(r.ServesUntil) }

// String is the text that is written.
func (r replicaReport) String() string { return mustJSON(r) }

// says reports whether two reports mean the same, whichever process of the pod gave them.
func (r replicaReport) equivalent(o replicaReport) bool {
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
	topology topology              // zero when it cannot be followed
	format   int                   // that it is written in
	err      error                 // why it cannot
	reports  map[int]replicaReport // by the number of the replica's pod
	empty    bool                  // as it is delivered
}

func parseContents(data map[string]string) contents {
	t, err := parseTopology(data[topologyKey])
	v, _ := readVersions(data[topologyKey])
	return contents{topology: t, format: v.Format, err: err, reports: parseReports(data), empty: len(data) == 0}
}

// parseReports reads the reports among the object's data; what is none is left out, as if it had not been given.
func parseReports(data map[string]string) map[int]replicaReport {
	reports := map[int]replicaReport{}
	for key, text := range data {
		digits, ok := strings.CutPrefix(key, reportPrefix)
		number, err := strconv.Atoi(digits)
		if !ok || err != nil || reportKey(number) != key {
			continue
		}
		var r replicaReport
		if json.Unmarshal([]byte(text), &r) == nil {
			reports[number] = r
		}
	}
	return reports
}
