package replica

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/statefleet/statefleet/internal/savedstate"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// Types of the frames of a saved state, in the order in which they are written. Those from kindFrame
// on are repeated for each kind.
const (
	rangesFrame byte = 1 + iota
	kindFrame
	bucketFrame
	namesFrame
	laterNamesFrame // of objects that have taken their names since
	sharedFrame
	truncatedFrame
	kindEndFrame
)

// savedKind is the first frame of a saved kind. Its objects follow in further frames.
type savedKind struct {
	Name     string `json:"name"`
	Resource string `json:"resource"`
	Families uint64 `json:"families"` // hash of their headers
	// Versions are those at which the objects were complete, by source.
	Versions []string `json:"versions"`
	// Namespaces are those that the namespace selector selected; nil if there is none.
	Namespaces []string `json:"namespaces"`
	// The keys of the hashes of text, names and series.
	StoreKey  uint64 `json:"storeKey"`
	NamesKey  uint64 `json:"namesKey"`
	SharedKey uint64 `json:"sharedKey,omitempty"`
}

// savedKindEnd says whether the objects of the kind were complete until the last one was written.
type savedKindEnd struct {
	Complete bool `json:"complete"`
}

// SaveState writes what the replica holds, so that another process can continue from it. It may be
// called at any time, also after Run has returned. It leaves out kinds that are not complete, and
// those with limits on objects, text or series; see savable. The error is ErrIncomplete if there is
// nothing to save.
func (r *Replica) SaveState(w *savedstate.Writer) error {
	held := r.held.Load()
	if len(*held) == 0 || !r.holdsAll() {
		return savedstate.ErrIncomplete
	}
	var ranges [][2]uint64 // the JSON of shard.Ranges is for people
	for _, is := range *held {
		ranges = append(ranges, [2]uint64{is.Start, is.End})
	}
	if err := writeJSON(w, rangesFrame, ranges); err != nil {
		return err
	}
	some := false
	for _, k := range r.current() {
		saved, err := r.saveKind(w, k)
		if err != nil {
			return err
		}
		some = some || saved
	}
	if !some || r.held.Load() != held || !r.holdsAll() {
		return savedstate.ErrIncomplete // another process could not tell for which ranges the kinds are complete
	}
	return nil
}

// saveKind writes one kind, and reports whether it was complete all the time.
func (r *Replica) saveKind(w *savedstate.Writer, k *kind) (saved bool, err error) {
	// The versions are taken before the objects, so that the objects are not older.
	before := r.resumePointOf(k)
	if before == nil {
		return false, nil
	}
	description := k.describeSaved()
	description.Versions, description.Namespaces = before.versions, before.namespaces
	if err := writeJSON(w, kindFrame, description); err != nil {
		return false, err
	}
	names := k.names.all()
	err = k.store.Save(func(bucket []byte) error { return w.Frame(bucketFrame, bucket) })
	moved := errors.Is(err, store.ErrMoved)
	if err != nil && !moved {
		return false, err
	}
	// Names are taken before and after the objects, so that each object has its name in one of them.
	// Series are taken after them, because those of an older version are claimed again.
	if err := w.Frame(namesFrame, encodeNames(names)); err != nil {
		return false, err
	}
	if err := w.Frame(laterNamesFrame, encodeNames(k.names.changesSince(names))); err != nil {
		return false, err
	}
	if k.sharedSeries != nil {
		if err := w.Frame(sharedFrame, k.sharedSeries.encode()); err != nil {
			return false, err
		}
	}
	if err := w.Frame(truncatedFrame, k.truncated.encode()); err != nil {
		return false, err
	}
	after := r.resumePointOf(k)
	complete := !moved && after != nil && slices.Equal(before.reflectors, after.reflectors) && before.changes == after.changes
	return complete, writeJSON(w, kindEndFrame, savedKindEnd{complete})
}

func writeJSON(w *savedstate.Writer, frameType byte, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.Frame(frameType, payload)
}

// resumePoint is where the Reflectors of another process can continue.
type resumePoint struct {
	reflectors []*watch.Reflector
	versions   []string
	namespaces []string
	changes    uint64 // of namespaces
}

// resumePointOf returns nil unless the kind is complete.
func (r *Replica) resumePointOf(k *kind) *resumePoint {
	if !k.savable() {
		return nil
	}
	// A Reflector's mutex is taken before k.mu, so k.mu is released before the Reflectors are read.
	k.mu.Lock()
	p, adding, namespaces := &resumePoint{reflectors: k.reflectors}, k.pendingAdditions > 0, k.namespaces
	k.mu.Unlock()
	if len(p.reflectors) == 0 || adding {
		return nil
	}
	for _, s := range p.reflectors {
		version := s.ResumeVersion()
		if version == "" || s.Status().Phase != watch.Synced {
			return nil
		}
		p.versions = append(p.versions, version)
	}
	if k.Namespaced && r.namespaceSet != nil {
		p.namespaces, p.changes = r.namespaceSet.list()
		if p.changes != namespaces {
			return nil // the kind is about to be listed again
		}
	}
	return p
}

// savable reports whether the kind's text follows from its objects alone. What limits leave out
// depends on the order of events.
func (k *kind) savable() bool { return !k.limits.any() && k.seriesLimits == nil }

// describeSaved returns what determines the kind's text, and the keys of its hashes.
func (k *kind) describeSaved() savedKind {
	d := savedKind{
		Name: k.Name, Resource: k.Resource.String(), Families: k.familiesHash(),
		StoreKey: k.store.Key().Uint64(), NamesKey: k.names.key.Uint64(),
	}
	if k.sharedSeries != nil {
		d.SharedKey = k.sharedSeries.key.Uint64()
	}
	return d
}

func (k *kind) familiesHash() uint64 {
	h := xxhash.New()
	for _, f := range families(k.Renderer) {
		for _, part := range [][]byte{[]byte(f.Name), f.TextHeader, f.OpenMetricsHeader} {
			_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(part))))
			_, _ = h.Write(part)
		}
	}
	return h.Sum64()
}

// all returns a copy of the names.
func (n *names) all() map[uint64]store.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.byHash)
}

// changesSince returns the names that another object has now, or that no object had before.
func (n *names) changesSince(before map[uint64]store.ID) map[uint64]store.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	changes := map[uint64]store.ID{}
	for hash, id := range n.byHash {
		if before[hash] != id {
			changes[hash] = id
		}
	}
	return changes
}

func encodeNames(names map[uint64]store.ID) []byte {
	dst := make([]byte, 0, len(names)*(8+len(store.ID{})))
	for hash, id := range names {
		dst = append(binary.LittleEndian.AppendUint64(dst, hash), id[:]...)
	}
	return dst
}

// encode encodes the series of each object: those that it owns, and those that are left out of it.
func (s *sharedSeries) encode() (dst []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind, objects := range [...]map[store.ID][]uint64{s.owned, s.leftOut} {
		for id, hashes := range objects {
			if kind == 0 { // others may have claimed series of a removed object
				hashes = slices.DeleteFunc(slices.Clone(hashes), func(h uint64) bool { return s.owners[h] != id })
			}
			dst = append(append(dst, byte(kind)), id[:]...)
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(hashes)))
			for _, h := range hashes {
				dst = binary.LittleEndian.AppendUint64(dst, h)
			}
		}
	}
	return dst
}

// encode encodes the truncated objects.
func (t *truncated) encode() (dst []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.objects {
		dst = append(dst, id[:]...)
	}
	return dst
}
