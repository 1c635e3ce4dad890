package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/shard"
)

const (
	// switchLead is how long before the switch its instant is named: time enough for every replica to hear of it.
	switchLead = 2 * time.Second
	// switchTimeout is how long a replica waits for a switch whose instant is named and that nobody has made. By then each
	// clock says that the instant is far ahead: it comes from a clock that is wrong or from an editor, and is named anew.
	switchTimeout = time.Minute
	// lastGeneration keeps the generation a number that every reader of JSON can hold.
	lastGeneration = 1 << 53
)

var errNoTopology = errors.New("topology ConfigMap is empty")

// Topology is what a fleet agrees on: by which table it serves, and by which it is about to. It lives in one
// object of the API server and changes by compare-and-swap only. It is a value; its methods are pure.
type topology struct {
	// Generation counts the decisions: it grows with each new target, and with a target that is given up.
	Generation int64 `json:"generation"`
	// Active is the number of replicas in the table that is served by, and Start the number in the name of the pod that
	// has ordinal 0 in it (spec.ordinals.start).
	Active int `json:"active"`
	Start  int `json:"start,omitempty"`
	// Target is the number of replicas in the table that is being prepared, and TargetStart the pod that has ordinal 0 in
	// it; both are 0 when nothing is prepared.
	Target      int `json:"target,omitempty"`
	TargetStart int `json:"targetStart,omitempty"`
	// SwitchAt is the instant from which on Target counts as Active; zero until every replica of the target
	// has said that it holds its part. Once named it stands: others may have acted on it already.
	SwitchAt time.Time `json:"switchAt,omitzero"`
	// Since is when this target was chosen, for people and alerts.
	StartedAt time.Time `json:"since,omitzero"`
	// Set and Revision are the UID and the metadata.generation of the StatefulSet that the decision follows
	// from, so that one who lags behind does not undo it.
	Set      types.UID `json:"statefulSet,omitempty"`
	Revision int64     `json:"revision,omitempty"`
}

// parseTopology reads the text of a topology. The error says what is wrong with one that cannot be followed.
func parseTopology(text string) (topology, error) {
	var t topology
	if text == "" {
		return topology{}, errNoTopology
	}
	if _, newer := readVersions(text); newer != nil {
		return topology{}, newer
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return topology{}, fmt.Errorf("topology is no JSON document of the expected form: %w", err)
	}
	if t.Generation < 1 || t.Generation >= lastGeneration {
		return topology{}, fmt.Errorf("topology: generation %d is out of bounds", t.Generation)
	}
	if err := t.active().validate(); err != nil {
		return topology{}, fmt.Errorf("topology: active %w", err)
	}
	if t.Target != 0 {
		if err := t.target().validate(); err != nil {
			return topology{}, fmt.Errorf("topology: target %w", err)
		}
	}
	if t.target() == t.active() || t.Target == 0 {
		t.Target, t.TargetStart, t.SwitchAt = 0, 0, time.Time{}
	}
	return t, nil
}

// String is the text that [parseTopology] reads, in the newest format.
func (t topology) String() string { return t.text(formatVersion) }

// text is the same in an older format. All of them are alike so far.
func (t topology) text(format int) string {
	return mustJSON(struct {
		versions
		topology
	}{versions{format, tableVersion}, t})
}

// active are the pods that serve, target those that prepare to.
func (t topology) active() members { return members{t.Start, t.Active} }
func (t topology) target() members { return members{t.TargetStart, t.Target} }

// compact writes plain data as JSON, which cannot fail.
func mustJSON[T any](v T) string {
	text, err := json.Marshal(v)
	if err != nil { // a time outside of the years 0 to 9999
		return ""
	}
	return string(text)
}

// At returns the topology as it counts at an instant: from SwitchAt on, the target is active.
func (t topology) at(now time.Time) topology {
	if t.SwitchAt.IsZero() || now.Before(t.SwitchAt) {
		return t
	}
	return t.switched()
}

// switched is the topology after its change.
func (t topology) switched() topology {
	if t.Target != 0 {
		t.Active, t.Start = t.Target, t.TargetStart
	}
	t.Target, t.TargetStart, t.SwitchAt = 0, 0, time.Time{}
	return t
}

// scheduled reports whether the instant of the switch is named.
func (t topology) scheduled() bool { return !t.SwitchAt.IsZero() }

// decision is what tells one choice of a target from another, whatever its generation: generations come again after a
// backup was restored.
type decision struct {
	generation     int64
	active, target members
	since          time.Time
}

func (t topology) decision() decision {
	return decision{t.Generation, t.active(), t.target(), t.StartedAt.Round(0).UTC()}
}

// Plan returns what the topology asks at an instant of the replica whose pod has this number in its name.
func (t topology) plan(number int, now time.Time) shard.Plan {
	t = t.at(now)
	p := shard.Plan{Ordinal: number - t.Start, Active: t.Active, Target: t.Target, SwitchScheduled: t.scheduled()}
	if p.Target == 0 {
		p.Target = p.Active
	} else {
		p.Shift = t.TargetStart - t.Start
	}
	return p
}

// desiredState is what the StatefulSet says.
type desiredState struct {
	shard.Assignment           // the replica's place, and spec.replicas
	Set              types.UID // of the StatefulSet
	Revision         int64     // its metadata.generation
	// OrderedReady is set when the StatefulSet starts a pod only once the one before is ready
	// (podManagementPolicy OrderedReady). The fleet can then grow by one replica at a time only, since new
	// replicas are not ready before the switch.
	OrderedReady bool
	// Start is its spec.ordinals.start: replicas are counted from there in the names of pods, and from 0 here.
	Start int
	// Selector is its spec.selector, as text: it selects the pods of the fleet.
	Selector string
}

// members are the pods that the StatefulSet wants.
func (w desiredState) members() members { return members{w.Start, w.Total} }

// number is the one in the name of this replica's pod.
func (w desiredState) number() int { return w.Start + w.Ordinal }

// Step is what a replica knows when it asks for the next step.
type step struct {
	Desired desiredState
	Reports map[int]replicaReport // of the replicas, by the number of their pod
	Now     time.Time
	// Alone is set when the fleet could not coordinate until now: then every replica goes by what is desired.
	Uncoordinated bool
	// Stale is set while the replica may know an older state of the StatefulSet than the one that the topology follows
	// from. It leaves the target as it is then.
	Stale bool
	// SwitchOverdue is set when the switch is scheduled and nobody has made it for [switchTimeout].
	SwitchOverdue bool
	// MustSwitch is set on a replica that serves, has been asked to stop because the fleet shrinks, and cannot wait any
	// longer. What it serves is missing afterwards, unless the fleet switches before: to those who hold their part.
	MustSwitch bool
}

// Next returns the topology that has to follow, or false when there is nothing to do or to wait for only.
// Every replica may propose it: all of them come to the same, and one write wins. The zero topology stands
// for one that is missing or unreadable.
func (t topology) next(s step) (topology, bool) {
	switch {
	case t.Generation == 0:
		return t.reset(s, newest(s.Reports)), true
	case s.Uncoordinated && t.outdated(s.Desired):
		return t.reset(s, t.Generation), true
	case t.at(s.Now) != t:
		return t.at(s.Now), true
	case t.scheduled() && !s.SwitchOverdue:
		return t, false
	}
	if goal := t.desiredMembers(s); goal != t.active() && goal != t.target() || goal == t.active() && t.Target != 0 {
		return t.retarget(goal, s), true
	}
	switch ready := s.MustSwitch || t.allHold(s.Reports); {
	case t.Target != 0 && ready:
		t.SwitchAt = s.Now.Add(switchLead).UTC()
		return t, true
	case t.scheduled(): // by a clock that is wrong, and a replica has restarted since
		t.SwitchAt = time.Time{}
		return t, true
	}
	return t, false
}

// from is a topology that starts from what is desired.
func (t topology) reset(s step, generation int64) topology {
	w := s.Desired
	return topology{
		Generation: nextGeneration(generation), Active: w.Total, Start: w.Start,
		Set: w.Set, Revision: w.Revision, StartedAt: s.Now.UTC(),
	}
}

// after is the generation that follows; it starts again where readers could lose count.
func nextGeneration(generation int64) int64 {
	if generation >= lastGeneration-1 {
		return 1
	}
	return generation + 1
}

// aim gives the topology another target; the table it has already means none.
func (t topology) retarget(goal members, s step) topology {
	next := topology{
		Generation: nextGeneration(t.Generation), Active: t.Active, Start: t.Start,
		Set: s.Desired.Set, Revision: s.Desired.Revision, StartedAt: s.Now.UTC(),
	}
	if goal != t.active() {
		next.Target, next.TargetStart = goal.total, goal.start
	}
	return next
}

// outdated reports whether the StatefulSet has changed since the decision.
func (t topology) outdated(w desiredState) bool { return t.Set != w.Set || t.Revision < w.Revision }

// explained reports whether the decision can follow from a state of the StatefulSet that the replica knows.
func (t topology) follows(w desiredState) bool { return t.Set == w.Set && t.Revision <= w.Revision }

// goal are the pods to move to: those that the StatefulSet wants, without those that serve now and are about to end.
func (t topology) desiredMembers(s step) members {
	goal := s.Desired.members()
	switch {
	case s.Stale && t.Target != 0:
		return t.target()
	case s.Stale:
		return t.active()
	case s.Desired.OrderedReady && goal.end() > t.active().end():
		goal = members{t.Start, t.Active + 1}
	}
	return goal.without(func(number int) bool { return t.active().has(number) && s.Reports[number].isLeaving(s.Now) })
}

// held reports whether every replica of the target holds its part.
func (t topology) allHold(reports map[int]replicaReport) bool {
	for number := range t.target().numbers() {
		if !reports[number].holdsTarget(t) {
			return false
		}
	}
	return true
}

// newest is the largest generation that replicas have reported, so that a topology that is made anew is not
// taken for the one that they mean.
func newest(reports map[int]replicaReport) int64 {
	var generation int64
	for _, r := range reports {
		if r.Generation < lastGeneration-1 {
			generation = max(generation, r.Generation)
		}
	}
	return generation
}
