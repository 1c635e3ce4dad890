// Package audit holds a fleet to its promise that every object of the cluster is on exactly one page: it fetches the pages
// of all replicas at the same time, ten times a second and more often while something is wrong, and compares what they
// have together with what the cluster has.
//
// The page of every replica that answers 200 counts, whether its pod is Ready or not: that is what Prometheus scrapes.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

const (
	every   = 100 * time.Millisecond
	again   = every / 5       // instead, while something is wrong
	timeout = 2 * time.Second // of one page
	settles = 5 * time.Second // within which the last look finds nothing wrong, or what it finds counts
)

// Page is where a replica serves its page.
type Page struct {
	// Name is the replica's, for reports.
	Name string
	// URL is without path.
	URL string
}

// Options say what is audited.
type Options struct {
	Cluster *Cluster
	// Pages are those of the replicas that run at present. It may be called from another goroutine.
	Pages func() []Page
	// Late is how long an object that is new or deleted may take to its page, or from it.
	Late time.Duration
	// Allow is what is no fault.
	Allow Allowance
	// Every is the time between two looks, if a look takes no longer; 100 ms if it is 0.
	Every time.Duration
	// Timeout is how long a page may take; 2 s if it is 0.
	Timeout time.Duration
	// Dial connects to pages in another network than that of this process; nil if they are in this one.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Audit is one that runs. Its methods may be called concurrently.
type Audit struct {
	o      Options
	client *http.Client
	stop   func() // looking, at once

	ends atomic.Pointer[time.Time] // when the audit ends; nil before that is known
	over chan struct{}             // closed when it is

	tracker *tracker
	rounds  int
	last    time.Time
	slowest time.Duration

	mu    sync.Mutex
	kills []time.Time
}

// Start is Begin, until Stop or the end of the test.
func Start(t testing.TB, o Options) *Audit {
	a := Begin(o)
	t.Cleanup(a.stop)
	return a
}

// Begin starts to look at the pages, until Stop. It returns when they have been looked at once.
func Begin(o Options) *Audit {
	a := newAudit(o)
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	looked := make(chan struct{})
	working.Go(func() {
		defer close(a.over)
		a.run(ctx, sync.OnceFunc(func() { close(looked) }))
	})
	a.stop = sync.OnceFunc(func() {
		cancel()
		working.Wait()
		a.client.CloseIdleConnections()
	})
	<-looked
	return a
}

// Killed tells the audit that a replica is killed now.
func (a *Audit) Killed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kills = append(a.kills, time.Now())
}

// Stop ends the audit as soon as nothing is wrong, or after a few seconds: an object that has just been deleted may have left
// its page before its end is received.
func (a *Audit) Stop() Report {
	end := time.Now().Add(settles)
	a.ends.Store(&end)
	<-a.over
	a.stop()
	r := judge(a.tracker.end(), a.o.Allow, a.kills)
	r.Samples, r.Single, r.Slowest = a.rounds, a.tracker.single, a.slowest
	r.Objects, r.Moved, r.Coverage = len(a.tracker.seen), a.tracker.moved, a.tracker.coverage
	return r
}

func (a *Audit) run(ctx context.Context, looked func()) {
	defer looked()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		r := a.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if a.rounds++; !a.last.IsZero() {
			a.slowest = max(a.slowest, r.start.Sub(a.last))
		}
		a.last = r.start
		pause, wrong := a.o.Every, a.tracker.add(r, a.o.Cluster.lives())
		if wrong {
			pause = min(pause, again)
		}
		looked()
		if end := a.ends.Load(); end != nil && (!wrong || time.Now().After(*end)) {
			return
		}
		next.Reset(time.Until(r.start.Add(pause)))
	}
}

// look fetches all pages in parallel.
func (a *Audit) look(ctx context.Context) round {
	r := round{pages: map[string][]string{}, start: time.Now()}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, page := range a.o.Pages() {
		group.Go(func() {
			keys, err := a.fetch(ctx, page.URL)
			mu.Lock()
			defer mu.Unlock()
			if err != nil { // no page, or one that cannot be read
				r.unread = append(r.unread, fmt.Errorf("%s: %w", page.Name, err))
				return
			}
			for _, key := range keys {
				r.pages[key] = append(r.pages[key], page.Name)
			}
		})
	}
	group.Wait()
	r.end = time.Now()
	return r
}

// fetch returns the keys of the objects on the page of a replica.
func (a *Audit) fetch(ctx context.Context, url string) (keys []string, err error) {
	r, kinds := fleet.Replica{Client: a.client}, a.o.Cluster.kinds
	return keys, r.Read(ctx, url+"/metrics?resources="+strings.Join(kinds, ","), func(body io.Reader) error {
		return objects(body, kinds, func(key string) { keys = append(keys, key) })
	})
}

func newAudit(o Options) *Audit {
	o.Every, o.Timeout = cmp.Or(o.Every, every), cmp.Or(o.Timeout, timeout)
	return &Audit{o: o, over: make(chan struct{}), tracker: newTracker(o.Late), client: &http.Client{
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1, DialContext: o.Dial}, Timeout: o.Timeout,
	}}
}

// Coverage is the share of the cluster's objects that are on a page, as far as one look sees.
func Coverage(ctx context.Context, o Options) float64 {
	a := newAudit(o)
	defer a.client.CloseIdleConnections()
	a.tracker.cover(a.look(ctx), o.Cluster.lives())
	return a.tracker.coverage
}

// Complete returns an error unless every object of the cluster is on exactly one page, as far as the last look has seen.
func Complete(ctx context.Context, o Options) error {
	a := newAudit(o)
	defer a.client.CloseIdleConnections()
	r, missing, doubled := a.look(ctx), 0, 0
	lives := o.Cluster.lives()
	for key, l := range lives {
		switch n := len(r.pages[key]); {
		case !l.gone.IsZero() || time.Since(l.came) <= o.Late:
		case n == 0:
			missing++
		case n > 1:
			doubled++
		}
	}
	if missing+doubled > 0 {
		return errors.Join(append(r.unread, fmt.Errorf("of %d objects, %d are on no page and %d on several", len(lives), missing, doubled))...)
	}
	if len(lives) == 0 {
		return errors.New("the cluster has no objects to look for")
	}
	return nil
}
