package simulator

import (
	"slices"
	"sort"
	"sync"

	"k8s.io/apimachinery/pkg/watch"
)

// event is one change of one object. Watchers of all clients share it.
type event struct {
	kind     watch.EventType // for a watcher that selects everything
	object   *object         // the new state; the last one when deleted
	previous *object         // nil when the object is new
}

// size is the memory of the event alone, without the state that the storage has.
func (e event) size() int {
	size := 256
	if e.previous != nil {
		size += len(e.previous.raw)
	}
	if e.kind == watch.Deleted {
		size += len(e.object.raw)
	}
	return size
}

const defaultLogBytes = 64 << 20

// eventLog holds the latest events of one resource, bounded in number and in
// bytes. The resourceVersions of its events rise. Safe for concurrent use.
type eventLog struct {
	mu                  sync.Mutex
	maxEvents, maxBytes int
	events              []event
	bytes               int
	dropped             uint64        // resourceVersion of the latest event that has been dropped
	compacted           uint64        // resourceVersion before which no watch can start
	changed             chan struct{} // closed at the next event
}

func newEventLog(maxEvents int) *eventLog {
	return &eventLog{maxEvents: maxEvents, maxBytes: defaultLogBytes, changed: make(chan struct{})}
}

// append returns the resourceVersion up to which the log is compacted.
func (l *eventLog) append(e event) (compacted uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	l.bytes += e.size()
	l.trim(l.maxEvents, l.maxBytes)
	close(l.changed)
	l.changed = make(chan struct{})
	return l.compacted
}

func (l *eventLog) setMaxBytes(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.maxBytes = bytes
	l.trim(l.maxEvents, l.maxBytes)
}

// trim drops the oldest events until the log is within the bounds.
func (l *eventLog) trim(maxEvents, maxBytes int) {
	for len(l.events) > maxEvents || l.bytes > maxBytes {
		oldest := l.events[0]
		l.bytes -= oldest.size()
		l.dropped = oldest.object.resourceVersion
		l.compacted = max(l.compacted, l.dropped)
		l.events[0] = event{} // so that the backing array does not keep its objects
		l.events = l.events[1:]
	}
}

// compact forgets all events. Watches can start from resourceVersion on.
func (l *eventLog) compact(resourceVersion uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(0, 0)
	l.compacted = resourceVersion
}

// bounds are the resourceVersions up to which the log is compacted, and of the
// last event.
func (l *eventLog) bounds() (compacted, latest uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		return l.compacted, l.dropped
	}
	return l.compacted, l.events[len(l.events)-1].object.resourceVersion
}

// after copies up to limit events after a resourceVersion, with a channel that
// closes at the next event. ok is false when the log has dropped such events.
func (l *eventLog) after(version uint64, limit int) (events []event, changed <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := sort.Search(len(l.events), func(i int) bool { return l.events[i].object.resourceVersion > version })
	rest := l.events[from:]
	return slices.Clone(rest[:min(limit, len(rest))]), l.changed, version >= l.dropped
}
