package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/resources"
)

const idlers = 10 // clients that ask and never read

// scrapes starts a process within its limit, has it list everything again and again
// while the cluster changes, and has many clients scrape at once.
func (p *pressure) scrapes(ctx context.Context) error {
	limit, err := p.steady(ctx)
	if err != nil {
		return err
	}
	r, err := p.start(ctx, limit)
	if err != nil {
		return err
	}
	defer r.stop()
	if err := errors.Join(r.settle(ctx), r.row("start", "ready")); err != nil {
		return err
	}
	if err := r.storms(ctx); err != nil {
		return err
	}
	return r.crowdOfClients(ctx)
}

func (r *replica) storms(ctx context.Context) error {
	churning, cancel := context.WithCancel(ctx)
	churned := make(chan error, 1)
	go func() {
		churned <- generator.Churn{JobsPerSecond: 20, StatusUpdatesPerSecond: 200, Tidy: true, Seed: 2}.Run(churning, r.cluster)
	}()
	for range r.pressure.storms {
		r.cluster.Compact()
		r.cluster.CloseWatches()
		select {
		case <-ctx.Done():
		case <-time.After(3 * time.Second):
		}
	}
	cancel()
	if err := errors.Join(<-churned, r.settle(ctx)); err != nil {
		return err
	}
	self, err := r.Self(ctx)
	if err != nil {
		return err
	}
	held, there := int(self.Sum("statefleet_objects")), exported(r.cluster)
	if held != there {
		return fmt.Errorf("%d objects are held of %d", held, there)
	}
	return r.row("storms of lists", "%d times everything was listed again under 400 events a second; %d objects of %d", r.pressure.storms, held, there)
}

// exported is the number of objects of default kinds.
func exported(c *simulator.Cluster) int {
	n := 0
	for _, k := range resources.All() {
		if k.Default {
			n += len(c.Names(k.Name()))
		}
	}
	return n
}

// crowdOfClients has some clients read as fast as they can, and some not at all.
func (r *replica) crowdOfClients(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.scrape)
	defer cancel()
	for range idlers {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(r.Base, "http://"))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: statefleet\r\n\r\n")); err != nil {
			return err
		}
	}
	var (
		clients sync.WaitGroup
		mu      sync.Mutex
		answers = map[int]int{}
		failed  error
	)
	for i := range r.clients - idlers {
		clients.Go(func() {
			for ctx.Err() == nil {
				status, err := r.page(ctx, []string{"gzip", "identity"}[i%2], nil)
				mu.Lock()
				if answers[status]++; err != nil && ctx.Err() == nil {
					failed = err
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	if failed != nil {
		return failed
	}
	if answers[http.StatusOK] == 0 {
		return fmt.Errorf("no scrape was answered: %v", answers)
	}
	return r.row("clients", "%d at once, %d never read: %d pages, %d answers 503 beyond --web.max-requests",
		r.clients, idlers, answers[http.StatusOK], answers[http.StatusServiceUnavailable])
}
