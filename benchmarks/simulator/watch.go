package simulator

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// watcher serves one watch. It reads the resource's event log and holds no
// queue of its own: one that falls behind the log is ended, and its client
// starts again from the resourceVersion it has seen.
type watcher struct {
	collection *collection
	selected   selector
	options    metainternalversion.ListOptions
	answer     *answer
	bookmarks  time.Duration // between two bookmarks
	pos        uint64        // in the event log
}

// watchBatch is how many events a watcher takes from the log at a time.
const watchBatch = 256

// run serves until the client, the timeout or the server ends it. An error is
// for a client that has not been answered yet; later ones, "410 Gone" among
// them, are sent as ERROR events like a kube-apiserver's.
func (w *watcher) run(ctx context.Context, closing <-chan struct{}) error {
	wanted, err := parseVersion(w.options.ResourceVersion)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout())
	defer cancel()
	w.answer.head(http.StatusOK, w.answer.form.streamType())
	if err := w.start(wanted); err != nil {
		if err := w.answer.form.writeMessageEvent(w.answer.Writer, watch.Error, statusKind(), asStatus(err)); err != nil {
			return err
		}
		return w.answer.push()
	}
	if err := w.answer.push(); err != nil {
		return err
	}
	return w.follow(ctx, closing)
}

// timeout is timeoutSeconds, or between 30 and 60 minutes.
func (w *watcher) timeout() time.Duration {
	if s := w.options.TimeoutSeconds; s != nil && *s > 0 {
		return time.Duration(*s) * time.Second
	}
	const shortest = 30 * time.Minute
	return shortest + rand.N(shortest)
}

// start sends the initial state if it is asked for and finds the place in the
// event log.
func (w *watcher) start(wanted uint64) error {
	initial := w.options.SendInitialEvents
	switch {
	case initial != nil && *initial, initial == nil && wanted == 0:
		return w.sendState(wanted)
	case wanted == 0:
		_, w.pos = w.collection.end()
		return nil
	}
	if current, _ := w.collection.end(); wanted > current {
		return tooLargeVersion(wanted, current)
	}
	pos, compacted, ok := w.collection.position(wanted)
	if !ok {
		return tooOldVersion(wanted, compacted)
	}
	w.pos = pos
	return nil
}

func (w *watcher) sendState(wanted uint64) error {
	items, version, pos := w.collection.state()
	if wanted > version {
		return tooLargeVersion(wanted, version)
	}
	w.pos = pos
	for _, o := range items.in(w.selected.namespace) {
		if !w.selected.matches(o) {
			continue
		}
		if err := w.send(watch.Added, &event{object: o}); err != nil {
			return err
		}
	}
	if initial := w.options.SendInitialEvents; initial == nil || !w.options.AllowWatchBookmarks {
		return nil
	}
	return w.bookmark(version, map[string]string{metav1.InitialEventsAnnotationKey: "true"})
}

// follow sends events as they come.
func (w *watcher) follow(ctx context.Context, closing <-chan struct{}) error {
	more := make(chan struct{})
	close(more)
	var tick <-chan time.Time
	if w.options.AllowWatchBookmarks {
		ticker := time.NewTicker(w.bookmarks)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		events, changed, ok := w.collection.after(w.pos, watchBatch)
		if !ok {
			return nil
		}
		if len(events) > 0 {
			if err := w.sendBatch(events); err != nil {
				return err
			}
			changed = more // look again, but let the other cases have their turn
		}
		select {
		case <-ctx.Done():
			return nil
		case <-closing:
			return nil
		case <-tick:
			if err := w.periodicBookmark(); err != nil {
				return err
			}
		case <-changed:
		}
	}
}

func (w *watcher) sendBatch(events []*event) error {
	for _, e := range events {
		typ, e, err := w.view(e)
		if err != nil {
			return err
		}
		if typ == "" {
			continue
		}
		if err := w.send(typ, e); err != nil {
			return err
		}
	}
	w.pos += uint64(len(events))
	return w.answer.push()
}

// view is how an event looks through the selector: an object that comes to
// match is added, one that ceases to is deleted, in its last matching state.
func (w *watcher) view(e *event) (watch.EventType, *event, error) {
	now := e.kind != watch.Deleted && w.selected.matches(e.object)
	before := e.previous != nil && w.selected.matches(e.previous)
	switch {
	case now && before:
		return watch.Modified, e, nil
	case now:
		return watch.Added, e, nil
	case !before:
		return "", nil, nil
	case e.kind == watch.Deleted:
		return watch.Deleted, e, nil
	}
	obj, err := e.previous.decode(w.collection.kind)
	if err != nil {
		return "", nil, err
	}
	obj.SetResourceVersion(formatVersion(e.object.resourceVersion))
	last, err := encodeObject(obj, e.object.resourceVersion)
	return watch.Deleted, &event{object: last}, err
}

func (w *watcher) send(typ watch.EventType, e *event) error {
	w.answer.counts.each(func(c *counters) { c.events.Add(1) })
	return w.answer.form.writeEvent(w.answer.Writer, w.collection.kind, typ, e)
}

// periodicBookmark tells how far the client has come, if it has seen all.
func (w *watcher) periodicBookmark() error {
	version, end := w.collection.end()
	if end != w.pos {
		return nil
	}
	if err := w.bookmark(version, nil); err != nil {
		return err
	}
	return w.answer.push()
}

func (w *watcher) bookmark(version uint64, annotations map[string]string) error {
	obj, err := w.collection.kind.New()
	if err != nil {
		return err
	}
	obj.SetResourceVersion(formatVersion(version))
	obj.SetAnnotations(annotations)
	w.answer.counts.each(func(c *counters) { c.events.Add(1) })
	return w.answer.form.writeMessageEvent(w.answer.Writer, watch.Bookmark, w.collection.kind.GroupVersionKind, obj)
}
