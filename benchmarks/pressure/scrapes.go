package pressure

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/installation"
	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

const (
	clients     = 50 // that scrape without pause
	idleClients = 10 // of them, which send a request and never read the response
)

// scrapes starts a process with the limit, makes it list everything several times while the cluster changes,
// and lets many clients scrape concurrently.
func (p *pressure) scrapes(ctx context.Context) error {
	r, err := p.startLimited(ctx)
	if err != nil {
		return err
	}
	defer r.fleet.Stop()
	if err := r.row("start", "ready"); err != nil {
		return err
	}
	if err := r.relistUnderChurn(ctx); err != nil {
		return err
	}
	return r.scrapeConcurrently(ctx)
}

func (r *replica) relistUnderChurn(ctx context.Context) error {
	churn := generator.Churn{JobsPerSecond: 20, StatusUpdatesPerSecond: 200, Tidy: true, Seed: 2}
	err := churn.During(ctx, r.cluster, func(ctx context.Context) error {
		for range r.storms {
			r.cluster.Compact()
			r.cluster.CloseWatches()
			if err := fleet.Pause(ctx, 3*time.Second); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	self, err := r.SelfMetrics(ctx)
	if err != nil {
		return err
	}
	held, exported := int(self.Value(selfmetrics.Objects)), installation.Exported(r.cluster)
	if held != exported {
		return fmt.Errorf("the replica holds %d objects, want %d", held, exported)
	}
	return r.row("storms of lists", "everything was listed again %d times under 400 events a second; %d objects of %d", r.storms, held, exported)
}

// scrapeConcurrently runs clients that read as fast as they can, and idleClients that do not read at all.
func (r *replica) scrapeConcurrently(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.scrape)
	defer cancel()
	for range idleClients {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(r.URL, "http://"))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: statefleet\r\n\r\n")); err != nil {
			return err
		}
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		answers = map[int]int{}
		failed  error
	)
	for i := range clients - idleClients {
		running.Go(func() {
			for ctx.Err() == nil {
				status, err := r.status(ctx, []string{"gzip", "identity"}[i%2])
				mu.Lock()
				if answers[status]++; err != nil && ctx.Err() == nil {
					failed = err
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	running.Wait()
	if failed != nil {
		return failed
	}
	if answers[http.StatusOK] == 0 {
		return fmt.Errorf("no scrape succeeded; responses by status: %v", answers)
	}
	return r.row("clients", "%d at once, %d of them never read: %d expositions, %d answers with 503 beyond --web.max-requests",
		clients, idleClients, answers[http.StatusOK], answers[http.StatusServiceUnavailable])
}

// status scrapes and returns the status of the response. A response with 503 is not an error.
func (r *replica) status(ctx context.Context, encoding string) (int, error) {
	response, err := r.Open(ctx, r.URL+"/metrics", encoding)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusServiceUnavailable {
		return response.StatusCode, fmt.Errorf("%s/metrics: got status %s, want 200 or 503", r.URL, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
