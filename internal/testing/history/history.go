// Package history records the versions of the objects of a cluster, and checks whether
// expositions are consistent with them. It is for tests.
package history

import (
	"fmt"
	"maps"
	"slices"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
)

// Key identifies an object. An object that is recreated under the same name counts as
// a later version of the same object, even with another UID.
type Key struct{ Kind, Namespace, Name string }

func (k Key) String() string { return k.Kind + " " + k.Namespace + "/" + k.Name }

// Views has the renderers by kind, for each of several configurations.
type Views []map[string]*resources.Renderer

// History holds all versions of the objects of a cluster. It is not safe for concurrent use.
type History struct {
	views  Views
	states map[Key][]state // the first one is that of an absent object
	lines  resources.Lines
}

// state is one version of an object.
type state struct {
	version uint64
	present bool
	hash    uint64        // of the UID
	hashes  []LineSetHash // of its lines, by view
}

// New returns an empty History for expositions that these views render.
func New(views Views) *History { return &History{views: views, states: map[Key][]state{}} }

// Put records a version of an object. raw is its protobuf message, without envelope. Put returns
// an error if raw cannot be rendered, or if version is not greater than the previous one.
func (h *History) Put(key Key, uid string, version uint64, raw []byte) error {
	s := state{version: version, present: true, hash: shard.Hash(uid)}
	for _, view := range h.views {
		if err := view[key.Kind].Render(wire.Protobuf, raw, &h.lines); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		s.hashes = append(s.hashes, hashLines(h.lines.Buf))
	}
	return h.add(key, s)
}

// Delete records that an object was deleted. It returns an error if version is not greater than
// the previous one.
func (h *History) Delete(key Key, version uint64) error { return h.add(key, state{version: version}) }

func (h *History) add(key Key, s state) error {
	if len(h.states[key]) == 0 {
		h.states[key] = []state{{}}
	}
	if last := h.states[key][len(h.states[key])-1]; s.version <= last.version {
		return fmt.Errorf("%s: version %d must be greater than the previous one, %d", key, s.version, last.version)
	}
	h.states[key] = append(h.states[key], s)
	return nil
}

// Position is a point in the history: the index of the state that each object had.
type Position map[Key]int

// Now returns the current Position.
func (h *History) Now() Position {
	now := make(Position, len(h.states))
	for key, states := range h.states {
		now[key] = len(states) - 1
	}
	return now
}

// Gained returns the oldest states that a replica may expose after it has gained hash
// ranges and listed their objects. since is the Position before that, listed that of the
// list. An object advances from since to listed, but not beyond a version whose hash was
// not gained: the list does not include it, so the replica may still expose it.
func (h *History) Gained(since, listed Position, gained func(hash uint64) bool) Position {
	all := maps.Clone(since)
	if all == nil {
		all = Position{}
	}
	for key, end := range listed {
		at := all[key]
		for at < end && (!h.states[key][at].present || gained(h.states[key][at].hash)) {
			at++
		}
		all[key] = at
	}
	return all
}

// Reader compares successive expositions of one replica with the history.
type Reader struct {
	history *History
	view    int
	owned   func(hash uint64) bool
	seen    Position // the oldest states that match the last exposition
}

// Reader returns a Reader for expositions that a view (an index of Views) renders, with
// the objects whose hash is owned. Expositions with states older than since are errors.
func (h *History) Reader(view int, owned func(hash uint64) bool, since Position) *Reader {
	seen := Position{}
	maps.Copy(seen, since)
	return &Reader{history: h, view: view, owned: owned, seen: seen}
}

// expected returns the lines that an exposition has of an object in a state; 0 is none.
func (r *Reader) expected(s state) LineSetHash {
	if !s.present || !r.owned(s.hash) {
		return 0
	}
	return s.hashes[r.view]
}

// Check returns an error unless each object of the exposition matches one of its versions
// that is not older than the one in the previous exposition. An object may be missing only
// if it was absent at some time since then.
func (r *Reader) Check(metrics Exposition) error {
	for key := range metrics {
		if r.history.states[key] == nil {
			return fmt.Errorf("%s is exposed but never existed", key)
		}
	}
	for key, states := range r.history.states {
		at, got := r.seen[key], metrics[key]
		for at < len(states) && r.expected(states[at]) != got {
			at++
		}
		if at == len(states) {
			return r.explain(key, states, got)
		}
		r.seen[key] = at
	}
	return nil
}

// explain returns the error for an object that matches none of its versions since the
// previous exposition.
func (r *Reader) explain(key Key, states []state, got LineSetHash) error {
	seen := states[r.seen[key]]
	for _, s := range slices.Backward(states[:r.seen[key]]) {
		switch {
		case r.expected(s) != got:
		case got == 0:
			return fmt.Errorf("%s was exposed at version %d, was not deleted since, and is missing", key, seen.version)
		default:
			return fmt.Errorf("%s went back from version %d to %d", key, seen.version, s.version)
		}
	}
	latest := states[len(states)-1].version
	return fmt.Errorf("%s matches none of its versions since version %d (latest: %d)", key, seen.version, latest)
}

// Equal returns an error unless the exposition matches the latest version of every object.
func (r *Reader) Equal(metrics Exposition) error {
	for key, states := range r.history.states {
		if last := states[len(states)-1]; r.expected(last) != metrics[key] {
			return fmt.Errorf("%s does not match its latest version, %d", key, last.version)
		}
	}
	return nil
}
