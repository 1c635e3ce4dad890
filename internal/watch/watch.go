package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/json"

	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/internal/wire"
)

// minWatch is the shortest requested duration of a watch. Up to as much is added at random, so that
// the watches of a fleet do not end together.
const minWatch = 5 * time.Minute

// watch opens a watch and passes its events on until it ends. A watch that sends initial events is
// a list; complete reports whether all of them were received. The error is nil if the watch has
// ended normally. A streamed list is followed by one in pages, which records the error, unless the
// API server has too many requests.
func (r *Reflector) watch(ctx context.Context, o metav1.ListOptions) (complete bool, err error) {
	if o.TimeoutSeconds == nil {
		o.TimeoutSeconds = new(int64(wait.Jitter(r.minWatch, 1).Seconds()))
	}
	o.Watch, o.AllowWatchBookmarks, o.ShardSelector = true, true, r.Selector()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(*o.TimeoutSeconds)*time.Second+r.IdleTimeout)
	defer cancel()
	streamed := o.SendInitialEvents != nil
	resp, err := r.open(ctx, o, r.Form.Accept(true))
	r.counters.watched(err)
	if err != nil {
		if !streamed || apierrors.IsTooManyRequests(err) {
			r.recordResult("watch", err)
		}
		if !streamed && needsList(err) {
			r.requireList()
			return false, nil
		}
		return false, err
	}
	defer resp.close()
	r.status.opened()
	s := &stream{r: r, ctx: ctx, resp: resp, initial: streamed, detector: sharding.NewDetector(resp.sent, r.counters.sharded)}
	r.opening(s, cancel, o.ResourceVersion)
	err = s.read()
	if !s.initial || apierrors.IsTooManyRequests(err) {
		// API servers report most errors in the stream, after they have answered with 200. These count
		// as another watch, which has failed.
		if err != nil {
			r.counters.watched(err)
		}
		r.recordResult("watch", err)
	}
	return !s.initial, err
}

// needsList reports whether a watch cannot continue from its version. It is opened again if the API
// server, or a gateway before it, is unavailable or overloaded, or does not know the token at the
// moment, as while keys are exchanged. An API server also answers 504 when a version does not exist
// yet, and names this cause.
func needsList(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status().Code {
	case http.StatusUnauthorized, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable:
		return false
	case http.StatusGatewayTimeout:
		return apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
	}
	return true
}

// stream reads the events of one watch.
type stream struct {
	r        *Reflector
	ctx      context.Context
	resp     *response
	initial  bool        // the stream is still sending the initial events of a list
	refs     []ObjectRef // initial objects that the Handler has accepted
	detector *sharding.Detector
}

// read passes events on until the watch ends.
func (s *stream) read() error {
	frames := s.r.Form.NewEventReader(s.resp)
	for {
		event, err := frames.Next()
		if err == nil {
			err = s.handle(event)
		}
		switch {
		case err == nil:
		case isBadFrame(event, err):
			s.r.skipFrame(err, s.initial)
		default:
			return s.ended(err)
		}
	}
}

func (s *stream) handle(event wire.Event) error {
	switch apiwatch.EventType(event.Type) {
	case apiwatch.Added, apiwatch.Modified, apiwatch.Deleted:
		return s.handleObject(event)
	case apiwatch.Bookmark:
		return s.handleBookmark(event)
	case apiwatch.Error:
		return statusError(event)
	}
	return fmt.Errorf("watch event of unknown type %q", event.Type)
}

// handleObject passes an object to the Handler if it is owned.
func (s *stream) handleObject(event wire.Event) error {
	object, err := newObject(event.Encoding, event.Object)
	if err != nil {
		return fmt.Errorf("%w: %w", wire.ErrFrame, err)
	}
	s.deliver(event.Type, object)
	if s.detector.Observe(object.UID, object.Hash) {
		return s.r.verifyFilter(s.ctx, s.resp.sent)
	}
	return nil
}

// deliver passes an event to the Handler, and then moves the version. Initial events do not move it:
// they may be as old as the objects, and the list may break off.
func (s *stream) deliver(eventType string, object Object) {
	r := s.r
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.owns(object):
	case eventType == string(apiwatch.Deleted):
		r.Handler.Delete(object)
	case r.Handler.Put(object) && s.initial:
		s.refs = append(s.refs, newObjectRef(object.Meta))
	}
	if !s.initial {
		r.moveTo(object.ResourceVersion)
	}
}

func (s *stream) handleBookmark(event wire.Event) error {
	meta, err := wire.ReadMeta(event.Encoding, event.Object)
	if err != nil {
		return err
	}
	ends, err := wire.InitialEventsEnd(event.Encoding, event.Object)
	if err != nil {
		return err
	}
	switch {
	case !s.initial:
		s.r.mu.Lock()
		defer s.r.mu.Unlock()
		s.r.moveTo(meta.ResourceVersion)
		s.r.observe(s.r.version)
	case ends:
		s.initial = false
		s.resp.endList()
		s.detector.Listed()
		s.r.replace(s.refs, string(meta.ResourceVersion))
		s.refs = nil
	}
	return nil
}

// statusError returns the error that the API server ends a watch with.
func statusError(event wire.Event) error {
	var status metav1.Status
	var err error
	if event.Encoding == wire.Protobuf {
		err = status.Unmarshal(event.Object)
	} else {
		err = json.UnmarshalCaseSensitivePreserveInts(event.Object, &status)
	}
	if err != nil {
		return fmt.Errorf("status of a failed watch: %w", err)
	}
	return apierrors.FromObject(&status)
}

// ended returns why a watch failed, or nil if it ended normally, by the API server, by the
// connection or by ctx. It requires a list when the watch cannot continue from its version, and
// after bytes that cannot be decoded, because they may have been a deletion.
func (s *stream) ended(err error) error {
	var status apierrors.APIStatus
	switch {
	case s.ctx.Err() != nil:
		return nil //nolint:nilerr // this side has ended the watch
	case s.resp.causes(err) && s.initial:
		return fmt.Errorf("streamed list: %w", err)
	case s.resp.causes(err):
		return nil
	case errors.As(err, &status):
		if !needsList(err) {
			return err
		}
	case errors.Is(err, sharding.ErrMismatch), errors.Is(err, wire.ErrForm):
	default:
		s.r.counters.bad.Inc()
	}
	if s.initial {
		return err
	}
	s.r.requireList()
	return nil
}
