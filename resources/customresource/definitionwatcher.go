package customresource

import (
	"cmp"
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

// The watcher looks for changes every pollInterval. Definitions are installed in batches, and each is changed a few
// times until it is served. So changes count once there was none for debounce, but after maxDebounce at the latest.
const (
	pollInterval = 100 * time.Millisecond
	debounce     = 500 * time.Millisecond
	maxDebounce  = 5 * time.Second
)

// defaultGrace is longer than an API server takes to read its roles when it starts. Until then it refuses allowed
// requests.
const defaultGrace = 10 * time.Second

// Definitions is the API resource that a DefinitionWatcher watches, and its name in logs and
// self-metrics.
const Definitions = "customresourcedefinitions"

// DefinitionWatcherOptions are the options of a DefinitionWatcher.
type DefinitionWatcherOptions struct {
	// Config is the configuration.
	Config *Config
	// Source names the origin of the configuration, for the log.
	Source string
	// Filter selects the families.
	Filter resources.Filter
	// Client is the client of the API server; see watch.NewClient. It needs the right to list and watch
	// customresourcedefinitions in the group apiextensions.k8s.io. Without that right only entries without a wildcard
	// work, by the API server's discovery.
	Client *watch.Client
	// Metrics count lists and watches. All Reflectors share them.
	Metrics *watch.Metrics
	// Verifier compares the definitions with lists, except while Idle returns true.
	Verifier *verify.Verifier
	Idle     func() bool
	// Grace is how long the first call of changed is delayed while the definitions are forbidden or discovery fails; 0
	// stands for the default.
	Grace time.Duration
	// Logger receives the messages for operators.
	Logger *slog.Logger
}

// DefinitionWatcher keeps the kinds of a configuration up to date while definitions of custom resources are added,
// changed and removed. Create it with NewDefinitionWatcher.
type DefinitionWatcher struct {
	DefinitionWatcherOptions
	definitions *definitions
	source      *verify.Set
	discovery   *discovery

	// The state of Run.
	began     time.Time // when kinds were first resolved
	resolved  uint64    // generation of the definitions from which kinds follows
	published bool
	kinds     []Kind
	logged    string
	warned    map[string]bool // by the place of a metric in the configuration
}

// NewDefinitionWatcher returns a DefinitionWatcher. Run starts it.
func NewDefinitionWatcher(o DefinitionWatcherOptions) *DefinitionWatcher {
	o.Grace = cmp.Or(o.Grace, defaultGrace)
	w := &DefinitionWatcher{
		DefinitionWatcherOptions: o,
		definitions:              newDefinitions(o.Logger),
		discovery:                newDiscovery(o.Client, o.Config.strict),
		warned:                   map[string]bool{},
	}
	w.source = verify.NewSet(o.Verifier, watch.Options{
		Client:   o.Client,
		Resource: schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: Definitions},
		Selector: func() string { return "" },
		Handler:  w.definitions,
		Metrics:  o.Metrics,
		Logger:   o.Logger,
	}, o.Idle)
	return w
}

// Run watches the definitions until ctx ends. It calls changed from its own goroutine with all kinds: once when they
// are first known, even if there are none, and then whenever they change. Kinds that stay are equal (==) to those of
// the previous call. Call Run once. Everything that it started has ended when it returns.
func (w *DefinitionWatcher) Run(ctx context.Context, changed func([]Kind)) {
	var running sync.WaitGroup
	running.Go(func() { w.source.Run(ctx) })
	defer running.Wait()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-poll.C:
			if w.due(now) {
				w.resolve(ctx, changed)
			}
		}
	}
}

// Status returns the status of the watch of the definitions. It is safe for concurrent use.
func (w *DefinitionWatcher) Status() watch.Status { return w.source.Status() }

// refused reports whether the definitions cannot be read.
func refused(st watch.Status) bool { return st.Phase == watch.Forbidden || st.Phase == watch.Absent }

// due reports whether there are changes to resolve.
func (w *DefinitionWatcher) due(now time.Time) bool {
	st := w.source.Status()
	state := w.definitions.state()
	switch {
	case !w.published:
		isTransient := st.Phase == watch.Forbidden && now.Sub(st.Since) < w.Grace
		return (st.Synced || refused(st) && !isTransient) && (w.began.IsZero() || w.discovery.due(now))
	case state.generation != w.resolved:
		return st.Synced && (now.Sub(state.last) >= debounce || now.Sub(state.first) >= maxDebounce)
	}
	return w.discovery.due(now)
}

func (w *DefinitionWatcher) resolve(ctx context.Context, changed func([]Kind)) {
	if w.began.IsZero() {
		w.began = time.Now()
	}
	all, generation := w.definitions.snapshot()
	undefined := w.Config.undefined(all)
	kinds := w.Config.Kinds(append(all, w.discovery.find(ctx, undefined)...), w.Filter, w.Logger)
	isTransient := w.discovery.failed && time.Since(w.began) < w.Grace
	if ctx.Err() != nil || !w.published && isTransient {
		return
	}
	for i, k := range kinds {
		if at := slices.IndexFunc(w.kinds, k.same); at >= 0 {
			kinds[i] = w.kinds[at]
		}
	}
	w.log(kinds)
	w.warnShared(kinds)
	isNew := !w.published || !slices.Equal(kinds, w.kinds)
	w.published, w.resolved, w.kinds = true, generation, kinds
	if isNew {
		changed(slices.Clone(kinds))
	}
}

// log logs which entries are left out, if that has changed.
func (w *DefinitionWatcher) log(kinds []Kind) {
	unmatched := w.Config.unmatched(kinds)
	st := w.source.Status()
	isRefused := !st.Synced && refused(st)
	key := strings.Join(unmatched, ",") + ";" + strings.Join(w.discovery.unwatchable, ",")
	if isRefused {
		key += string(st.Phase)
	}
	if key == w.logged {
		return
	}
	w.logged = key
	switch {
	case isRefused && len(unmatched) > 0:
		w.Logger.Warn("custom resource definitions can't be read; only entries of the configuration without wildcards "+
			"are exported, as far as the API server's discovery has their kind", "left_out", unmatched, "err", st.Err)
	case len(unmatched) > 0:
		w.Logger.Info("the API server does not have the kinds of some entries of the configuration; they are exported "+
			"once it has", "entries", unmatched)
	}
	if len(w.discovery.unwatchable) > 0 {
		w.Logger.Warn("the API server cannot list and watch the kinds of some entries of the configuration; "+
			"they are not exported", "kinds", w.discovery.unwatchable)
	}
}

// warnShared warns once about each metric of a namespaced kind whose labels include the object's name, but not its
// namespace. Only definitions state which kinds are namespaced. Metrics without the name are warnings of the
// configuration itself.
func (w *DefinitionWatcher) warnShared(kinds []Kind) {
	for _, k := range kinds {
		for _, m := range slices.Concat(k.Renderer.metrics...) {
			i := m.identity(false)
			if w.warned[m.place] || !i.complete(false) || i.complete(k.Namespaced) {
				continue
			}
			w.warned[m.place] = true
			w.Logger.Warn("a metric of objects in namespaces has their name as a label, but not their namespace; "+sharedSeries,
				"config", w.Source, "configured", m.place, "metric", m.family.Name, "resource", k.Name)
		}
	}
}
