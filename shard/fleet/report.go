package fleet

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// replicaReport is what one replica reports to the others about itself.
type replicaReport struct {
	versions // newest ones that the replica supports
	// Generation and Target identify the topology that the report is about.
	Generation int64 `json:"generation"`
	Target     int   `json:"target"`
	// Holds is whether the replica holds its part of the target. Complete is whether it also holds
	// what it serves by the active table. A replica that starts while the fleet grows may hold the
	// former before the latter.
	Holds    bool `json:"holds"`
	Complete bool `json:"complete,omitempty"`
	// Incarnation identifies the process, so that people notice a restart.
	Incarnation string `json:"incarnation"`
	// Pod is the UID of the replica's pod; "" if the replica may not read its pod.
	Pod types.UID `json:"pod,omitempty"`
	// ServesUntil is set by a leaving replica that was asked to stop. It serves until others have
	// taken over, but no longer than this.
	ServesUntil time.Time `json:"until,omitzero"`
}

// holdsTarget reports whether the replica holds its part of the topology's target.
func (r replicaReport) holdsTarget(t topology) bool {
	return r.Holds && t.Target != 0 && r.Generation == t.Generation && r.Target == t.Target
}

// isLeaving reports whether the replica serves and will end, even if the StatefulSet is scaled up
// again.
func (r replicaReport) isLeaving(now time.Time) bool { return now.Before(r.ServesUntil) }

// String returns the text that is stored in the ConfigMap.
func (r replicaReport) String() string { return toJSON(r) }

// equivalent reports whether two reports of a pod differ at most in the process that wrote them.
func (r replicaReport) equivalent(o replicaReport) bool {
	r.Incarnation = o.Incarnation
	return r == o
}

// Keys of the topology ConfigMap.
const (
	topologyKey  = "topology"
	reportPrefix = "replica-"
)

// reportKey returns the key of the replica whose pod has this number.
func reportKey(number int) string { return reportPrefix + strconv.Itoa(number) }

// contents are the parsed data of a topology ConfigMap.
type contents struct {
	topology topology              // zero if it is invalid
	format   int                   // of the topology
	err      error                 // why the topology is invalid
	reports  map[int]replicaReport // by pod number
	empty    bool                  // there is no data, as after the installation
}

func parseContents(data map[string]string) contents {
	t, err := parseTopology(data[topologyKey])
	v, _ := readVersions(data[topologyKey])
	return contents{topology: t, format: v.Format, err: err, reports: parseReports(data), empty: len(data) == 0}
}

// parseReports reads the reports in the ConfigMap's data. It skips invalid ones.
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
