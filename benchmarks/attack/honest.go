package attack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

const (
	// These are the addresses of honest clients. The attacker has another one.
	prometheusAddress = "127.0.0.2"
	kubeletAddress    = "127.0.0.3"

	honestInterval = 250 * time.Millisecond
	scrapeTimeout  = 10 * time.Second // Prometheus' default
	probeTimeout   = time.Second      // a kubelet's default
	probeFailures  = 3                // consecutive failures after which a kubelet restarts the container, by default
)

// tally counts requests, those that got status 200, and the longest streak of other outcomes.
type tally struct{ answered, all, streak, longestStreak int }

func (t *tally) add(answered bool) {
	t.all++
	if answered {
		t.answered++
		t.streak = 0
		return
	}
	t.streak++
	t.longestStreak = max(t.longestStreak, t.streak)
}

func (t tally) String() string { return fmt.Sprintf("%d/%d", t.answered, t.all) }

// outcome is the outcome of the requests of the honest clients.
type outcome struct {
	scrapes tally
	ports   [2]tally      // probes of each port
	slowest time.Duration // of the scrapes
	err     error         // of the first failed request
}

// probes returns the number of probes of both ports, without streaks.
func (e outcome) probes() tally {
	return tally{answered: e.ports[0].answered + e.ports[1].answered, all: e.ports[0].all + e.ports[1].all}
}

// verdict returns an error if a scrape failed, if a kubelet would restart the container, or if there were no
// requests.
func (e outcome) verdict() error {
	switch {
	case e.scrapes.all == 0 || e.ports[0].all == 0 || e.ports[1].all == 0:
		return errors.New("honest clients sent no scrapes or no probes")
	case e.scrapes.answered < e.scrapes.all:
		return fmt.Errorf("%s scrapes of Prometheus succeeded, want all: %w", e.scrapes, e.err)
	case max(e.ports[0].longestStreak, e.ports[1].longestStreak) >= probeFailures:
		return fmt.Errorf("%s probes succeeded, and a kubelet restarts the container: %w", e.probes(), e.err)
	}
	return nil
}

// honest runs the clients that must be served during an attack: a Prometheus and a kubelet.
type honest struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	seen    outcome
}

// startHonest starts the honest clients.
func (s *system) startHonest(ctx context.Context) *honest {
	ctx, cancel := context.WithCancel(ctx)
	h := &honest{cancel: cancel}
	kubelet := *s.replica
	kubelet.Client = s.client(kubeletAddress, probeTimeout)
	kubelet.Client.Transport.(*http.Transport).DisableKeepAlives = true
	h.repeat(ctx, &h.seen.scrapes, func() error { _, err := s.replica.Scrape(ctx, "gzip"); return err })
	h.repeat(ctx, &h.seen.ports[0], func() error { return kubelet.Ask(ctx, "/livez") })
	telemetry := kubelet
	telemetry.URL = kubelet.Telemetry
	h.repeat(ctx, &h.seen.ports[1], func() error { return telemetry.Ask(ctx, "/livez") })
	return h
}

// repeat sends requests until ctx ends. A request that the end of ctx interrupts does not count.
func (h *honest) repeat(ctx context.Context, t *tally, request func() error) {
	h.running.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			err := request()
			if ctx.Err() != nil {
				return
			}
			h.mu.Lock()
			t.add(err == nil)
			h.seen.err = cmp.Or(h.seen.err, err)
			if t == &h.seen.scrapes {
				h.seen.slowest = max(h.seen.slowest, time.Since(began))
			}
			h.mu.Unlock()
			_ = fleet.Pause(ctx, honestInterval)
		}
	})
}

func (h *honest) stop() outcome {
	h.cancel()
	h.running.Wait()
	return h.seen
}

// client returns a client that connects from an address of this machine, so that statefleet sees another client.
func (s *system) client(from string, timeout time.Duration) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: s.trust.Clone(), DisableCompression: true, ForceAttemptHTTP2: true,
	}}
}
