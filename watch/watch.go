package watch

import (
	"context"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/klog/v2"
)

// WatchWithContext opens a watch for the reflector.
func (s *Source) WatchWithContext(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
	o.Watch = true
	if s.CachedReads && o.SendInitialEvents != nil && o.ResourceVersion == "" {
		o.ResourceVersion = "0"
	}
	initial := o.SendInitialEvents != nil && *o.SendInitialEvents
	if initial {
		s.begins()
	}
	s.pace.wait(ctx)
	ctx, cut := s.watchContext(ctx, o.TimeoutSeconds)
	body, sent, err := s.open(ctx, o)
	s.counters.watched(err)
	s.state.answered(s.logger, "watch", err)
	if err != nil {
		cut(nil)
		return nil, err
	}
	d := &stream{
		source:  s,
		cancel:  func() { cut(nil) },
		ctx:     ctx,
		initial: initial,
		version: []byte(o.ResourceVersion),
		filter:  newFiltering(s, sent),
	}
	if initial {
		d.silence, _ = body.(*silence)
		d.release = s.Client.hurry()
	} else {
		d.release = s.Client.watch()
	}
	d.open.Store(newFrames(s.Form, body, countingReader{body, s.counters.bytes}, s.state.heard, cut))
	s.watches(d, sent, o.ResourceVersion)
	reporter := apierrors.NewClientErrorReporter(http.StatusInternalServerError, "watch", "ClientWatchDecoding")
	return apiwatch.NewStreamWatcherWithLogger(klog.FromContext(ctx), d, reporter), nil
}

// watchContext ends when the API server should have ended the watch itself.
func (s *Source) watchContext(ctx context.Context, seconds *int64) (context.Context, context.CancelCauseFunc) {
	ctx, cut := context.WithCancelCause(ctx)
	if seconds == nil {
		return ctx, cut
	}
	ctx, stop := context.WithTimeout(ctx, time.Duration(*seconds)*time.Second+s.Silence)
	return ctx, func(cause error) {
		cut(cause)
		stop()
	}
}
