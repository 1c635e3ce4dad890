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
	// farthest is how far off an instant may be to be believed. One beyond comes from a clock that is wrong
	// or from an editor, and is named anew.
	farthest = time.Minute
	// lastGeneration keeps the generation a number that every reader of JSON can hold.
	lastGeneration = 1 << 53
)

var errNoTopology = errors.New("there is none yet")

// Topology is what a fleet agrees on: by which table it serves, and by which it is about to. It lives in one
// object of the API server and changes by compare-and-swap only. It is a value; its methods are pure.
type Topology struct {
	// Generation counts the decisions: it grows with each new target, and with a target that is given up.
	Generation int64 `json:"generation"`
	// Active is the number of replicas in the table that is served by.
	Active int `json:"active"`
	// Target is the number of replicas in the table that is being prepared; 0 when nothing is.
	Target int `json:"target,omitempty"`
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
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return Topology{}, fmt.Errorf("it cannot be read: %w", err)
	}
	switch {
	case t.Generation < 1 || t.Generation >= lastGeneration:
		return Topology{}, fmt.Errorf("generation %d is out of bounds", t.Generation)
	case t.Active < 1 || t.Active > MaxTotal:
		return Topology{}, fmt.Errorf("active must be between 1 and %d, got %d", MaxTotal, t.Active)
	case t.Target < 0 || t.Target > MaxTotal:
		return Topology{}, fmt.Errorf("target must be between 0 and %d, got %d", MaxTotal, t.Target)
	}
	if t.Target == t.Active {
		t.Target = 0
	}
	if t.Target == 0 {
		t.SwitchAt = time.Time{}
	}
	return t, nil
}

// String is the text that [ParseTopology] reads.
func (t Topology) String() string { return compact(t) }

// compact writes plain data as JSON, which cannot fail.
func compact[T Topology | Report](v T) string {
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
		t.Active = t.Target
	}
	t.Target, t.SwitchAt = 0, time.Time{}
	return t
}

// due reports whether the instant of the switch is named and to be believed.
func (t Topology) due(now time.Time) bool {
	return !t.SwitchAt.IsZero() && t.SwitchAt.Sub(now) <= farthest
}

// Plan returns what the topology asks of a replica at an instant.
func (t Topology) Plan(ordinal int, now time.Time) Plan {
	t = t.At(now)
	p := Plan{Ordinal: ordinal, Active: t.Active, Target: t.Target, Due: t.due(now)}
	if p.Target == 0 {
		p.Target = p.Active
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

// Step is what a replica knows when it asks for the next step.
type Step struct {
	Wanted  Wanted
	Reports map[int]Report // of the replicas, by ordinal
	Now     time.Time
	// Alone is set when the fleet could not coordinate until now: then every replica goes by what is wanted.
	Alone bool
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
	case t.due(s.Now):
		return t, false
	}
	if goal := t.goal(s.Wanted); goal != t.Active && goal != t.Target || goal == t.Active && t.Target != 0 {
		return t.aim(goal, s), true
	}
	if t.Target != 0 && t.held(s.Reports) {
		t.SwitchAt = s.Now.Add(lead).UTC()
		return t, true
	}
	return t, false
}

// from is a topology that starts from what is wanted.
func (t Topology) from(s Step, generation int64) Topology {
	w := s.Wanted
	return Topology{Generation: after(generation), Active: w.Total, Set: w.Set, Revision: w.Revision, Since: s.Now.UTC()}
}

// after is the generation that follows; it starts again where readers could lose count.
func after(generation int64) int64 {
	if generation >= lastGeneration-1 {
		return 1
	}
	return generation + 1
}

// aim gives the topology another target; the table it has already means none.
func (t Topology) aim(goal int, s Step) Topology {
	next := Topology{Generation: after(t.Generation), Active: t.Active, Set: s.Wanted.Set, Revision: s.Wanted.Revision, Since: s.Now.UTC()}
	if goal != t.Active {
		next.Target = goal
	}
	return next
}

// outdated reports whether the StatefulSet has changed since the decision.
func (t Topology) outdated(w Wanted) bool { return t.Set != w.Set || t.Revision < w.Revision }

// goal is the number of replicas to move to, by what the StatefulSet says. A replica that knows an older
// state of it than the one that the target was chosen from leaves the target as it is.
func (t Topology) goal(w Wanted) int {
	switch {
	case t.Set == w.Set && t.Revision > w.Revision && t.Target != 0:
		return t.Target
	case t.Set == w.Set && t.Revision > w.Revision:
		return t.Active
	case w.OneByOne:
		return min(w.Total, t.Active+1)
	}
	return w.Total
}

// held reports whether every replica of the target holds its part.
func (t Topology) held(reports map[int]Report) bool {
	for ordinal := range t.Target {
		if r := reports[ordinal]; !r.Holds || r.Generation != t.Generation || r.Target != t.Target {
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
