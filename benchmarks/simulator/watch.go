package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// watcher serves one watch. It reads the resource's event log and has no queue of
// its own. If it falls behind the log, the watch is closed, and the client starts
// again from the last resourceVersion that it has seen.
type watcher struct {
	storage   *storage
	selected  selector
	options   metainternalversion.ListOptions
	response  *response
	bookmarks time.Duration // between two bookmarks
	version   uint64        // resourceVersion up to which the client has seen all events

	objects, frames runtime.Encoder
	buffer          bytes.Buffer // one encoded object
	stream          io.Writer    // destination of the frames
}

// watchBatch is the maximum number of events that a watcher reads from the log at a time.
const watchBatch = 256

// run serves the watch until the client, the timeout or the server ends it. Before
// the response begins, it returns errors for the caller to answer with. Later ones,
// such as "410 Gone", it sends as ERROR events, as a kube-apiserver does.
func (w *watcher) run(ctx context.Context, closing <-chan struct{}) error {
	wanted, err := parseVersion(w.options.ResourceVersion)
	if err != nil {
		return err
	}
	timeout := w.timeout()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	e := w.response.encoding
	w.objects, w.frames = withAllocator(e.Serializer), withAllocator(e.StreamSerializer.Serializer)
	w.stream = e.StreamSerializer.NewFrameWriter(w.response)
	w.response.writeHeader(http.StatusOK, e.streamType())
	if err := w.start(wanted); err != nil {
		return errors.Join(w.encode(watch.Error, asStatus(err)), w.response.push())
	}
	if err := w.response.push(); err != nil {
		return err
	}
	return w.follow(ctx, closing, timeout)
}

// timeout returns timeoutSeconds if it is set, or else a random duration of 30 to 60 minutes.
func (w *watcher) timeout() time.Duration {
	if s := w.options.TimeoutSeconds; s != nil && *s > 0 {
		return time.Duration(*s) * time.Second
	}
	const shortest = 30 * time.Minute
	return shortest + rand.N(shortest)
}

// start sends the initial state if the client asks for it, and sets the
// resourceVersion after which events follow.
func (w *watcher) start(wanted uint64) error {
	state := w.storage.state()
	w.version = wanted
	compacted, _ := w.storage.log.bounds()
	initial := w.options.SendInitialEvents
	switch {
	case wanted > state.resourceVersion:
		return tooLargeVersion(wanted, state.resourceVersion)
	case initial != nil && *initial, initial == nil && wanted == 0:
		return w.sendState(state)
	case wanted == 0:
		w.version = state.resourceVersion
	case wanted < compacted:
		return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", wanted, compacted))
	}
	return nil
}

func (w *watcher) sendState(state snapshot) error {
	w.version = state.resourceVersion
	objects, _ := w.selected.page(state, objectKey{}, 0)
	for _, o := range objects {
		if err := w.send(watch.Added, o); err != nil {
			return err
		}
	}
	if initial := w.options.SendInitialEvents; initial == nil || !w.options.AllowWatchBookmarks {
		return nil
	}
	return w.bookmark(state.resourceVersion, map[string]string{metav1.InitialEventsAnnotationKey: "true"})
}

// finalBookmarkLead is how long before its end a watch sends a final bookmark.
const finalBookmarkLead = 2 * time.Second

// follow sends events as they occur. timeout is the duration of the watch, which ctx
// enforces.
func (w *watcher) follow(ctx context.Context, closing <-chan struct{}, timeout time.Duration) error {
	ready := make(chan struct{})
	close(ready)
	var tick, last <-chan time.Time
	if w.options.AllowWatchBookmarks {
		ticker := time.NewTicker(w.bookmarks)
		defer ticker.Stop()
		tick = ticker.C
		if timeout > finalBookmarkLead {
			timer := time.NewTimer(timeout - finalBookmarkLead)
			defer timer.Stop()
			last = timer.C
		}
	}
	for {
		events, changed, ok := w.storage.log.after(w.version, watchBatch)
		if !ok {
			return nil
		}
		if len(events) > 0 {
			if err := w.sendBatch(events); err != nil {
				return err
			}
			changed = ready // read again at once, but give the other cases a chance
		}
		select {
		case <-ctx.Done():
			return nil
		case <-closing:
			return nil
		case <-changed:
			continue
		case <-tick:
		case <-last:
		}
		if err := w.periodicBookmark(); err != nil {
			return err
		}
	}
}

func (w *watcher) sendBatch(events []event) error {
	for _, e := range events {
		typ, o, err := w.filter(e)
		if err == nil && typ != "" {
			err = w.send(typ, o)
		}
		if err != nil {
			return err
		}
		w.version = e.object.resourceVersion
	}
	return w.response.push()
}

// filter converts an event to the one that the selector requires. An object that
// begins to match is added. An object that ceases to match is deleted, in its last
// matching state. The type is empty if there is nothing to send.
func (w *watcher) filter(e event) (watch.EventType, *object, error) {
	now := e.typ != watch.Deleted && w.selected.matches(e.object)
	before := e.previous != nil && w.selected.matches(e.previous)
	switch {
	case now && before:
		return watch.Modified, e.object, nil
	case now:
		return watch.Added, e.object, nil
	case !before:
		return "", nil, nil
	case e.typ == watch.Deleted:
		return watch.Deleted, e.object, nil
	}
	last, err := e.previous.atVersion(e.object.resourceVersion)
	return watch.Deleted, last, err
}

func (w *watcher) send(typ watch.EventType, o *object) error {
	converted, err := w.response.encoding.convert(o)
	if err != nil {
		return err
	}
	w.response.traffic.Events.Add(1)
	return w.encode(typ, converted)
}

// encode writes a frame: a WatchEvent around the encoded object.
func (w *watcher) encode(typ watch.EventType, obj runtime.Object) error {
	w.buffer.Reset()
	if err := w.objects.Encode(obj, &w.buffer); err != nil {
		return err
	}
	frame := &metav1.WatchEvent{Type: string(typ), Object: runtime.RawExtension{Raw: w.buffer.Bytes()}}
	return w.frames.Encode(frame, w.stream)
}

// withAllocator makes a protobuf serializer reuse its buffer.
func withAllocator(e runtime.Encoder) runtime.Encoder {
	if e, ok := e.(runtime.EncoderWithAllocator); ok {
		return runtime.NewEncoderWithAllocator(e, &runtime.Allocator{})
	}
	return e
}

// periodicBookmark sends the current resourceVersion, if the client has seen all
// events up to it.
func (w *watcher) periodicBookmark() error {
	state := w.storage.state()
	if _, latest := w.storage.log.bounds(); latest > w.version {
		return nil
	}
	if err := w.bookmark(state.resourceVersion, nil); err != nil {
		return err
	}
	return w.response.push()
}

func (w *watcher) bookmark(version uint64, annotations map[string]string) error {
	obj, err := w.storage.kind.New()
	if err != nil {
		return err
	}
	obj.SetAnnotations(annotations)
	mark, err := encodeObject(w.storage.kind, obj, version)
	if err != nil {
		return err
	}
	return w.send(watch.Bookmark, mark)
}
