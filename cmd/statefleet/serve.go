package main

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/shard"
)

// run runs the process until ctx ends or a part of it fails.
func (p *process) run(ctx context.Context) error {
	p.announce()
	p.tuneMemory()
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range p.servers {
		g.Go(func() error { return s.Run(ctx) })
	}
	g.Go(func() error { return p.replica.Run(ctx) })
	g.Go(func() error { return p.follow(ctx) })
	<-ctx.Done()
	p.logger.Info("stopping")
	return g.Wait()
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
