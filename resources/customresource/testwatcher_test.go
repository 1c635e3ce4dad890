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

// patience is how long something may take that takes a moment.
const patience = 30 * time.Second

// testWatcher is a running DefinitionWatcher and what it said.
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

// follow runs a DefinitionWatcher until the test ends, without checks.
func follow(t *testing.T, client *watch.Client, config string) *testWatcher {
	t.Helper()
	return watchAndVerify(t, client, config, 0)
}

// watchAndVerify runs one that is checked again and again.
func watchAndVerify(t *testing.T, client *watch.Client, config string, every time.Duration) *testWatcher {
	t.Helper()
	f := &testWatcher{t: t, changes: make(chan []Kind, 100), log: &lockedBuffer{}}
	f.checks = prometheus.NewPedanticRegistry()
	f.DefinitionWatcher = NewDefinitionWatcher(DefinitionWatcherOptions{
		Config:   mustParse(t, config),
		Client:   client,
		Metrics:  watch.NewMetrics(prometheus.NewPedanticRegistry()),
		Verifier: verify.New(verify.Options{Every: every, Grace: time.Millisecond, Metrics: verify.NewMetrics(f.checks)}),
		Idle:     func() bool { return false },
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

// next returns the next set of kinds and their names.
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
	case <-time.After(patience):
		f.t.Fatalf("no change; the log is\n%s", f.log)
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

func (f *testWatcher) waitFor(what string, holds func() bool) {
	f.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("%s: not so; the log is\n%s", what, f.log)
		}
	}
}
