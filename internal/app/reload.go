package app

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/internal/web/statuspage"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

const (
	fileInterval    = time.Second           // between two polls of the files
	promoteInterval = 50 * time.Millisecond // between two checks whether the next replica has synced
)

// reloader runs the replica that is served and, during a reload, the next one, which replaces it
// once it has synced. A newer configuration replaces a next replica that has not been served yet.
// The reloader is the exporter of the web servers and the member of the fleet. Only the goroutine
// of loop starts, stops and replaces replicas.
type reloader struct {
	Reload
	process *process
	metrics *reloadMetrics
	shared  *replica.Metrics // of all replicas
	watched watchedFiles
	refusal atomic.Pointer[error] // why the configuration that was read last was refused; nil: it was not
	group   *errgroup.Group

	active   atomic.Pointer[configuredReplica]
	draining atomic.Bool // another replica takes over; this one serves until then

	mu   sync.Mutex
	plan *shard.Plan        // nil: none yet
	next *configuredReplica // nil: no reload in progress
}

func newReloader(p *process, r Reload) (*reloader, error) {
	l := &reloader{Reload: r, process: p, shared: replica.NewMetrics(p.registry)}
	l.metrics = newReloadMetrics(p.registry, p.Files)
	first, err := l.newReplica(p.Config, p.saved)
	if err != nil {
		return nil, err
	}
	l.active.Store(first)
	first.showMetrics(l.shared)
	return l, nil
}

// Ready implements [web.Exporter].
func (r *reloader) Ready() error {
	if r.draining.Load() {
		return errors.New("stopping; another replica is about to serve this shard")
	}
	err := r.replica().Ready()
	if errors.Is(err, replica.ErrNoShard) && r.process.fleet != nil {
		return errors.New(statuspage.NoShard(r.process.fleet.Overview(), time.Now()))
	}
	return err
}

// Resources implements [web.Exporter].
func (r *reloader) Resources() []string { return r.replica().Resources() }

// Snapshot implements [web.Exporter].
func (r *reloader) Snapshot(f store.Format, include func(resource string) bool) (web.Snapshot, error) {
	snapshot, err := r.replica().Snapshot(f, include)
	if err != nil { // a nil *store.Snapshot would not be a nil web.Snapshot
		return nil, err
	}
	return snapshot, nil
}

func (r *reloader) replica() *replica.Replica { return r.active.Load().replica }

// Follow makes the replicas, present and future, follow a plan; see [fleet.Member].
func (r *reloader) Follow(p shard.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan = &p
	r.replica().Follow(p)
	if r.next != nil {
		r.next.replica.Follow(p)
	}
}

// Holds reports what the active replica holds of a plan; see [fleet.Member]. The next replica
// becomes active only once it holds its whole plan.
func (r *reloader) Holds(p shard.Plan) shard.Held { return r.replica().Holds(p) }

// start runs the active replica in a group, which will run the next ones, too.
func (r *reloader) start(ctx context.Context, in *errgroup.Group) {
	r.group = in
	active := r.active.Load()
	r.watched.baseline = active.Files
	active.start(ctx, in)
}

// loop reloads the configuration when it has changed, until ctx ends.
func (r *reloader) loop(ctx context.Context) {
	poll, promote := time.NewTicker(fileInterval), time.NewTicker(promoteInterval)
	defer poll.Stop()
	defer promote.Stop()
	for {
		var due, changed <-chan time.Time // nil while there is nothing to check
		if r.next != nil {
			due = promote.C
		}
		if len(r.watched.baseline) > 0 {
			changed = poll.C
		}
		select {
		case <-ctx.Done():
			return
		case <-r.Hangup:
			r.reload(ctx)
		case <-changed:
			if r.watched.changed() {
				r.reload(ctx)
			}
		case <-due:
			r.promote()
		}
	}
}

// reload reads the configuration and starts a replica with it, if it is valid and differs from that
// of the active and the next replica.
func (r *reloader) reload(ctx context.Context) {
	active, log := r.active.Load(), r.process.logger
	if len(active.Files) == 0 {
		log.Info("no configuration file to reload")
		return
	}
	next, err := r.read(active)
	r.refusal.Store(nil)
	switch {
	case err != nil:
		r.refusal.Store(&err)
		r.metrics.refuse(active.Files)
		log.Error("configuration refused; the previous one stays in effect", "err", err)
	case next != nil:
		log.Info("configuration changed; the previous one is served until the new one has synced",
			"resources", strings.Join(next.KindNames(), ","))
		r.replaceNext(next)
		next.start(ctx, r.group)
	}
}

// read returns a replica with the configuration; nil if there is one.
func (r *reloader) read(active *configuredReplica) (*configuredReplica, error) {
	c, err := r.Load()
	r.watched.baseline = c.Files
	if err != nil {
		return nil, err
	}
	if err := c.CheckImmutable(active.Config); err != nil {
		return nil, err
	}
	if r.next != nil && c.Equal(r.next.Config) {
		return nil, nil
	}
	if c.Equal(active.Config) {
		r.replaceNext(nil)
		r.metrics.show(c.Files, true)
		r.metrics.count(unchanged)
		r.process.logger.Info("configuration unchanged")
		return nil, nil
	}
	next, err := r.newReplica(c, nil)
	return next, c.Locate(err)
}

// replaceNext sets the next replica, nil for none, and stops the one that it replaces.
func (r *reloader) replaceNext(next *configuredReplica) {
	r.mu.Lock()
	replaced := r.next
	r.next = next
	if next != nil && r.plan != nil {
		next.replica.Follow(*r.plan)
	}
	r.mu.Unlock()
	if replaced != nil {
		replaced.stopAndWait()
		r.metrics.count(superseded)
	}
	r.metrics.pending.Set(boolToFloat(next != nil))
}

// promote makes the next replica the active one, once it holds its plan, and stops the previous one.
func (r *reloader) promote() {
	next, log := r.next, r.process.logger
	r.mu.Lock()
	if next == nil || r.plan != nil && !next.replica.Holds(*r.plan).All {
		r.mu.Unlock()
		return
	}
	previous := r.active.Swap(next)
	r.next = nil
	r.mu.Unlock()
	r.process.holdsChanged()
	next.showMetrics(r.shared)
	// the logger uses the Level of the first configuration
	if err := r.process.Log.Level.Set(next.Log.Level.String()); err != nil {
		log.Error("cannot change the log level", "err", err)
	}
	r.metrics.show(next.Files, r.refusal.Load() == nil)
	r.metrics.count(served)
	r.metrics.pending.Set(0)
	log.Info("new configuration is served")
	previous.stopAndWait()
	debug.FreeOSMemory() // there were two replicas
}

// watchedFiles detects changes of files by their content. That covers every way to replace a file,
// such as a symbolic link that points to another directory, as in a mounted ConfigMap.
type watchedFiles struct{ baseline, last []config.File }

// changed reports whether the files differ from the baseline and are the same as in the previous
// call: a file may be read while it is being written.
func (w *watchedFiles) changed() bool {
	previous := w.last
	w.last = nil
	for _, f := range w.baseline {
		now, _ := f.Read() // an unreadable file is a state like any other
		w.last = append(w.last, now)
	}
	return slices.EqualFunc(w.last, previous, config.File.Equal) &&
		!slices.EqualFunc(w.last, w.baseline, config.File.Equal)
}
