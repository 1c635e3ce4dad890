package main

import (
	"context"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// scaled is a fleet that grows and shrinks: the shards that are there all the time, and those that come and go. Its methods
// are for one goroutine.
type scaled struct {
	*stage
	options fleet.Options
	base    *fleet.Fleet
	more    *fleet.Fleet // nil unless it has grown
	leave   func()       // tells these to end
	left    chan struct{}
}

// install starts the fleet as it is at first.
func install(ctx context.Context, cluster *simulator.Cluster, o options, how fleet.Options) (*scaled, error) {
	s, err := newStage(cluster)
	if err == nil {
		err = s.scale(o.shards)
	}
	if err != nil {
		return nil, err
	}
	how.Command = append(fleet.Alone(o.binary), "--pod="+name+"-{{.Shard}}", "--pod-namespace="+name)
	how.Shards = o.shards
	base, err := fleet.Start(ctx, how)
	return &scaled{stage: s, options: how, base: base}, err
}

// shards are all that run.
func (s *scaled) shards() []*fleet.Shard {
	if s.more == nil {
		return s.base.Shards
	}
	return append(s.base.Shards[:len(s.base.Shards):len(s.base.Shards)], s.more.Shards...)
}

// grow does what "kubectl scale" does, and what comes of it.
func (s *scaled) grow(ctx context.Context, by int) error {
	how := s.options
	how.First, how.Shards = how.Shards, how.Shards+by
	if err := s.scale(how.Shards); err != nil {
		return err
	}
	ctx, s.leave = context.WithCancel(ctx)
	var err error
	s.more, err = fleet.Start(ctx, how)
	return err
}

// shrink scales back. The shards that leave are told to end, and go on until the others have taken over.
func (s *scaled) shrink() error {
	if err := s.scale(s.options.Shards); err != nil {
		return err
	}
	s.leave()
	s.left = make(chan struct{})
	go func(leaving *fleet.Fleet) {
		leaving.Wait()
		close(s.left)
	}(s.more)
	return nil
}

// settle forgets the shards that have left.
func (s *scaled) settle() error {
	select {
	case <-s.left:
		s.more, s.left = nil, nil
		return s.remove(s.options.Shards)
	default:
		return nil
	}
}

// wait waits until all have ended.
func (s *scaled) wait() {
	s.base.Wait()
	if s.more != nil {
		s.more.Wait()
	}
}
