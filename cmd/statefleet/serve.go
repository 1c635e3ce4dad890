package main

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/shard"
)

// stragglers is how long the end of the process waits, once the last answer is written, for what has nothing left to do:
// client-go sleeps out its backoff of up to a minute when the API server is away. With the grace of the servers it has to
// stay below the 30 s that Kubernetes gives a pod.
const stragglers = 10 * time.Second

// run runs the process until ctx ends or a part of it fails.
func (p *process) run(ctx context.Context) error {
	p.announce()
	p.limitMemory()
	g, running := errgroup.WithContext(ctx)
	var serving sync.WaitGroup
	for _, s := range p.servers {
		serving.Add(1)
		g.Go(func() error {
			defer serving.Done()
			return s.Run(running)
		})
	}
	g.Go(func() error { return p.replica.Run(running) })
	g.Go(func() error { return p.follow(running) })
	ended := make(chan error, 1)
	go func() { ended <- g.Wait() }()

	<-running.Done()
	p.logger.Info("stopping")
	serving.Wait()
	select {
	case err := <-ended:
		return err
	case <-time.After(stragglers):
		p.logger.Warn("the API server's clients have not stopped yet; ending without them")
	}
	if toldTo := ctx.Err() != nil; toldTo {
		return nil
	}
	return context.Cause(running)
}

// follow gives the replica its shard, and each new one.
func (p *process) follow(ctx context.Context) error {
	assign := func(a shard.Assignment) {
		p.shards.set(a)
		p.replica.Assign(a)
	}
	if p.discovery == nil {
		assign(p.assignment)
		return nil
	}
	return p.discovery.Run(ctx, assign)
}

// announce logs what is about to run, and what of the command line has less effect than it may seem.
func (p *process) announce() {
	var names []string
	for _, k := range p.kinds {
		names = append(names, k.Name())
	}
	p.logger.Info("starting statefleet", "version", release(), "resources", strings.Join(names, ","))
	if p.discovery != nil && (p.shardSet || p.totalSet) {
		p.logger.Warn("--pod wins over --shard and --total-shards", "pod", p.pod)
	}
	if p.gzipSet && !p.gzip {
		p.logger.Warn("--enable-gzip-encoding=false has no effect: clients that accept gzip always get it")
	}
}

// limitMemory sets the limit of the Go runtime, which then collects garbage harder before the container's is reached.
func (p *process) limitMemory() {
	if !p.autoMemLimit {
		return
	}
	limit, err := memlimit.Set(memlimit.WithRatio(p.autoMemLimitFraction))
	switch {
	case err != nil:
		p.logger.Warn("--auto-gomemlimit: no memory limit is set", "err", err)
	case limit < math.MaxInt64:
		p.logger.Info("memory limit of the Go runtime", "bytes", limit)
	}
}
