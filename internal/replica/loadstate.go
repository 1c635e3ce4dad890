package replica

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/statefleet/statefleet/internal/savedstate"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// loadedKind is a kind of a saved state that is being read. Nothing of it is used before all of the
// state was read.
type loadedKind struct {
	savedKind
	kind      *kind // nil if the replica does not export it, or not in the same way
	buckets   []*store.SavedBucket
	names     map[uint64]store.ID
	later     map[uint64]store.ID // names that were taken later
	owned     map[store.ID][]uint64
	leftOut   map[store.ID][]uint64
	truncated map[store.ID]struct{}
	complete  bool
}

// loadState fills the empty stores with the state that an earlier process has saved, if there is one
// for these ranges or for more. The Reflectors that are started next resume from its versions. The
// objects are not served before each Reflector has caught up.
func (r *Replica) loadState(held shard.Ranges) {
	read := r.options.ReadState
	r.options.ReadState = nil
	if read == nil {
		return
	}
	var all []*loadedKind
	if !read(func(in *savedstate.Reader) (err error) {
		all, err = r.parseState(in, held)
		return err
	}) {
		return
	}
	objects := 0
	for _, l := range all {
		if l.kind == nil || !l.complete {
			continue
		}
		l.install()
		objects += l.kind.store.Stats().Objects
	}
	r.logger.Info("saved state was loaded; resuming from its versions", "objects", objects)
}

// install fills the kind, which has no objects yet and no Reflectors.
func (l *loadedKind) install() {
	k := l.kind
	k.store.Load(store.RestoreHashKey(l.StoreKey), l.buckets)
	k.restoreNames(store.RestoreHashKey(l.NamesKey), l.names, l.later)
	k.truncated.restore(l.truncated)
	if k.sharedSeries != nil {
		k.sharedSeries.restore(store.RestoreHashKey(l.SharedKey), l.owned, l.leftOut)
	}
	k.resume = l.Versions
	for source := range k.unconfirmed {
		k.unconfirmed[source] = true
	}
}

// restoreNames sets the names. Of two stored objects with one name, the one that has taken it later
// stays: the other one was deleted.
func (k *kind) restoreNames(key store.HashKey, names, later map[uint64]store.ID) {
	for hash, id := range later {
		if !k.store.Contains(id) {
			continue
		}
		if before, known := names[hash]; known && before != id {
			k.store.Delete(before)
		}
		names[hash] = id
	}
	k.names.mu.Lock()
	defer k.names.mu.Unlock()
	k.names.key, k.names.byHash = key, names
}

func (t *truncated) restore(objects map[store.ID]struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.objects = objects
}

// parseState reads a saved state. The error is ErrMismatch if it is for other ranges.
func (r *Replica) parseState(in *savedstate.Reader, held shard.Ranges) (all []*loadedKind, err error) {
	var ranges [][2]uint64
	frameType, payload, err := in.Next()
	if err == nil {
		err = decodeJSON(frameType, rangesFrame, payload, &ranges)
	}
	if err != nil {
		return nil, err
	}
	var saved shard.Ranges
	for _, is := range ranges {
		saved = append(saved, shard.Range{Start: is[0], End: is[1]})
	}
	if len(held.Difference(saved.Union(nil))) > 0 {
		return nil, fmt.Errorf("%w: other hash ranges", savedstate.ErrMismatch)
	}
	var l *loadedKind
	for {
		frameType, payload, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case l == nil || frameType == kindFrame:
			l = &loadedKind{names: map[uint64]store.ID{}}
			if err := decodeJSON(frameType, kindFrame, payload, &l.savedKind); err != nil {
				return nil, err
			}
			l.kind = r.matchingKind(&l.savedKind)
			all = append(all, l)
		case l.kind != nil:
			if err := l.parseFrame(frameType, payload); err != nil {
				return nil, fmt.Errorf("%s: %w", l.Name, err)
			}
		}
	}
}

func decodeJSON(frameType, want byte, payload []byte, into any) error {
	if frameType != want {
		return fmt.Errorf("frame of type %d, want %d", frameType, want)
	}
	return json.Unmarshal(payload, into)
}

// matchingKind returns the kind of the replica that has the same text as a saved one, or nil.
func (r *Replica) matchingKind(saved *savedKind) *kind {
	all := r.current()
	i := slices.IndexFunc(all, func(k *kind) bool { return k.Name == saved.Name })
	if i < 0 {
		return nil
	}
	k := all[i]
	var namespaces []string
	if k.Namespaced && r.namespaceSet != nil {
		namespaces, _ = r.namespaceSet.list()
	}
	if k.Resource.String() != saved.Resource || k.familiesHash() != saved.Families || !k.savable() ||
		len(k.scopes) != len(saved.Versions) || !slices.Equal(namespaces, saved.Namespaces) {
		return nil
	}
	return k
}

// parseFrame reads a frame of a kind that matches.
func (l *loadedKind) parseFrame(frameType byte, payload []byte) error {
	d := decoder{data: payload}
	switch frameType {
	case bucketFrame:
		b, err := l.kind.store.ParseBucket(payload)
		l.buckets = append(l.buckets, b)
		return err
	case namesFrame:
		l.names = d.names()
	case laterNamesFrame:
		l.later = d.names()
	case sharedFrame:
		l.owned, l.leftOut = map[store.ID][]uint64{}, map[store.ID][]uint64{}
		for len(d.data) > 0 {
			into := l.owned
			if d.next(1)[0] != 0 {
				into = l.leftOut
			}
			id, hashes := d.id(), []uint64(nil)
			for n := d.uint32(); n > 0 && len(d.data) > 0; n-- {
				hashes = append(hashes, d.uint64())
			}
			into[id] = hashes
		}
	case truncatedFrame:
		l.truncated = map[store.ID]struct{}{}
		for len(d.data) > 0 {
			l.truncated[d.id()] = struct{}{}
		}
	case kindEndFrame:
		var end savedKindEnd
		err := json.Unmarshal(payload, &end)
		l.complete = end.Complete
		return err
	default:
		return fmt.Errorf("frame of unknown type %d", frameType)
	}
	if d.short {
		return fmt.Errorf("frame of type %d ends too early", frameType)
	}
	return nil
}

// restore sets the series of an empty sharedSeries.
func (s *sharedSeries) restore(key store.HashKey, owned, leftOut map[store.ID][]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key, s.owned, s.leftOut, s.owners = key, owned, leftOut, map[uint64]store.ID{}
	for id, hashes := range owned {
		for _, h := range hashes {
			s.owners[h] = id
		}
	}
	for _, hashes := range leftOut {
		s.total += len(hashes)
	}
}

// decoder decodes fixed-size values. Values past the end are zero, and set short.
type decoder struct {
	data  []byte
	short bool
}

func (d *decoder) next(n int) []byte {
	if n > len(d.data) {
		d.data, d.short = nil, true
		return make([]byte, n)
	}
	part := d.data[:n]
	d.data = d.data[n:]
	return part
}

func (d *decoder) uint64() uint64   { return binary.LittleEndian.Uint64(d.next(8)) }
func (d *decoder) uint32() uint32   { return binary.LittleEndian.Uint32(d.next(4)) }
func (d *decoder) id() (i store.ID) { copy(i[:], d.next(len(i))); return i }

func (d *decoder) names() map[uint64]store.ID {
	names := make(map[uint64]store.ID, len(d.data)/(8+len(store.ID{})))
	for len(d.data) > 0 {
		hash := d.uint64()
		names[hash] = d.id()
	}
	return names
}

// resume returns how the Reflector of the handler continues with the objects of an earlier process; nil
// if everything has to be listed.
func (h *handler) resume() *watch.Resume {
	k := h.kind
	if k.resume == nil || k.resume[h.source] == "" {
		return nil
	}
	return &watch.Resume{
		Version:  k.resume[h.source],
		CaughtUp: func(version string) { h.completedAt(watch.ParseVersion(version)) },
	}
}

// discard drops the objects of the handler's Reflector that no complete list includes. Others stay when
// the API server refuses the resource.
func (h *handler) discard() {
	k := h.kind
	if k.unconfirmed[h.source] {
		k.unconfirmed[h.source] = false
		k.store.Retain(h.source, 0, func(func(store.ID) bool) {})
	}
}
