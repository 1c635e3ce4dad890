package customresource

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
)

// waitTimeout limits the time that a test waits for a condition.
const waitTimeout = 30 * time.Second

// testWatcher is a running DefinitionWatcher with the changes that it published, its log and its verification metrics.
type testWatcher struct {
	t       *testing.T
	changes chan []Kind
	log     *lockedBuffer
	checks  *prometheus.Registry
	*DefinitionWatcher
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startWatcher runs a DefinitionWatcher until the test ends, without checks.
func startWatcher(t *testing.T, client *watch.Client, config string) *testWatcher {
	t.Helper()
	return watchAndVerify(t, client, config, 0)
}

// watchAndVerify runs a DefinitionWatcher that is checked at the given interval.
func watchAndVerify(t *testing.T, client *watch.Client, config string, every time.Duration) *testWatcher {
	t.Helper()
	return runWatcher(t, client, config, every, time.Millisecond)
}

func runWatcher(t *testing.T, client *watch.Client, config string, every, grace time.Duration) *testWatcher {
	t.Helper()
	f := &testWatcher{t: t, changes: make(chan []Kind, 100), log: &lockedBuffer{}}
	f.checks = prometheus.NewPedanticRegistry()
	f.DefinitionWatcher = NewDefinitionWatcher(DefinitionWatcherOptions{
		Config:   mustParse(t, config),
		Client:   client,
		Metrics:  watch.NewMetrics(prometheus.NewPedanticRegistry()),
		Verifier: verify.New(verify.Options{Every: every, Grace: time.Millisecond, Metrics: verify.NewMetrics(f.checks)}),
		Idle:     func() bool { return false },
		Grace:    grace,
		Logger:   slog.New(slog.NewTextHandler(f.log, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx, func(kinds []Kind) { f.changes <- kinds })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f
}

// next waits for the next set of kinds and returns it with the names.
func (f *testWatcher) next() ([]Kind, string) {
	f.t.Helper()
	select {
	case kinds := <-f.changes:
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.Name
			if k.Namespaced {
				names[i] += " namespaced"
			}
		}
		return kinds, strings.Join(names, ", ")
	case <-time.After(waitTimeout):
		f.t.Fatalf("no change after %v; the log is\n%s", waitTimeout, f.log)
		return nil, ""
	}
}

func (f *testWatcher) wantNext(want string) []Kind {
	f.t.Helper()
	kinds, got := f.next()
	if got != want {
		f.t.Fatalf("got %q, want %q", got, want)
	}
	return kinds
}

func (f *testWatcher) waitFor(condition string, isMet func() bool) {
	f.t.Helper()
	for end := time.Now().Add(waitTimeout); !isMet(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("timed out waiting for %s; the log is\n%s", condition, f.log)
		}
	}
}
