package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/json"

	"github.com/statefleet/statefleet/internal/wire"
)

// progressAfter is how many frames in a row may be taken or skipped before the
// reflector is told how far the watch has come: it is another goroutine, and to
// wake it for each is dear. Bookmarks do that too, about once a minute, and so
// does the end of the watch, so that the next one misses nothing and repeats nothing.
const progressAfter = 1000

// stream reads the frames of one watch.
type stream struct {
	source *Source
	cancel context.CancelFunc
	open   atomic.Pointer[frames] // nil once Close was called
	closed atomic.Bool

	ctx      context.Context // ends with Close
	replaced <-chan struct{} // closed when the list that was streamed is in the Sink; see bookmark

	release func() // ends what is noted of the stream with the Client; guarded by source.mu

	initial bool      // the initial events of a streamed list are still coming
	silence *silence  // of that list; nil where there is none
	listed  []*Handle // what of them the Sink has taken
	skipped int       // frames since the reflector last heard of us
	version []byte    // of the last of them
	ended   error     // what the watch ended with, once the reflector knows of all frames
	filter  *filtering
}

// Decode returns the next event that the reflector has to hear of: how far the
// watch has come, and how it ends. Objects go to the Sink only.
func (d *stream) Decode() (apiwatch.EventType, runtime.Object, error) {
	if d.replaced != nil {
		select {
		case <-d.replaced:
		case <-d.ctx.Done():
		}
		d.replaced = nil
	}
	if d.ended != nil {
		return "", nil, d.ended
	}
	open := d.open.Load()
	if open == nil {
		return "", nil, io.EOF
	}
	if !d.initial && d.source.relistDue() {
		return d.relist(errUnreadableFrame)
	}
	for {
		ev, err := open.events.Next()
		if skips(ev, err) {
			d.source.skipFrame(err, d.initial)
			continue
		}
		if err != nil && d.source.relistDue() {
			return d.relist(errUnreadableFrame)
		}
		if err != nil {
			return d.end(d.failed(err))
		}
		switch ev.Type {
		case string(apiwatch.Added), string(apiwatch.Modified), string(apiwatch.Deleted):
			ask, err := d.take(ev)
			if skips(ev, err) {
				d.source.skipFrame(err, d.initial)
				continue
			}
			if err != nil {
				return d.end(d.failed(err))
			}
			if ask && d.source.verifyFilter(d.ctx, d.filter.sent) != nil {
				return d.relist(errMismatch)
			}
			if d.skipped >= progressAfter && !d.initial {
				return d.progress()
			}
		case string(apiwatch.Bookmark):
			return d.bookmark(ev)
		case string(apiwatch.Error):
			return d.status(ev)
		default:
			// Garbled, more likely than new: types that were not asked for aren't sent.
			return d.end(d.failed(fmt.Errorf("watch event of unknown type %q", ev.Type)))
		}
	}
}

// end reports how far the watch has come, if the reflector does not know, and
// the end of the watch after that.
func (d *stream) end(err error) (apiwatch.EventType, runtime.Object, error) {
	if d.skipped == 0 || len(d.version) == 0 {
		return "", nil, err
	}
	d.ended = err
	return d.progress()
}

// progress tells the reflector how far the watch has come.
func (d *stream) progress() (apiwatch.EventType, runtime.Object, error) {
	d.skipped = 0
	return apiwatch.Bookmark, &Handle{ResourceVersion: string(d.version)}, nil
}

// at notes how far the watch has come. client-go takes the version of every
// event as that, and without one would watch from anywhere next time.
func (d *stream) at(version []byte) {
	if len(version) > 0 {
		d.version = append(d.version[:0], version...)
	}
}

// relist ends the watch so that the reflector lists everything, as if the watch had expired.
func (d *stream) relist(why error) (apiwatch.EventType, runtime.Object, error) {
	status := apierrors.NewResourceExpired(why.Error()).ErrStatus
	return apiwatch.Error, &status, nil
}

// take gives the event to the Sink if it is of an object to be held. It reports whether
// the API server is to be asked why it has sent it.
func (d *stream) take(ev wire.Event) (ask bool, err error) {
	s := d.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || d.closed.Load() {
		return false, io.EOF
	}
	to := s.Sink.Put
	if ev.Type == string(apiwatch.Deleted) {
		to = func(o Object) bool { s.Sink.Delete(o); return false }
	}
	meta, err := wire.ReadMeta(ev.Encoding, ev.Object)
	if err != nil {
		return false, fmt.Errorf("%w: %w", wire.ErrFrame, err)
	}
	h := hash(meta)
	taken := s.apply(to, s.Owned, meta, h, ev.Encoding, ev.Object)
	ask = d.filter.saw(meta, h)
	d.at(meta.ResourceVersion)
	d.skipped++
	if d.initial && taken {
		d.listed = append(d.listed, newHandle(meta))
	}
	return ask, nil
}

func (d *stream) bookmark(ev wire.Event) (apiwatch.EventType, runtime.Object, error) {
	meta, err := wire.ReadMeta(ev.Encoding, ev.Object)
	if err != nil {
		return "", nil, d.failed(err)
	}
	ends, err := wire.InitialEventsEnd(ev.Encoding, ev.Object)
	if err != nil {
		return "", nil, d.failed(err)
	}
	d.at(meta.ResourceVersion)
	if ends && d.initial { // a second one would wait for ever
		// What comes next must not reach the Sink before the list does: the list
		// does not name it, and would take it away again.
		d.initial, d.replaced = false, d.source.awaitReplace(d.listed, string(d.version))
		d.listed = nil
		d.calmDown()
		d.filter.listed()
	}
	d.skipped = 0
	h := newHandle(meta)
	h.ResourceVersion, h.initialEventsEnd = string(d.version), ends
	d.source.hear(h.ResourceVersion)
	return apiwatch.Bookmark, h, nil
}

// calmDown notes that the list is complete: from here events may gather.
func (d *stream) calmDown() {
	if d.silence != nil {
		d.silence.listed()
	}
	d.source.mu.Lock()
	defer d.source.mu.Unlock()
	d.release()
	if !d.closed.Load() {
		d.release = d.source.Client.watch()
	}
}

// status passes on what the server says went wrong with the watch.
func (d *stream) status(ev wire.Event) (apiwatch.EventType, runtime.Object, error) {
	status := &metav1.Status{}
	var err error
	if ev.Encoding == wire.Protobuf {
		err = status.Unmarshal(ev.Object)
	} else {
		err = json.UnmarshalCaseSensitivePreserveInts(ev.Object, status)
	}
	if err != nil {
		return "", nil, d.failed(fmt.Errorf("status of a failed watch: %w", err))
	}
	return apiwatch.Error, status, nil
}

// failed counts what is unreadable. The error ends the watch, and the reflector
// lists again: skipping the frame instead could lose a deletion for ever.
func (d *stream) failed(err error) error {
	if errors.Is(context.Cause(d.ctx), errFrameSilent) {
		d.source.counters.bad.Inc()
		d.source.logger.Info("a watch is ended and opened anew", "err", errFrameSilent)
		return io.EOF // the next watch goes on from the last frame that was complete
	}
	if d.closed.Load() || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return io.EOF
	}
	if errors.Is(err, errSilent) || errors.Is(err, wire.ErrForm) { // after silence the reflector lists without streaming
		d.source.state.answered(d.source.logger, "watch", err)
		return err
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		d.source.counters.bad.Inc()
	}
	return err
}

// Close ends the watch: once it has returned, nothing of it reaches the Sink.
func (d *stream) Close() {
	d.closed.Store(true)
	d.cancel()
	if open := d.open.Swap(nil); open != nil {
		_ = open.body.Close()
	}
	d.source.mu.Lock()
	defer d.source.mu.Unlock()
	d.release()
}
