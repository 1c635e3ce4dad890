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

// watcher serves one watch. It reads the resource's event log and holds no
// queue of its own: one that falls behind the log is ended, and its client
// starts again from the resourceVersion it has seen.
type watcher struct {
	storage   *storage
	selected  selector
	options   metainternalversion.ListOptions
	response  *response
	bookmarks time.Duration // between two bookmarks
	version   uint64        // resourceVersion up to which the client has seen all events

	objects, frames runtime.Encoder
	buffer          bytes.Buffer // of an object
	stream          io.Writer    // of frames
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
	lasts := w.timeout()
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	e := w.response.encoding
	w.objects, w.frames = withAllocator(e.Serializer), withAllocator(e.StreamSerializer.Serializer)
	w.stream = e.StreamSerializer.NewFrameWriter(w.response)
	w.response.head(http.StatusOK, e.streamType())
	if err := w.start(wanted); err != nil {
		return errors.Join(w.encode(watch.Error, asStatus(err)), w.response.push())
	}
	if err := w.response.push(); err != nil {
		return err
	}
	return w.follow(ctx, closing, lasts)
}

// timeout is timeoutSeconds, or between 30 and 60 minutes.
func (w *watcher) timeout() time.Duration {
	if s := w.options.TimeoutSeconds; s != nil && *s > 0 {
		return time.Duration(*s) * time.Second
	}
	const shortest = 30 * time.Minute
	return shortest + rand.N(shortest)
}

// start sends the initial state if the client asks for it, and finds the
// resourceVersion from which events follow.
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

// lastBookmark is how long before its end a watch gets a bookmark.
const lastBookmark = 2 * time.Second

// follow sends events as they come. lasts is how long the watch may last.
func (w *watcher) follow(ctx context.Context, closing <-chan struct{}, lasts time.Duration) error {
	more := make(chan struct{})
	close(more)
	var tick, last <-chan time.Time
	if w.options.AllowWatchBookmarks {
		ticker := time.NewTicker(w.bookmarks)
		defer ticker.Stop()
		tick = ticker.C
		if lasts > lastBookmark {
			timer := time.NewTimer(lasts - lastBookmark)
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
		case <-last:
			if err := w.periodicBookmark(); err != nil {
				return err
			}
		case <-changed:
		}
	}
}

func (w *watcher) sendBatch(events []event) error {
	for _, e := range events {
		typ, o, err := w.view(e)
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

// view is an event as the selector shows it: an object that comes to match is
// added, one that ceases to is deleted, in its last matching state.
func (w *watcher) view(e event) (watch.EventType, *object, error) {
	now := e.kind != watch.Deleted && w.selected.matches(e.object)
	before := e.previous != nil && w.selected.matches(e.previous)
	switch {
	case now && before:
		return watch.Modified, e.object, nil
	case now:
		return watch.Added, e.object, nil
	case !before:
		return "", nil, nil
	case e.kind == watch.Deleted:
		return watch.Deleted, e.object, nil
	}
	last, err := e.previous.atVersion(e.object.resourceVersion)
	return watch.Deleted, last, err
}

func (w *watcher) send(typ watch.EventType, o *object) error {
	shown, err := w.response.encoding.show(o)
	if err != nil {
		return err
	}
	w.response.count(Traffic{Events: 1})
	return w.encode(typ, shown)
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

// withAllocator has the protobuf serializers reuse their buffer.
func withAllocator(e runtime.Encoder) runtime.Encoder {
	if e, ok := e.(runtime.EncoderWithAllocator); ok {
		return runtime.NewEncoderWithAllocator(e, &runtime.Allocator{})
	}
	return e
}

// periodicBookmark tells the present resourceVersion to a client that has seen
// all events up to it.
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
