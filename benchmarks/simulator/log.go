package simulator

import (
	"slices"
	"sort"
	"sync"

	"k8s.io/apimachinery/pkg/watch"
)

// event is one change of one object. Watchers of all clients share it.
type event struct {
	typ      watch.EventType // for a watcher that selects everything
	object   *object         // the new state; the last one if the object was deleted
	previous *object         // nil if the object is new
}

// size returns the bytes that only the event keeps in memory: without the current
// state, which the storage has as well.
func (e event) size() int {
	size := 256
	if e.previous != nil {
		size += len(e.previous.raw)
	}
	if e.typ == watch.Deleted {
		size += len(e.object.raw)
	}
	return size
}

const defaultLogBytes = 64 << 20

// eventLog holds the latest events of one resource, bounded in number and in
// bytes. The resourceVersions of its events increase. Safe for concurrent use.
type eventLog struct {
	mu                  sync.Mutex
	maxEvents, maxBytes int
	events              []event
	bytes               int
	dropped             uint64        // resourceVersion of the last event that was dropped
	compacted           uint64        // the lowest resourceVersion from which a watch can start
	changed             chan struct{} // closed at the next event
}

func newEventLog(maxEvents int) *eventLog {
	return &eventLog{maxEvents: maxEvents, maxBytes: defaultLogBytes, changed: make(chan struct{})}
}

// append adds an event. It returns the resourceVersion up to which the log is compacted.
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

// trim drops the oldest events until the log is within the limits. The caller must hold mu.
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

// compact drops all events. Watches can start from resourceVersion on.
func (l *eventLog) compact(resourceVersion uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(0, 0)
	l.compacted = resourceVersion
}

// bounds returns the resourceVersion up to which the log is compacted, and that of
// the last event, even if it was dropped.
func (l *eventLog) bounds() (compacted, latest uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		return l.compacted, l.dropped
	}
	return l.compacted, l.events[len(l.events)-1].object.resourceVersion
}

// after returns up to limit events after a resourceVersion, and a channel that is
// closed at the next event. ok is false if the log has dropped such events.
func (l *eventLog) after(version uint64, limit int) (events []event, changed <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := sort.Search(len(l.events), func(i int) bool { return l.events[i].object.resourceVersion > version })
	rest := l.events[from:]
	return slices.Clone(rest[:min(limit, len(rest))]), l.changed, version >= l.dropped
}
