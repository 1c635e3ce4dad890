package customresource

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/resources"
)

// The rhythm of a Follower: how often it looks for what is new, how long
// definitions have to be quiet before they count (they are installed in
// batches, and each is changed a few times until it is served), how long a
// change waits at most, and how often what was not found is asked for again.
const (
	lookEvery     = 100 * time.Millisecond
	quietFor      = 500 * time.Millisecond
	waitAtMost    = 5 * time.Second
	askAgainAfter = 30 * time.Second
)

// FollowerOptions say what a Follower follows.
type FollowerOptions struct {
	// Config is the configuration.
	Config *Config
	// Source says where the configuration is from, for the log.
	Source string
	// Filter selects the families.
	Filter resources.Filter
	// Client reaches the API server; see watch.NewClient. It has to be allowed to
	// list and watch customresourcedefinitions in the group apiextensions.k8s.io.
	// Without that right only entries with a resourcePlural and no wildcard work.
	Client *watch.Client
	// Metrics count lists and watches; Sources share one.
	Metrics *watch.Metrics
	// Verifier compares the definitions with lists, except while Idle returns true.
	Verifier *verify.Verifier
	Idle     func() bool
	// Logger gets what an operator should know.
	Logger *slog.Logger
}

// Follower keeps the kinds of a configuration up to date while the definitions
// of custom resources come and go. Make one with NewFollower.
type Follower struct {
	FollowerOptions
	definitions *definitions
	source      *verify.Set
	scopes      *scopes

	// What follows is Run's.
	resolved uint64 // the state of definitions that was handed out
	called   bool
	kinds    []Kind
	logged   string
	warned   map[string]bool // by the place of a metric in the configuration
}

// Definitions is the resource that a Follower follows, and its name in logs and
// self-metrics.
const Definitions = "customresourcedefinitions"

// NewFollower returns a Follower that starts with Run.
func NewFollower(o FollowerOptions) *Follower {
	f := &Follower{FollowerOptions: o, definitions: newDefinitions(o.Logger), scopes: newScopes(o.Client), warned: map[string]bool{}}
	f.source = verify.NewSet(o.Verifier, watch.Options{
		Client:   o.Client,
		Resource: schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: Definitions},
		Selector: func() string { return "" },
		Handler:  f.definitions,
		Metrics:  o.Metrics,
		Logger:   o.Logger,
	}, o.Idle)
	return f
}

// Run follows the definitions until ctx ends. It calls changed from its own
// goroutine with all kinds there are: once when they are first known, be they
// none, and then whenever they are others than before. Kinds that stay are equal
// (==) to those of the call before. Run is called once; everything that it
// started has ended when it returns.
func (f *Follower) Run(ctx context.Context, changed func([]Kind)) {
	var running sync.WaitGroup
	running.Go(func() { f.source.Run(ctx) })
	defer running.Wait()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-look.C:
			if f.due(now) {
				f.resolve(ctx, changed)
			}
		}
	}
}

// Status is that of the watch of the definitions. It may be called concurrently.
func (f *Follower) Status() watch.Status { return f.source.Status() }

// due reports whether there is something new, and time enough has passed.
func (f *Follower) due(now time.Time) bool {
	st := f.source.Status()
	state := f.definitions.state()
	refused := st.Phase == watch.Forbidden || st.Phase == watch.Absent
	switch {
	case !f.called:
		return st.Synced || refused
	case state.generation != f.resolved:
		return st.Synced && (now.Sub(state.last) >= quietFor || now.Sub(state.first) >= waitAtMost)
	}
	return f.scopes.due(now)
}

func (f *Follower) resolve(ctx context.Context, changed func([]Kind)) {
	all, generation := f.definitions.take()
	undefined := f.Config.undefined(all)
	kinds := f.Config.Kinds(append(all, f.scopes.find(ctx, undefined)...), f.Filter, f.Logger)
	if ctx.Err() != nil {
		return
	}
	for i, k := range kinds {
		at := slices.IndexFunc(f.kinds, k.same)
		if at >= 0 {
			kinds[i] = f.kinds[at]
		}
	}
	f.log(kinds)
	f.warnShared(kinds)
	isNew := !f.called || !slices.Equal(kinds, f.kinds)
	f.called, f.resolved, f.kinds = true, generation, kinds
	if isNew {
		changed(slices.Clone(kinds))
	}
}

// same reports whether two kinds of one configuration differ in nothing.
func (k Kind) same(other Kind) bool {
	return k.Resource == other.Resource && k.Namespaced == other.Namespaced && k.Renderer.gvk == other.Renderer.gvk
}

// log says what the operator has to do or to wait for, when that is another
// thing than before.
func (f *Follower) log(kinds []Kind) {
	unmatched := f.Config.unmatched(kinds)
	st := f.source.Status()
	refused := !st.Synced && (st.Phase == watch.Forbidden || st.Phase == watch.Absent)
	key := strings.Join(unmatched, ",")
	if refused {
		key += string(st.Phase)
	}
	if key == f.logged {
		return
	}
	f.logged = key
	switch {
	case refused:
		f.Logger.Warn("custom resource definitions can't be read; only entries of the configuration with a resourcePlural and without wildcards are exported",
			"left_out", unmatched, "err", st.Err)
	case len(unmatched) > 0:
		f.Logger.Info("there are no custom resource definitions for some entries of the configuration; they are exported once there are",
			"entries", unmatched)
	}
}

// warnShared warns of metrics of namespaced kinds whose labels name the object but
// not its namespace, each once. Only definitions tell which kinds these are; metrics
// that do not name the object at all are among the configuration's own warnings.
func (f *Follower) warnShared(kinds []Kind) {
	for _, k := range kinds {
		for _, family := range k.Renderer.metrics {
			for _, m := range family {
				i := m.identifies()
				if f.warned[m.place] || !i.complete(false) || i.complete(k.Namespaced) {
					continue
				}
				f.warned[m.place] = true
				f.Logger.Warn("a metric of objects in namespaces has their name as a label, but not their namespace; "+shares,
					"config", f.Source, "configured", m.place, "metric", m.family.Name, "resource", k.Name)
			}
		}
	}
}
