package simulator

import (
	"sort"
	"sync"

	"k8s.io/apimachinery/pkg/watch"
)

// event is one change of one object. Watchers of all clients share it.
type event struct {
	kind     watch.EventType // for a watcher that selects everything
	object   *object         // the new state; the last one when deleted
	previous *object         // nil when the object is new

	once     sync.Once
	jsonForm []byte
	jsonErr  error
}

// json is the event's object in JSON, made for the first watcher that asks.
func (e *event) json(kind Kind) ([]byte, error) {
	e.once.Do(func() { e.jsonForm, e.jsonErr = e.object.json(kind) })
	return e.jsonForm, e.jsonErr
}

// size is what the event alone keeps in memory, not the state that is in the
// store as well.
func (e *event) size() int {
	size := 256
	if e.previous != nil {
		size += len(e.previous.raw)
	}
	if e.kind == watch.Deleted {
		size += len(e.object.raw)
	}
	return size
}

// eventLog holds the latest events of one resource, bounded in number and in
// bytes. Positions count the events ever appended.
type eventLog struct {
	maxEvents, maxBytes int

	events    []*event
	first     uint64 // position of events[0]
	bytes     int
	compacted uint64 // resourceVersion of the latest event dropped
}

func (l *eventLog) append(e *event) {
	l.events = append(l.events, e)
	l.bytes += e.size()
	l.trim()
}

// trim drops what is beyond the bounds.
func (l *eventLog) trim() {
	for len(l.events) > l.maxEvents || l.bytes > l.maxBytes {
		l.drop()
	}
}

func (l *eventLog) drop() {
	oldest := l.events[0]
	l.bytes -= oldest.size()
	l.compacted = oldest.object.resourceVersion
	l.events[0] = nil // so that the backing array does not hold it
	l.events = l.events[1:]
	l.first++
}

func (l *eventLog) end() uint64 { return l.first + uint64(len(l.events)) }

// latest is the resourceVersion of the last change.
func (l *eventLog) latest() uint64 {
	if len(l.events) == 0 {
		return l.compacted
	}
	return l.events[len(l.events)-1].object.resourceVersion
}

// position is where to read on after resourceVersion; ok is false when events
// after it are no longer held.
func (l *eventLog) position(resourceVersion uint64) (pos uint64, ok bool) {
	if resourceVersion < l.compacted {
		return 0, false
	}
	i := sort.Search(len(l.events), func(i int) bool { return l.events[i].object.resourceVersion > resourceVersion })
	return l.first + uint64(i), true
}

// after copies up to limit events from pos on; ok is false when the log no
// longer reaches back to pos.
func (l *eventLog) after(pos uint64, limit int) (events []*event, ok bool) {
	if pos < l.first {
		return nil, false
	}
	rest := l.events[pos-l.first:]
	rest = rest[:min(limit, len(rest))]
	return append(events, rest...), true
}
