package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// bench is the cluster that everything is measured on.
type bench struct {
	options
	cluster  *simulator.Cluster
	progress io.Writer
	touches  uint64 // seeds so far
}

// burstLog is how many bytes of events are kept while many objects change, so that
// nothing that is slow to follow has to list again. At other times it is less: what is
// kept goes through the caches and the memory that the measured process shares.
const burstLog = 1 << 30

// newBench makes the cluster.
func newBench(o options, progress io.Writer) (*bench, error) {
	b := &bench{options: o, progress: progress}
	spec := generator.Scale(o.pods)
	spec.Seed = o.seed
	b.cluster = simulator.New(simulator.Options{
		Seed: o.seed, LogEvents: 1 << 20,
	})
	start := time.Now()
	if err := b.cluster.Populate(spec.Objects()); err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	b.say("cluster of %d objects, made in %.1f s", b.cluster.Len(), time.Since(start).Seconds())
	return b, nil
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, format+"\n", args...)
}

// with opens a session, lets it sync, and goes on with what follows.
func (b *bench) with(ctx context.Context, e exporter, shards, running int, steps ...func(*session, *result) error) (*result, error) {
	s, err := b.open(ctx, e, shards, running)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r, err := s.sync(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.name, err)
	}
	for _, step := range steps {
		if err := step(s, r); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return r, nil
}

// foreignShards divide the cluster so that one shard owns next to nothing.
const foreignShards = 256

// outcome is everything that one run of the targets measures.
type outcome struct {
	Starts       [][]*result // of each of startings, repeated
	Reading      []float64   // CPU seconds, see [bench.reading]; as often
	One, Quarter *result
	Foreign      *result // the cost of events that other shards own
}

// The parts of the targets, which can be measured alone.
const (
	partStarts  = "starts"
	partForeign = "foreign"
	partQuarter = "quarter"
	partChurn   = "churn" // of one shard, without what comes before it in partOne
	partOne     = "one"
)

func allParts() []string {
	return []string{partStarts, partForeign, partQuarter, partChurn, partOne}
}

// measures says whether a part was asked for. The churn of one shard is in
// partOne too.
func (o *options) measures(part string) bool {
	if len(o.parts) == 0 {
		return part != partChurn
	}
	return slices.Contains(o.parts, part)
}

// targets measures all that the targets are about. Starts are repeated, the
// kinds of them by turns, and count with their median.
func (b *bench) targets(ctx context.Context) (*outcome, error) {
	o := &outcome{}
	own := b.exporter()
	if b.measures(partStarts) {
		if err := b.starting(ctx, own, o); err != nil {
			return nil, err
		}
	}
	churn := func(s *session, r *result) error { return s.churn(ctx, r, 0) }
	for _, part := range []struct {
		name   string
		shards int
		to     **result
		steps  []func(*session, *result) error
	}{
		{partForeign, foreignShards, &o.Foreign, []func(*session, *result) error{func(s *session, r *result) error { return s.foreign(ctx, r) }}},
		{partQuarter, 4, &o.Quarter, []func(*session, *result) error{func(s *session, r *result) error { return s.settled(ctx, r) }, churn}},
		{partChurn, 1, &o.One, []func(*session, *result) error{churn}},
		{partOne, 1, &o.One, b.all(ctx)},
	} {
		if !b.measures(part.name) {
			continue
		}
		var err error
		if *part.to, err = b.with(ctx, own, part.shards, 1, part.steps...); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// start is a kind of start that there is a target for.
type start struct {
	shards   int
	byServer bool // the API server leaves out what other shards own
}

// The kinds of start, in the order of [outcome.Starts].
const (
	startOne = iota
	startQuarter
	startEighth
	startEighthByServer
)

func startings() []start { return []start{{1, false}, {4, false}, {8, false}, {8, true}} }

// starting starts a shard of each kind by turns.
func (b *bench) starting(ctx context.Context, own exporter, o *outcome) error {
	o.Starts = make([][]*result, len(startings()))
	for range b.starts {
		reading, err := b.reading(ctx)
		if err != nil {
			return err
		}
		o.Reading = append(o.Reading, reading)
		for i, kind := range startings() {
			its := *b
			its.sharding = b.sharding || kind.byServer
			r, err := its.with(ctx, own, kind.shards, 1)
			if err != nil {
				return err
			}
			o.Starts[i] = append(o.Starts[i], r)
		}
	}
	return nil
}

// all are the measurements of a fleet in the order in which each finds what it
// expects: at rest, changed, churning.
func (b *bench) all(ctx context.Context) []func(*session, *result) error {
	const percentScrapes = 3
	percent, everything, replaced := generator.Touch{Share: 0.01}, generator.Touch{Share: 1}, generator.Touch{Share: 1, Replace: true}
	return []func(*session, *result) error{
		func(s *session, r *result) error { return s.settled(ctx, r) },
		func(s *session, r *result) error {
			return s.changed(ctx, r, "1 % changed", percent, percentScrapes, func(f *figures) **scrapes { return &f.OnePercent })
		},
		func(s *session, r *result) error {
			return s.changed(ctx, r, "every status changed", everything, 1, func(f *figures) **scrapes { return &f.Everything })
		},
		func(s *session, r *result) error {
			return s.changed(ctx, r, "every object replaced", replaced, 1, func(f *figures) **scrapes { return &f.Replaced })
		},
		func(s *session, r *result) error { return s.churn(ctx, r, s.churnScrapesN) },
	}
}

// foreign measures events that belong to others, many of them, since one costs
// little.
func (s *session) foreign(ctx context.Context, r *result) error {
	if err := s.idle(ctx, r, s.window/6); err != nil {
		return err
	}
	c := generator.Churn{StatusUpdatesPerSecond: 10 * s.updates, Seed: s.seed + 8}
	err := s.churning(ctx, c, func(ctx context.Context) error {
		if err := pause(ctx, s.window/10); err != nil {
			return err
		}
		return s.events(ctx, r, s.window/2)
	})
	if err == nil {
		s.say("  events of others: %.0f/s, %.1f us of CPU each", r.Sum.Churn.EventsPerSecond, r.Sum.Churn.MicrosecondsPerEvent)
	}
	return err
}
