package main

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/shard"
)

// run runs the process until ctx ends and what it serves has been taken over, or until a part of it fails.
func (p *process) run(ctx context.Context) error {
	p.announce()
	p.limitMemory()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, serving := errgroup.WithContext(serving)
	for _, s := range p.servers {
		g.Go(func() error { return s.Run(serving) })
	}
	if p.webConfig != nil {
		g.Go(func() error {
			p.webConfig.Run(serving)
			return nil
		})
	}
	g.Go(func() error {
		p.tuneLoading(serving)
		return nil
	})
	p.generations.run(serving, g)
	g.Go(func() error { return p.follow(serving) })
	g.Go(func() error {
		p.page.census.run(serving)
		return nil
	})
	select {
	case <-serving.Done():
	case <-ctx.Done():
		p.drain(serving)
		stop()
	}
	p.logger.Info("stopping")
	return g.Wait()
}

// follow gives the replica its shard, and each new one.
func (p *process) follow(ctx context.Context) error {
	if p.fleet != nil {
		return p.fleet.Run(ctx)
	}
	p.generations.Follow(shard.Uncoordinated(p.assignment))
	return nil
}

// announce logs what is about to run, and what of the command line has less effect than it may seem.
func (p *process) announce() {
	p.logger.Info("starting statefleet", "version", release(), "resources", strings.Join(p.names(), ","))
	if p.customOnly && len(p.resources) > 0 {
		p.logger.Warn("--resources has no effect with --custom-resource-state-only")
	}
	if p.fleet != nil && (p.shardSet || p.totalSet) {
		p.logger.Warn("--pod wins over --shard and --total-shards", "pod", p.pod)
	}
	if p.gzipSet && !p.gzip {
		p.logger.Warn("--enable-gzip-encoding=false has no effect: clients that accept gzip always get it")
	}
}
