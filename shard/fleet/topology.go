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
	// switchLead is how long before the switch its time is fixed, so that every replica reads it in
	// time.
	switchLead = 2 * time.Second
	// switchTimeout is how long a replica waits for a scheduled switch that no replica makes. After
	// that every clock agrees that the time is far ahead: a wrong clock or a person wrote it, and
	// it is fixed again.
	switchTimeout = time.Minute
	// lastGeneration keeps the generation within the integers that every JSON reader can represent.
	lastGeneration = 1 << 53
)

var errNoTopology = errors.New("topology ConfigMap is empty")

// topology is the state that a fleet agrees on: the table by which it serves, and the table that it
// prepares. It is stored in one ConfigMap and changes by compare-and-swap only. It is a value; its
// methods are pure.
type topology struct {
	// Generation counts decisions. It grows with each new target and with each cancelled one.
	Generation int64 `json:"generation"`
	// Active is the number of replicas in the table by which the fleet serves. Start is the number
	// of the pod that has ordinal 0 in it (spec.ordinals.start).
	Active int `json:"active"`
	Start  int `json:"start,omitempty"`
	// Target is the number of replicas in the table that the fleet prepares. TargetStart is the
	// number of the pod that has ordinal 0 in it. Both are 0 outside a transition.
	Target      int `json:"target,omitempty"`
	TargetStart int `json:"targetStart,omitempty"`
	// SwitchAt is the time from which on Target counts as Active. It is zero until every replica of
	// the target has reported that it holds its part. Once fixed it does not change: others may
	// have acted on it.
	SwitchAt time.Time `json:"switchAt,omitzero"`
	// StartedAt is when this target was chosen. People and alerts read it.
	StartedAt time.Time `json:"since,omitzero"`
	// Set and Revision are the UID and the metadata.generation of the StatefulSet that the decision
	// follows from. They keep a replica with a stale StatefulSet from undoing it.
	Set      types.UID `json:"statefulSet,omitempty"`
	Revision int64     `json:"revision,omitempty"`
}

// parseTopology reads the text of a topology. The error states why it cannot be followed.
func parseTopology(text string) (topology, error) {
	var t topology
	if text == "" {
		return topology{}, errNoTopology
	}
	if _, newer := readVersions(text); newer != nil {
		return topology{}, newer
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return topology{}, fmt.Errorf("topology must be a JSON document of the expected form: %w", err)
	}
	if t.Generation < 1 || t.Generation >= lastGeneration {
		return topology{}, fmt.Errorf("topology: generation must be between 1 and %d, got %d",
			lastGeneration-1, t.Generation)
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

// String returns the text that [parseTopology] reads, in the newest format.
func (t topology) String() string { return t.text(formatVersion) }

// text returns the same in an older format. All formats are equal so far.
func (t topology) text(format int) string {
	return toJSON(struct {
		versions
		topology
	}{versions{format, tableVersion}, t})
}

// active returns the pods that serve. target returns the pods that prepare to serve.
func (t topology) active() members { return members{t.Start, t.Active} }
func (t topology) target() members { return members{t.TargetStart, t.Target} }

// toJSON returns plain data as JSON; "" if it has a time outside the years 0 to 9999.
func toJSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// at returns the topology as it counts at an instant: from SwitchAt on, the target is active.
func (t topology) at(now time.Time) topology {
	if t.SwitchAt.IsZero() || now.Before(t.SwitchAt) {
		return t
	}
	return t.switched()
}

// switched returns the topology after its switch.
func (t topology) switched() topology {
	if t.Target != 0 {
		t.Active, t.Start = t.Target, t.TargetStart
	}
	t.Target, t.TargetStart, t.SwitchAt = 0, 0, time.Time{}
	return t
}

// scheduled reports whether the time of the switch is fixed.
func (t topology) scheduled() bool { return !t.SwitchAt.IsZero() }

// decision identifies one choice of a target. A generation alone does not, because generations
// repeat after a restore of etcd.
type decision struct {
	generation     int64
	active, target members
	since          time.Time
}

func (t topology) decision() decision {
	return decision{t.Generation, t.active(), t.target(), t.StartedAt.Round(0).UTC()}
}

// plan returns the plan for the replica whose pod has this number, at an instant.
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

// desiredState is the fleet that the StatefulSet specifies, as one replica sees it.
type desiredState struct {
	shard.Assignment           // this replica's ordinal, and spec.replicas
	Set              types.UID // UID of the StatefulSet
	Revision         int64     // its metadata.generation
	// OrderedReady is set if the StatefulSet starts a pod only after the previous one is ready
	// (podManagementPolicy OrderedReady). New replicas are not ready before the switch, so such a
	// fleet grows by one replica at a time.
	OrderedReady bool
	// Start is spec.ordinals.start: the number of the pod that has ordinal 0.
	Start int
	// Selector is spec.selector as text. It selects the pods of the fleet.
	Selector string
}

// members returns the pods that the StatefulSet specifies.
func (d desiredState) members() members { return members{d.Start, d.Total} }

// number returns the number in the name of this replica's pod.
func (d desiredState) number() int { return d.Start + d.Ordinal }

// nextInput is the input of [topology.next].
type nextInput struct {
	Desired desiredState
	Reports map[int]replicaReport // of the replicas, by pod number
	Now     time.Time
	// Uncoordinated is set if the fleet could not coordinate until now. Then every replica has
	// followed the StatefulSet.
	Uncoordinated bool
	// Stale is set while this replica may have read an older StatefulSet than the topology follows
	// from. Then it does not change the target.
	Stale bool
	// SwitchOverdue is set if the switch has been scheduled for [switchTimeout] and no replica has
	// made it.
	SwitchOverdue bool
	// MustSwitch is set on a leaving replica that was asked to stop and cannot wait any longer.
	// Unless the fleet switches first, its objects are missing when it ends.
	MustSwitch bool
}

// next returns the topology that follows, or false if there is nothing to do yet. Every replica may
// propose it: all compute the same result, and one write wins. The zero topology stands for a
// missing or invalid one.
func (t topology) next(in nextInput) (topology, bool) {
	switch {
	case t.Generation == 0:
		return t.reset(in, newestGeneration(in.Reports)), true
	case in.Uncoordinated && t.outdated(in.Desired):
		return t.reset(in, t.Generation), true
	case t.at(in.Now) != t:
		return t.at(in.Now), true
	case t.scheduled() && !in.SwitchOverdue:
		return t, false
	}
	if next, ok := t.retarget(in); ok {
		return next, true
	}
	switch ready := in.MustSwitch || t.allHold(in.Reports); {
	case t.Target != 0 && ready:
		t.SwitchAt = in.Now.Add(switchLead).UTC()
		return t, true
	case t.scheduled(): // a wrong clock scheduled it, and a replica restarted since
		t.SwitchAt = time.Time{}
		return t, true
	}
	return t, false
}

// reset returns a topology that serves what the StatefulSet specifies.
func (t topology) reset(in nextInput, generation int64) topology {
	d := in.Desired
	return topology{
		Generation: nextGeneration(generation), Active: d.Total, Start: d.Start,
		Set: d.Set, Revision: d.Revision, StartedAt: in.Now.UTC(),
	}
}

// nextGeneration returns the generation that follows. It wraps before a JSON reader could lose
// precision.
func nextGeneration(generation int64) int64 {
	if generation >= lastGeneration-1 {
		return 1
	}
	return generation + 1
}

// retarget returns the topology with the target that it should have, or false if it has that already. The active
// table as the target cancels the transition.
func (t topology) retarget(in nextInput) (topology, bool) {
	goal := t.desiredMembers(in)
	if goal == t.target() || goal == t.active() && t.Target == 0 {
		return t, false
	}
	next := topology{
		Generation: nextGeneration(t.Generation), Active: t.Active, Start: t.Start,
		Set: in.Desired.Set, Revision: in.Desired.Revision, StartedAt: in.Now.UTC(),
	}
	if goal != t.active() {
		next.Target, next.TargetStart = goal.total, goal.start
	}
	return next, true
}

// outdated reports whether the StatefulSet has changed since the decision.
func (t topology) outdated(d desiredState) bool { return t.Set != d.Set || t.Revision < d.Revision }

// follows reports whether the decision can follow from a revision of the StatefulSet that this
// replica has seen.
func (t topology) follows(d desiredState) bool { return t.Set == d.Set && t.Revision <= d.Revision }

// desiredMembers returns the pods to move to: those that the StatefulSet specifies, without active
// ones that leave.
func (t topology) desiredMembers(in nextInput) members {
	goal := in.Desired.members()
	switch {
	case in.Stale && t.Target != 0:
		return t.target()
	case in.Stale:
		return t.active()
	case in.Desired.OrderedReady && goal.end() > t.active().end():
		goal = members{t.Start, t.Active + 1}
	}
	return goal.without(func(number int) bool { return t.active().has(number) && in.Reports[number].isLeaving(in.Now) })
}

// allHold reports whether every replica of the target has reported that it holds its part.
func (t topology) allHold(reports map[int]replicaReport) bool {
	for number := range t.target().numbers() {
		if !reports[number].holdsTarget(t) {
			return false
		}
	}
	return true
}

// newestGeneration returns the highest reported generation. A topology that replaces a lost one
// starts above it, so that old reports do not count for it.
func newestGeneration(reports map[int]replicaReport) int64 {
	var generation int64
	for _, r := range reports {
		if r.Generation < lastGeneration-1 {
			generation = max(generation, r.Generation)
		}
	}
	return generation
}
