package watch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/faketime"
)

func TestProblemIsLoggedOnceUntilItChanges(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	forbidden, absent := apierrors.NewForbidden(pods, "", nil), apierrors.NewNotFound(pods, "")
	unreachable := &url.Error{Op: "Get", URL: "https://api:443/x", Err: errors.New("connection refused")}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var s statusTracker
	for i, c := range []struct {
		err   error
		phase Phase
		level string // of the line; "" for none
	}{
		{forbidden, Forbidden, "WARN"},
		{forbidden, Forbidden, ""},
		{absent, Absent, "WARN"},
		{apierrors.NewInternalError(errors.New("e")), Pending, "WARN"},
		{unreachable, Pending, "DEBUG"}, // logged once for all resources
		{unreachable, Pending, ""},
		{nil, Pending, ""},
		{unreachable, Pending, "DEBUG"},
		{forbidden, Forbidden, "WARN"},
		{nil, Pending, ""},
		{forbidden, Forbidden, "WARN"},
		{unreachable, Pending, "DEBUG"},
	} {
		log.Reset()
		s.recordResult(logger, "list", c.err)
		if got := s.status; got.Phase != c.phase || !errors.Is(got.Err, c.err) {
			t.Errorf("result %d: got phase %s with error %v, want %s with %v", i, got.Phase, got.Err, c.phase, c.err)
		}
		if got := strings.Count(log.String(), "level="); got > 1 || (got == 1) != (c.level != "") || !strings.Contains(log.String(), c.level) {
			t.Errorf("result %d: logged %q, want level %q", i, log.String(), c.level)
		}
	}
	for i, level := range []string{"INFO", ""} {
		log.Reset()
		s.synced(logger, "synced", "objects", 7)
		if (log.Len() > 0) != (level != "") || !strings.Contains(log.String(), level) {
			t.Errorf("list %d: logged %q, want level %q", i, log.String(), level)
		}
	}
	s.recordResult(logger, "watch", unreachable)
	if s.status.Phase != Synced {
		t.Errorf("got phase %s after an error that is not a refusal, want %s", s.status.Phase, Synced)
	}
}

func TestStreamedListThatBeginsEndsTheError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	var available atomic.Bool
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
		if !available.Load() {
			http.Error(rw, "unavailable", http.StatusServiceUnavailable)
		}
		return !available.Load()
	})
	reflector, rec := w.start(setup{})
	eventually(t, "an error", func() bool { return reflector.Status().Err != nil })
	available.Store(true)
	w.converge(rec, "the list")
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	if err := reflector.Status().Err; err != nil {
		t.Errorf("got error %v after the list, want none", err)
	}
}

func TestLogLineNamesResourceAndNamespace(t *testing.T) {
	for namespace, want := range map[string]string{"": "msg=m resource=pods\n", "a": "msg=m resource=pods namespace=a\n"} {
		var log bytes.Buffer
		r := New(Options{Resource: podResource, Namespace: namespace, Metrics: NewMetrics(prometheus.NewRegistry()),
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
		r.logger.Info("m")
		if !strings.HasSuffix(log.String(), want) {
			t.Errorf("namespace %q: logged %q, want the end %q", namespace, log.String(), want)
		}
	}
}

// TestListThatThisProcessEndsIsNoError covers a list that is being read when its Reflector ends.
func TestListThatThisProcessEndsIsNoError(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "half of an answer": `{"kind":"PodList","apiVersion":"v1","items":[`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{NoWatchList: true})
			requested := make(chan struct{})
			w.answerLists(func(rw http.ResponseWriter, r *http.Request) {
				if begin != "" {
					rw.Header().Set("Content-Type", "application/json")
					writeFrame(rw, begin)
				}
				close(requested)
				<-r.Context().Done()
			})
			reflector, _ := w.reflector(setup{})
			var log bytes.Buffer
			reflector.logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				reflector.Run(ctx)
			}()
			<-requested
			eventually(t, "the answer", func() bool {
				return begin == "" || w.value("statefleet_watch_received_bytes_total", nil) > 0
			})
			cancel()
			<-ended
			if err := reflector.Status().Err; err != nil || log.Len() > 0 {
				t.Errorf("got error %v, and logged %q, want neither", err, &log)
			}
			if n := w.value("kube_state_metrics_list_total", map[string]string{"result": "error"}); n != 0 {
				t.Errorf("%v lists count as failed, want none", n)
			}
		})
	}
}

// TestErrorInAWatchIsReported covers an API server that answers each watch with 200 and reports an
// error in the stream, as one without a watch cache does while etcd is unavailable.
func TestErrorInAWatchIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	var watches atomic.Int32
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") == "" || r.URL.Query().Get("sendInitialEvents") != "" {
			return false
		}
		watches.Add(1)
		writeFrame(rw, `{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"InternalError","message":"etcd is away","code":500}}`)
		return true
	})
	reflector, _ := w.reflector(setup{})
	var log bytes.Buffer
	reflector.logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reflector.Run(ctx)
	}()
	eventually(t, "the error", func() bool { return apierrors.IsInternalError(reflector.Status().Err) })
	eventually(t, "some watches", func() bool { return watches.Load() > 5 })
	cancel()
	<-ended
	if n := strings.Count(log.String(), "etcd is away"); n != 1 {
		t.Errorf("the error is logged %d times, want once: %s", n, &log)
	}
	if n := w.value("kube_state_metrics_watch_total", map[string]string{"result": "error"}); n < 5 {
		t.Errorf("%v watches count as failed, want 5 or more", n)
	}
}

type refusing struct{}

// RoundTrip implements http.RoundTripper. The answer is that of an API server whose cache has not
// been ready for a minute.
func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusTooManyRequests,
		Header:     http.Header{"Content-Type": {"application/json"}, "Retry-After": {"30"}},
		Body:       io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","code":429}`)),
	}, nil
}

// TestRepeatedRefusalIsReported checks that a refused list does not count as one without an answer.
func TestRepeatedRefusalIsReported(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		config := &rest.Config{Host: "http://api", WrapTransport: func(http.RoundTripper) http.RoundTripper { return refusing{} }}
		client, err := NewClient(config, AcceptBoth)
		if err != nil {
			t.Fatal(err)
		}
		reflector := New(Options{
			Client: client, Resource: podResource, Selector: func() string { return "" },
			Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			reflector.Run(ctx)
		}()
		time.Sleep(10 * time.Minute)
		if err := reflector.Status().Err; !apierrors.IsTooManyRequests(err) {
			t.Errorf("got error %v, want 429", err)
		}
		cancel()
		<-ended
	})
}
