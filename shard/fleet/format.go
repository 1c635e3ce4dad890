package fleet

import (
	"encoding/json"
	"fmt"
)

// Replicas of different versions of statefleet share one topology ConfigMap during every rollout, so each document in it
// says by which version it is to be read.
//
// Each replica reports which versions it knows, and the topology is written in the oldest format among these, so that a
// fleet can be scaled while it is being upgraded. A replica that finds a newer version than it knows all the same, as the
// first one of a rollback does, keeps serving as it is, writes no topology, and says so, until another has written it in a
// format that it knows. If there is no such other, it does so itself.
//
// A change that an older replica must not ignore raises formatVersion, and whoever makes it goes on writing the format
// before. A change of the cuts of [NewTable] raises tableVersion. Every format keeps the members format, table,
// generation, active and start of a topology, and the members format and table of a report, with their meaning: an older
// replica that starts into the fleet of a newer one serves by them.
const (
	formatVersion = 1
	tableVersion  = 1
)

// versions are those of the format and of the range table. Each topology and each report has them.
type versions struct {
	Format int `json:"format"`
	Table  int `json:"table"`
}

// newerError is why a topology that a newer version of statefleet has written cannot be followed.
type newerError struct {
	versions
	// shards is what the topology says all the same; the zero value when its table is a newer one.
	shards topology
}

func (e *newerError) Error() string {
	if e.Table > tableVersion {
		return fmt.Sprintf("topology has version %d of the range table, and this replica knows versions up to %d; "+
			"a newer version of statefleet has written it", e.Table, tableVersion)
	}
	return fmt.Sprintf("topology has format version %d, and this replica knows versions up to %d; "+
		"a newer version of statefleet has written it", e.Format, formatVersion)
}

// readVersions returns the versions of the text of a topology, and an error when this replica knows only older ones.
func readVersions(text string) (versions, *newerError) {
	var v struct {
		versions
		Generation int64 `json:"generation"`
		Active     int   `json:"active"`
		Start      int   `json:"start"`
	}
	err := json.Unmarshal([]byte(text), &v)
	if v.Format <= formatVersion && v.Table <= tableVersion {
		return v.versions, nil // what is wrong with it, if anything, the reader of the whole document says
	}
	newer := &newerError{versions: v.versions}
	if err == nil && v.Table <= tableVersion && (members{v.Start, v.Active}).validate() == nil {
		newer.shards = topology{Generation: v.Generation, Active: v.Active, Start: v.Start}
	}
	return v.versions, newer
}

// commonFormat is the newest format that all replicas know that have reported.
func commonFormat(fleet members, reports map[int]replicaReport) int {
	common := formatVersion
	for number := range fleet.numbers() {
		if r, ok := reports[number]; ok {
			common = min(common, max(r.Format, 1))
		}
	}
	return common
}

// othersKnow reports whether a replica of the fleet knows newer versions than this one, as far as the reports tell. A
// replica that has not reported may be one.
func othersKnow(fleet members, reports map[int]replicaReport) bool {
	for number := range fleet.numbers() {
		if r, ok := reports[number]; !ok || r.Format > formatVersion || r.Table > tableVersion {
			return true
		}
	}
	return false
}
