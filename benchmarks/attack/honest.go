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
	// Honest clients have these addresses; attackers have others of this machine.
	prometheusAddress = "127.0.0.2"
	kubeletAddress    = "127.0.0.3"

	honestPause   = 250 * time.Millisecond
	scrapeTimeout = 10 * time.Second // Prometheus' default
	probeTimeout  = time.Second      // a kubelet's default
	probeFailures = 3                // after so many in a row a kubelet restarts the container; its default
)

// tally counts requests, those that were answered with 200, and the longest row of others.
type tally struct{ answered, all, row, longestRow int }

func (t *tally) add(answered bool) {
	t.all++
	if answered {
		t.answered++
		t.row = 0
		return
	}
	t.row++
	t.longestRow = max(t.longestRow, t.row)
}

func (t tally) String() string { return fmt.Sprintf("%d/%d", t.answered, t.all) }

// experience is what the honest clients have seen.
type experience struct {
	scrapes tally
	ports   [2]tally      // probes of each port
	slowest time.Duration // of the scrapes
	err     error         // of the first request that failed
}

// probes are those of both ports.
func (e experience) probes() tally {
	return tally{answered: e.ports[0].answered + e.ports[1].answered, all: e.ports[0].all + e.ports[1].all}
}

// verdict is an error when a scrape was not answered, when a kubelet would restart the container, or when
// there were no requests.
func (e experience) verdict() error {
	switch {
	case e.scrapes.all == 0 || e.ports[0].all == 0 || e.ports[1].all == 0:
		return errors.New("honest clients sent no request")
	case e.scrapes.answered < e.scrapes.all:
		return fmt.Errorf("%s of Prometheus' scrapes were answered: %w", e.scrapes, e.err)
	case max(e.ports[0].longestRow, e.ports[1].longestRow) >= probeFailures:
		return fmt.Errorf("%s of the probes were answered, so a kubelet restarts the container: %w", e.probes(), e.err)
	}
	return nil
}

// honest are the clients that have to be served during an attack: a Prometheus and a kubelet.
type honest struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	seen    experience
}

// watchHonest starts them.
func (s *site) watchHonest(ctx context.Context) *honest {
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

// repeat asks again and again until ctx ends. A request that is cut off by that does not count.
func (h *honest) repeat(ctx context.Context, t *tally, ask func() error) {
	h.running.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			err := ask()
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
			_ = fleet.Pause(ctx, honestPause)
		}
	})
}

func (h *honest) stop() experience {
	h.cancel()
	h.running.Wait()
	return h.seen
}

// client is one that connects from an address of this machine, as from another one.
func (s *site) client(from string, timeout time.Duration) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: s.trust.Clone(), DisableCompression: true, ForceAttemptHTTP2: true,
	}}
}
