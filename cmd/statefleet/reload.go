package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/promslog"
	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/shard"
)

// How often files are looked at, and how often a generation that waits to be served is.
const (
	lookEvery  = time.Second
	readyEvery = 50 * time.Millisecond
)

// reloader runs the generations: the one that is served and, while the configuration changes, the one that comes after it.
// A generation that is under way is replaced by a newer one before it was ever served. Only the goroutine of loop starts,
// ends and exchanges generations.
type reloader struct {
	live
	load    func() (*settings, []file, error) // reads the command line and its files again; the files come with an error too
	make    func(*settings) (*generation, error)
	metrics *reloadMetrics
	shown   *replica.Metrics
	level   *promslog.Level  // of everybody's logger
	hangup  <-chan os.Signal // asks to reload

	holdsChanged func() // told when Holds may have another answer

	watched watchedFiles
	refused bool // what was read last
	group   *errgroup.Group

	mu   sync.Mutex
	plan *shard.Plan // nil: none yet
	next *generation // nil: none under way
}

// Follow makes the generations, now and to come, move to a plan; see [fleet.Member].
func (r *reloader) Follow(p shard.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan = &p
	r.serving.Load().follow(p)
	if r.next != nil {
		r.next.follow(p)
	}
}

// Holds reports whether the generation that is served has what the plan asks for; see [fleet.Member]. One that takes its
// place has it, too.
func (r *reloader) Holds(p shard.Plan) shard.Held { return r.serving.Load().replica.Holds(p) }

// run starts what the reloader does in a group, until ctx ends.
func (r *reloader) run(ctx context.Context, in *errgroup.Group) {
	r.group = in
	serving := r.serving.Load()
	r.watched.take(serving.files)
	serving.start(ctx, in)
	in.Go(func() error {
		r.loop(ctx)
		return nil
	})
}

func (r *reloader) loop(ctx context.Context) {
	look, ready := time.NewTicker(lookEvery), time.NewTicker(readyEvery)
	defer look.Stop()
	defer ready.Stop()
	for {
		var due <-chan time.Time // never, without a generation to wait for
		if r.next != nil {
			due = ready.C
		}
		select {
		case <-ctx.Done():
			return
		case <-r.hangup:
			r.reload(ctx)
		case <-look.C:
			if r.watched.changed() {
				r.reload(ctx)
			}
		case <-due:
			r.succeed()
		}
	}
}

// reload reads the configuration and, if it is right and another one than is served or under way, begins with it.
func (r *reloader) reload(ctx context.Context) {
	serving := r.serving.Load()
	if len(serving.files) == 0 {
		serving.logger.Info("there is no configuration file to read again")
		return
	}
	next, err := r.read(serving)
	r.refused = err != nil
	switch {
	case err != nil:
		r.metrics.refused(serving.files)
		serving.logger.Error("the configuration is refused; the one before stays", "err", err)
	case next != nil:
		serving.logger.Info("the configuration has changed; the one before is served until the new one has synced",
			"resources", strings.Join(next.names(), ","))
		r.replaceNext(next)
		next.start(ctx, r.group)
	}
}

// read returns the generation that the configuration asks for; nil when there is it already.
func (r *reloader) read(serving *generation) (*generation, error) {
	s, files, err := r.load()
	r.watched.take(files)
	if err != nil {
		return nil, err
	}
	s.logger = serving.logger
	if err := s.keeps(serving.flags); err != nil {
		return nil, err
	}
	if r.next != nil && s.same(r.next.flags) {
		return nil, nil
	}
	if s.same(serving.flags) {
		r.replaceNext(nil)
		r.metrics.loaded(s.files, unchanged, true)
		s.logger.Info("the configuration is the one that is served")
		return nil, nil
	}
	next, err := r.make(s)
	return next, s.origins.explain(err)
}

// keeps returns an error that names what cannot change while the program runs, but differs from how it started.
func (s *settings) keeps(started *flags) error {
	var names []string
	for _, name := range s.changes(started) {
		if s.fixed(name) {
			names = append(names, "--"+name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return s.origins.explain(fmt.Errorf("cannot change without a restart: %s", strings.Join(names, ", ")))
}

// replaceNext sets the generation that is under way, nil for none, and ends the one before.
func (r *reloader) replaceNext(next *generation) {
	r.mu.Lock()
	replaced := r.next
	r.next = next
	if next != nil && r.plan != nil {
		next.follow(*r.plan)
	}
	r.mu.Unlock()
	if replaced != nil {
		replaced.halt()
		r.metrics.count(superseded)
	}
	r.metrics.pending(next != nil)
}

// succeed serves the generation that is under way, once it has what it must, and ends the one before.
func (r *reloader) succeed() {
	next := r.next
	if next == nil || !next.holds() {
		return
	}
	before := r.serving.Load()
	r.mu.Lock()
	r.serving.Store(next)
	r.next = nil
	r.mu.Unlock()
	r.holdsChanged()
	next.show(r.shown)
	if err := r.level.Set(next.log.Level.String()); err != nil { // a level's own name is one that it knows
		next.logger.Error("the level of the log stays", "err", err)
	}
	r.metrics.loaded(next.files, served, !r.refused)
	r.metrics.pending(false)
	next.logger.Info("the new configuration is served")
	before.halt()
	debug.FreeOSMemory() // for a while there were two of everything
}
