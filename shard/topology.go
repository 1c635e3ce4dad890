package shard

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// lead is how long before the switch its instant is named: time enough for every replica to hear of it.
	lead = 2 * time.Second
	// switchWait is how long a replica waits for a switch whose instant is named and that nobody has made. By then each
	// clock says that the instant is far ahead: it comes from a clock that is wrong or from an editor, and is named anew.
	switchWait = time.Minute
	// lastGeneration keeps the generation a number that every reader of JSON can hold.
	lastGeneration = 1 << 53
)

var errNoTopology = errors.New("topology ConfigMap is empty")

// Topology is what a fleet agrees on: by which table it serves, and by which it is about to. It lives in one
// object of the API server and changes by compare-and-swap only. It is a value; its methods are pure.
type Topology struct {
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
	Since time.Time `json:"since,omitzero"`
	// Set and Revision are the UID and the metadata.generation of the StatefulSet that the decision follows
	// from, so that one who lags behind does not undo it.
	Set      types.UID `json:"statefulSet,omitempty"`
	Revision int64     `json:"revision,omitempty"`
}

// ParseTopology reads the text of a topology. The error says what is wrong with one that cannot be followed.
func ParseTopology(text string) (Topology, error) {
	var t Topology
	if text == "" {
		return Topology{}, errNoTopology
	}
	if _, newer := readVersions(text); newer != nil {
		return Topology{}, newer
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return Topology{}, fmt.Errorf("topology is no JSON document of the expected form: %w", err)
	}
	if t.Generation < 1 || t.Generation >= lastGeneration {
		return Topology{}, fmt.Errorf("topology: generation %d is out of bounds", t.Generation)
	}
	if err := t.active().check(); err != nil {
		return Topology{}, fmt.Errorf("topology: active %w", err)
	}
	if t.Target != 0 {
		if err := t.target().check(); err != nil {
			return Topology{}, fmt.Errorf("topology: target %w", err)
		}
	}
	if t.target() == t.active() || t.Target == 0 {
		t.Target, t.TargetStart, t.SwitchAt = 0, 0, time.Time{}
	}
	return t, nil
}

// String is the text that [ParseTopology] reads, in the newest format.
func (t Topology) String() string { return t.text(formatVersion) }

// text is the same in an older format. All of them are alike so far.
func (t Topology) text(format int) string {
	return compact(struct {
		versions
		Topology
	}{versions{format, tableVersion}, t})
}

// active are the pods that serve, target those that prepare to.
func (t Topology) active() members { return members{t.Start, t.Active} }
func (t Topology) target() members { return members{t.TargetStart, t.Target} }

// compact writes plain data as JSON, which cannot fail.
func compact[T any](v T) string {
	text, err := json.Marshal(v)
	if err != nil { // a time outside of the years 0 to 9999
		return ""
	}
	return string(text)
}

// At returns the topology as it counts at an instant: from SwitchAt on, the target is active.
func (t Topology) At(now time.Time) Topology {
	if t.SwitchAt.IsZero() || now.Before(t.SwitchAt) {
		return t
	}
	return t.switched()
}

// switched is the topology after its change.
func (t Topology) switched() Topology {
	if t.Target != 0 {
		t.Active, t.Start = t.Target, t.TargetStart
	}
	t.Target, t.TargetStart, t.SwitchAt = 0, 0, time.Time{}
	return t
}

// scheduled reports whether the instant of the switch is named.
func (t Topology) scheduled() bool { return !t.SwitchAt.IsZero() }

// decision is what tells one choice of a target from another, whatever its generation: generations come again after a
// backup was restored.
type decision struct {
	generation     int64
	active, target members
	since          time.Time
}

func (t Topology) decision() decision {
	return decision{t.Generation, t.active(), t.target(), t.Since.Round(0).UTC()}
}

// Plan returns what the topology asks at an instant of the replica whose pod has this number in its name.
func (t Topology) Plan(number int, now time.Time) Plan {
	t = t.At(now)
	p := Plan{Ordinal: number - t.Start, Active: t.Active, Target: t.Target, Due: t.scheduled()}
	if p.Target == 0 {
		p.Target = p.Active
	} else {
		p.Shift = t.TargetStart - t.Start
	}
	return p
}

// Wanted is what the StatefulSet says.
type Wanted struct {
	Assignment           // the replica's place, and spec.replicas
	Set        types.UID // of the StatefulSet
	Revision   int64     // its metadata.generation
	// OneByOne is set when the StatefulSet starts a pod only once the one before is ready
	// (podManagementPolicy OrderedReady). The fleet can then grow by one replica at a time only, since new
	// replicas are not ready before the switch.
	OneByOne bool
	// Start is its spec.ordinals.start: replicas are counted from there in the names of pods, and from 0 here.
	Start int
	// Selector is its spec.selector, as text: it selects the pods of the fleet.
	Selector string
}

// members are the pods that the StatefulSet wants.
func (w Wanted) members() members { return members{w.Start, w.Total} }

// number is the one in the name of this replica's pod.
func (w Wanted) number() int { return w.Start + w.Ordinal }

// Step is what a replica knows when it asks for the next step.
type Step struct {
	Wanted  Wanted
	Reports map[int]Report // of the replicas, by the number of their pod
	Now     time.Time
	// Alone is set when the fleet could not coordinate until now: then every replica goes by what is wanted.
	Alone bool
	// Behind is set while the replica may know an older state of the StatefulSet than the one that the topology follows
	// from. It leaves the target as it is then.
	Behind bool
	// Overdue is set when the switch is scheduled and nobody has made it for [switchWait].
	Overdue bool
	// LastChance is set on a replica that serves, has been asked to stop because the fleet shrinks, and cannot wait any
	// longer. What it serves is missing afterwards, unless the fleet switches before: to those who hold their part.
	LastChance bool
}

// Next returns the topology that has to follow, or false when there is nothing to do or to wait for only.
// Every replica may propose it: all of them come to the same, and one write wins. The zero topology stands
// for one that is missing or unreadable.
func (t Topology) Next(s Step) (Topology, bool) {
	switch {
	case t.Generation == 0:
		return t.from(s, newest(s.Reports)), true
	case s.Alone && t.outdated(s.Wanted):
		return t.from(s, t.Generation), true
	case t.At(s.Now) != t:
		return t.At(s.Now), true
	case t.scheduled() && !s.Overdue:
		return t, false
	}
	if goal := t.goal(s); goal != t.active() && goal != t.target() || goal == t.active() && t.Target != 0 {
		return t.aim(goal, s), true
	}
	switch ready := s.LastChance || t.held(s.Reports); {
	case t.Target != 0 && ready:
		t.SwitchAt = s.Now.Add(lead).UTC()
		return t, true
	case t.scheduled(): // by a clock that is wrong, and a replica has restarted since
		t.SwitchAt = time.Time{}
		return t, true
	}
	return t, false
}

// from is a topology that starts from what is wanted.
func (t Topology) from(s Step, generation int64) Topology {
	w := s.Wanted
	return Topology{
		Generation: after(generation), Active: w.Total, Start: w.Start,
		Set: w.Set, Revision: w.Revision, Since: s.Now.UTC(),
	}
}

// after is the generation that follows; it starts again where readers could lose count.
func after(generation int64) int64 {
	if generation >= lastGeneration-1 {
		return 1
	}
	return generation + 1
}

// aim gives the topology another target; the table it has already means none.
func (t Topology) aim(goal members, s Step) Topology {
	next := Topology{
		Generation: after(t.Generation), Active: t.Active, Start: t.Start,
		Set: s.Wanted.Set, Revision: s.Wanted.Revision, Since: s.Now.UTC(),
	}
	if goal != t.active() {
		next.Target, next.TargetStart = goal.total, goal.start
	}
	return next
}

// outdated reports whether the StatefulSet has changed since the decision.
func (t Topology) outdated(w Wanted) bool { return t.Set != w.Set || t.Revision < w.Revision }

// explained reports whether the decision can follow from a state of the StatefulSet that the replica knows.
func (t Topology) explained(w Wanted) bool { return t.Set == w.Set && t.Revision <= w.Revision }

// goal are the pods to move to: those that the StatefulSet wants, without those that serve now and are about to end.
func (t Topology) goal(s Step) members {
	goal := s.Wanted.members()
	switch {
	case s.Behind && t.Target != 0:
		return t.target()
	case s.Behind:
		return t.active()
	case s.Wanted.OneByOne && goal.end() > t.active().end():
		goal = members{t.Start, t.Active + 1}
	}
	return goal.without(func(number int) bool { return t.active().has(number) && s.Reports[number].leaves(s.Now) })
}

// held reports whether every replica of the target holds its part.
func (t Topology) held(reports map[int]Report) bool {
	for number := range t.target().numbers() {
		if !reports[number].prepared(t) {
			return false
		}
	}
	return true
}

// newest is the largest generation that replicas have reported, so that a topology that is made anew is not
// taken for the one that they mean.
func newest(reports map[int]Report) int64 {
	var generation int64
	for _, r := range reports {
		if r.Generation < lastGeneration-1 {
			generation = max(generation, r.Generation)
		}
	}
	return generation
}
