package fleet

import (
	"encoding/json"
	"fmt"
)

// Replicas of different versions of statefleet share one topology ConfigMap during every rollout.
// Therefore each document in it states the versions that a reader needs.
//
// Each replica reports the newest versions that it supports. The topology is written in the oldest
// format among them, so that a fleet can be scaled during an upgrade. A replica may still find a
// newer version than it supports, for example the first one of a rollback. It then keeps its plan,
// writes no topology, and reports its versions, until another replica has written the topology in a
// supported format. If no other replica can, it does so itself.
//
// A change that older replicas must not ignore raises formatVersion, and the new version still
// writes the previous format. A change of the table of [shard.NewTable] raises tableVersion. Every
// format keeps the fields format, table, generation, active and start of a topology, and the fields
// format and table of a report, with their meaning: an older replica that starts in a newer fleet
// serves by them.
const (
	formatVersion = 1
	tableVersion  = 1
)

// versions are the format version and the version of the range table. Each topology and each report
// has them.
type versions struct {
	Format int `json:"format"`
	Table  int `json:"table"`
}

// newerError is why a topology that a newer version of statefleet wrote cannot be followed.
type newerError struct {
	versions
	// topology is the readable part; the zero value if the table version is not supported.
	topology topology
}

func (e *newerError) Error() string {
	if e.Table > tableVersion {
		return fmt.Sprintf("topology needs version %d of the range table, "+
			"but this replica supports versions up to %d; "+
			"a newer version of statefleet wrote it", e.Table, tableVersion)
	}
	return fmt.Sprintf("topology has format version %d, but this replica supports versions up to %d; "+
		"a newer version of statefleet wrote it", e.Format, formatVersion)
}

// readVersions returns the versions of a topology, and an error if this replica supports only older
// ones.
func readVersions(text string) (versions, *newerError) {
	var v struct {
		versions
		Generation int64 `json:"generation"`
		Active     int   `json:"active"`
		Start      int   `json:"start"`
	}
	err := json.Unmarshal([]byte(text), &v)
	if v.Format <= formatVersion && v.Table <= tableVersion {
		return v.versions, nil // parseTopology reports other errors
	}
	newer := &newerError{versions: v.versions}
	if err == nil && v.Table <= tableVersion && (members{v.Start, v.Active}).validate() == nil {
		newer.topology = topology{Generation: v.Generation, Active: v.Active, Start: v.Start}
	}
	return v.versions, newer
}

// commonFormat returns the newest format that all replicas support, as far as they have reported.
func commonFormat(fleet members, reports map[int]replicaReport) int {
	common := formatVersion
	for number := range fleet.numbers() {
		if r, ok := reports[number]; ok {
			common = min(common, max(r.Format, 1))
		}
	}
	return common
}

// othersKnowNewer reports whether another replica of the fleet may support newer versions than this
// one. A replica that has not reported may.
func othersKnowNewer(fleet members, reports map[int]replicaReport) bool {
	for number := range fleet.numbers() {
		if r, ok := reports[number]; !ok || r.Format > formatVersion || r.Table > tableVersion {
			return true
		}
	}
	return false
}
