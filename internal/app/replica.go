package app

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/resources/customresource"
)

// configuredReplica is a replica with one configuration. Another configuration needs another
// replica, which runs beside the active one until it can replace it.
type configuredReplica struct {
	*config.Config
	warnings          []string // about the configuration
	exposesNothing    bool     // the configuration leaves no metric family
	replica           *replica.Replica
	builtin           []replica.Kind
	definitionWatcher *customresource.DefinitionWatcher // nil: no custom resources
	client            *watch.Client                     // of definitionWatcher

	cancel context.CancelFunc
	done   chan struct{}
}

// newReplica makes a replica that start will run. It continues from a saved state; nil: it lists
// everything.
func (r *reloader) newReplica(c *config.Config, saved *stateSaver) (*configuredReplica, error) {
	log := r.process.logger
	api, err := r.process.restConfig(c)
	if err != nil {
		return nil, err
	}
	warnings, exposesNothing := c.Warnings(), c.ExposesNothing()
	for _, w := range warnings {
		log.Warn("questionable configuration", "warning", w)
	}
	if exposesNothing {
		log.Warn("no metric family is exposed: the kinds and the lists of metric families leave none")
	}
	builtin, err := replica.Builtin(c.Kinds, c.Filter)
	if err != nil {
		return nil, err
	}
	next := &configuredReplica{Config: c, warnings: warnings, exposesNothing: exposesNothing, builtin: builtin}
	verifier := verify.New(verify.Options{Every: c.CheckInterval, Metrics: r.shared.Verify()})
	next.replica, err = replica.New(replica.Options{
		Config:            api,
		Kinds:             builtin,
		KindsFollow:       c.Custom != nil,
		Namespaces:        c.Namespaces,
		NamespacesDenied:  c.NamespacesDenied,
		NamespaceSelector: c.NamespaceSelector,
		ObjectSelectors:   c.ObjectSelectors,
		Node:              c.Node,
		TrackUnscheduled:  c.TrackUnscheduled,
		UseAPIServerCache: c.UseAPIServerCache,
		ObjectLimit:       c.ObjectLimit,
		ObjectBytes:       c.ObjectBytes,
		ByteLimit:         c.ByteLimit,
		HoldDeleted:       c.HoldDeleted,
		CustomGrace:       c.CustomGrace,
		Verifier:          verifier,
		HoldsChanged:      r.process.holdsChanged,
		RawBytes:          c.RawBytes,
		ReadState:         saved.reader(c),
		Logger:            log,
		Metrics:           r.shared,
	})
	if err != nil {
		return nil, apiError(c, err)
	}
	if c.Custom == nil {
		return next, nil
	}
	if next.client, err = watch.NewClient(api, watch.AcceptBoth); err != nil {
		return nil, apiError(c, err)
	}
	next.definitionWatcher = customresource.NewDefinitionWatcher(customresource.DefinitionWatcherOptions{
		Config:   c.Custom,
		Source:   c.CustomSource,
		Filter:   c.Filter,
		Client:   next.client,
		Metrics:  r.shared.Watch(),
		Verifier: verifier,
		Idle:     next.replica.Idle,
		Logger:   log,
	})
	return next, nil
}

// showMetrics makes the metrics those of this replica.
func (r *configuredReplica) showMetrics(metrics *replica.Metrics) {
	var extra []replica.ExtraResource
	if r.definitionWatcher != nil {
		extra = []replica.ExtraResource{{Resource: customresource.Definitions, Status: r.definitionWatcher.Status}}
	}
	metrics.SetSource(r.replica, extra...)
}

// start runs the replica in a group until ctx ends or stopAndWait is called.
func (r *configuredReplica) start(ctx context.Context, in *errgroup.Group) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.done = make(chan struct{})
	in.Go(func() error {
		defer close(r.done)
		var parts sync.WaitGroup
		parts.Go(func() { r.replica.Run(ctx) })
		if r.definitionWatcher != nil {
			parts.Go(func() {
				defer r.client.CloseIdleConnections()
				r.definitionWatcher.Run(ctx, r.setCustomKinds)
			})
		}
		parts.Wait()
		return nil
	})
}

func (r *configuredReplica) stopAndWait() {
	r.cancel()
	<-r.done
}

// setCustomKinds sets the custom kinds.
func (r *configuredReplica) setCustomKinds(custom []customresource.Kind) {
	kinds := slices.Clone(r.builtin)
	for _, k := range custom {
		kinds = append(kinds, replica.Kind{
			Name: k.Name, Resource: k.Resource, Namespaced: k.Namespaced, Renderer: k.Renderer,
			Custom: true, Form: k.Form, LabelSelector: k.LabelSelector, FieldSelector: k.FieldSelector,
		})
	}
	r.replica.SetKinds(kinds)
}
