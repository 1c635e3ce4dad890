// Package history remembers what a cluster held, version by version, and tells
// whether pages can have been made from it. It is for tests.
package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
)

// Key names an object: whatever has a name after it was deleted is another
// version of the same.
type Key struct{ Kind, Namespace, Name string }

func (k Key) String() string { return k.Kind + " " + k.Namespace + "/" + k.Name }

// Views are the renderers of each kind in each of several configurations.
type Views []map[string]*resources.Renderer

// History is what a cluster held. It is used by one goroutine.
type History struct {
	views  Views
	states map[Key][]state // the first one is that there is none
	lines  resources.Lines
}

// state is one version of an object.
type state struct {
	version uint64
	present bool
	hash    uint64        // of the UID
	hashes  []LineSetHash // what its lines are, by view
}

// New returns an empty History of pages that are made in these ways.
func New(views Views) *History { return &History{views: views, states: map[Key][]state{}} }

// Put notes that an object is as raw says, a protobuf message without envelope.
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

// Delete notes that an object is gone.
func (h *History) Delete(key Key, version uint64) error { return h.add(key, state{version: version}) }

func (h *History) add(key Key, s state) error {
	if len(h.states[key]) == 0 {
		h.states[key] = []state{{}}
	}
	if last := h.states[key][len(h.states[key])-1]; s.version <= last.version {
		return fmt.Errorf("%s: version %d comes after %d", key, s.version, last.version)
	}
	h.states[key] = append(h.states[key], s)
	return nil
}

// Present are the objects that there are now, sorted by their names.
func (h *History) Present() []Key {
	var keys []Key
	for key, states := range h.states {
		if states[len(states)-1].present {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// Position is a moment of the history: how many states each object had.
type Position map[Key]int

// Now is the present moment.
func (h *History) Now() Position {
	now := make(Position, len(h.states))
	for key, states := range h.states {
		now[key] = len(states) - 1
	}
	return now
}

// Gained is what a replica has come to show, at the least, of all objects: what it
// did before, since, and of those whose hash it has gained what a later list had. Of
// a name that others had in between it may not have heard that those are gone.
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

// Reader holds the pages of one replica against the history, one after another.
type Reader struct {
	history *History
	view    int
	owned   func(hash uint64) bool
	seen    Position // the oldest states that the last page can have been made from
}

// Reader returns a Reader of pages that are made by one of the views, with the
// objects whose hash is owned, and that show nothing older than since.
func (h *History) Reader(view int, owned func(hash uint64) bool, since Position) *Reader {
	seen := Position{}
	maps.Copy(seen, since)
	return &Reader{history: h, view: view, owned: owned, seen: seen}
}

// shows is what a page shows of an object in a state; 0 is nothing.
func (r *Reader) shows(s state) LineSetHash {
	if !s.present || !r.owned(s.hash) {
		return 0
	}
	return s.hashes[r.view]
}

// Check returns an error unless each object on the page is as it was in one of its
// versions, no older than on the page before, and none is missing that was not
// deleted since then.
func (r *Reader) Check(page Page) error {
	for key := range page {
		if r.history.states[key] == nil {
			return fmt.Errorf("%s is shown, and never was", key)
		}
	}
	for key, states := range r.history.states {
		at, is := r.seen[key], page[key]
		for at < len(states) && r.shows(states[at]) != is {
			at++
		}
		if at == len(states) {
			return r.explain(key, states, is)
		}
		r.seen[key] = at
	}
	return nil
}

// explain says what is wrong with an object that is not as it ever was since it
// was seen last.
func (r *Reader) explain(key Key, states []state, is LineSetHash) error {
	seen := states[r.seen[key]]
	for _, s := range slices.Backward(states[:r.seen[key]]) {
		switch {
		case r.shows(s) != is:
		case is == 0:
			return fmt.Errorf("%s was shown at version %d, was never deleted since, and is gone", key, seen.version)
		default:
			return fmt.Errorf("%s went back from version %d to %d", key, seen.version, s.version)
		}
	}
	return fmt.Errorf("%s is shown as it never was (last at version %d, now at %d)", key, seen.version, states[len(states)-1].version)
}

// Equal returns an error unless the page agrees with the history.
func (r *Reader) Equal(page Page) error {
	for key, states := range r.history.states {
		if last := states[len(states)-1]; r.shows(last) != page[key] {
			return fmt.Errorf("%s is not as it is now, at version %d", key, last.version)
		}
	}
	return nil
}
