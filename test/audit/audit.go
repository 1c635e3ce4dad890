// Package audit checks that a fleet exposes every object of the cluster exactly once. It fetches the expositions of all
// replicas at the same time, ten times a second and more often while something is wrong, and compares them with the
// objects of the cluster.
//
// The exposition of every replica that answers 200 counts, whether its pod is Ready or not, because Prometheus scrapes
// both.
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
	defaultInterval = 100 * time.Millisecond
	faultInterval   = defaultInterval / 5 // while something is wrong
	defaultTimeout  = 2 * time.Second     // of one exposition
	settleTime      = 5 * time.Second     // how long Stop waits until nothing is wrong
)

// Target is the endpoint of one replica's exposition.
type Target struct {
	// Name is the name of the replica in reports.
	Name string
	// URL is the address without a path.
	URL string
}

// Options configure an audit.
type Options struct {
	Cluster *Cluster
	// Targets returns the endpoints of the replicas that run at present. It is called from another goroutine.
	Targets func() []Target
	// Late is how long a new object may take to appear in an exposition, and a deleted one to disappear.
	Late time.Duration
	// Allow describes what does not count as a fault of the fleet.
	Allow Allowance
	// Every is the time between the starts of two samples, if a sample does not take longer. 0: 100 ms.
	Every time.Duration
	// Timeout limits the fetch of one exposition. 0: 2 s.
	Timeout time.Duration
	// Dial connects to replicas that this process cannot reach directly. Nil: they are reachable.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Audit is a running audit. Its methods may be called concurrently.
type Audit struct {
	o      Options
	client *http.Client
	stop   func() // ends the audit at once

	ends atomic.Pointer[time.Time] // when the audit ends at the latest; nil before Stop
	over chan struct{}             // closed when the audit has ended

	tracker *tracker
	samples int
	last    time.Time
	slowest time.Duration

	mu    sync.Mutex
	kills []time.Time
}

// Start is Begin for a test: the audit ends with Stop or with the test.
func Start(t testing.TB, o Options) *Audit {
	a := Begin(o)
	t.Cleanup(a.stop)
	return a
}

// Begin starts an audit that runs until Stop. It returns after the first sample.
func Begin(o Options) *Audit {
	a := newAudit(o)
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	sampled := make(chan struct{})
	working.Go(func() {
		defer close(a.over)
		a.run(ctx, sync.OnceFunc(func() { close(sampled) }))
	})
	a.stop = sync.OnceFunc(func() {
		cancel()
		working.Wait()
		a.client.CloseIdleConnections()
	})
	<-sampled
	return a
}

// Killed records that a replica is killed now.
func (a *Audit) Killed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kills = append(a.kills, time.Now())
}

// Stop ends the audit as soon as nothing is wrong, or after settleTime, and returns its report. It waits because an
// object that was just deleted may have left the exposition before its deletion was received here.
func (a *Audit) Stop() Report {
	end := time.Now().Add(settleTime)
	a.ends.Store(&end)
	<-a.over
	a.stop()
	r := newReport(a.tracker.end(), a.o.Allow, a.kills)
	r.Samples, r.Single, r.Slowest = a.samples, a.tracker.single, a.slowest
	r.Objects, r.Moved, r.Coverage = len(a.tracker.seen), a.tracker.moved, a.tracker.coverage
	return r
}

func (a *Audit) run(ctx context.Context, sampled func()) {
	defer sampled()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		r := a.sample(ctx)
		if ctx.Err() != nil {
			return
		}
		if a.samples++; !a.last.IsZero() {
			a.slowest = max(a.slowest, r.start.Sub(a.last))
		}
		a.last = r.start
		pause, wrong := a.o.Every, a.tracker.add(r, a.o.Cluster.lifetimes())
		if wrong {
			pause = min(pause, faultInterval)
		}
		sampled()
		if end := a.ends.Load(); end != nil && (!wrong || time.Now().After(*end)) {
			return
		}
		next.Reset(time.Until(r.start.Add(pause)))
	}
}

// sample fetches all expositions in parallel.
func (a *Audit) sample(ctx context.Context) sample {
	r := sample{exposedBy: map[string][]string{}, start: time.Now()}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, target := range a.o.Targets() {
		group.Go(func() {
			keys, err := a.fetch(ctx, target.URL)
			mu.Lock()
			defer mu.Unlock()
			if err != nil { // no answer, or one that cannot be read
				r.unread = append(r.unread, fmt.Errorf("%s: %w", target.Name, err))
				return
			}
			for _, key := range keys {
				r.exposedBy[key] = append(r.exposedBy[key], target.Name)
			}
		})
	}
	group.Wait()
	r.end = time.Now()
	return r
}

// fetch returns the keys of the objects that a replica exposes.
func (a *Audit) fetch(ctx context.Context, url string) (keys []string, err error) {
	r, kinds := fleet.Replica{Client: a.client}, a.o.Cluster.kinds
	return keys, r.Read(ctx, url+"/metrics?resources="+strings.Join(kinds, ","), func(body io.Reader) error {
		return objects(body, kinds, func(key string) { keys = append(keys, key) })
	})
}

func newAudit(o Options) *Audit {
	o.Every, o.Timeout = cmp.Or(o.Every, defaultInterval), cmp.Or(o.Timeout, defaultTimeout)
	return &Audit{o: o, over: make(chan struct{}), tracker: newTracker(o.Late), client: &http.Client{
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1, DialContext: o.Dial}, Timeout: o.Timeout,
	}}
}

// Coverage takes one sample, and returns the share of the cluster's objects that are exposed, from 0 to 1.
func Coverage(ctx context.Context, o Options) float64 {
	a := newAudit(o)
	defer a.client.CloseIdleConnections()
	a.tracker.cover(a.sample(ctx), o.Cluster.lifetimes())
	return a.tracker.coverage
}

// Complete takes one sample, and returns an error unless every object of the cluster is exposed exactly once.
func Complete(ctx context.Context, o Options) error {
	a := newAudit(o)
	defer a.client.CloseIdleConnections()
	r, missing, doubled := a.sample(ctx), 0, 0
	all := o.Cluster.lifetimes()
	for key, l := range all {
		switch n := len(r.exposedBy[key]); {
		case !l.deleted.IsZero() || time.Since(l.created) <= o.Late:
		case n == 0:
			missing++
		case n > 1:
			doubled++
		}
	}
	if missing+doubled > 0 {
		return errors.Join(append(r.unread, fmt.Errorf("of %d objects, %d are missing and %d doubled", len(all), missing, doubled))...)
	}
	if len(all) == 0 {
		return errors.New("the cluster has no objects")
	}
	return nil
}
