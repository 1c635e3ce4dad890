package main

import (
	"context"

	"github.com/prometheus/common/promslog"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/app"
	"github.com/statefleet/statefleet/internal/capacity"
	"github.com/statefleet/statefleet/internal/config"
)

// estimate writes an estimate.
func estimate(ctx context.Context, args []string, s streams) error {
	e, done, err := config.LoadEstimate(args, s.out, s.err)
	if err != nil || done {
		return err
	}
	o := capacity.Options{
		Kinds:  e.Kinds,
		Filter: e.Filter,
		Given:  e.Given,
		Load: capacity.Load{
			Events: e.Events, Interval: e.ScrapeInterval, Check: e.CheckInterval, RawBytes: e.RawBytes,
			Standby: e.Standby, ServerSharded: e.ServerSharding,
		},
		Limits: capacity.Limits{Memory: e.MemoryLimit, Timeout: e.ScrapeTimeout, Text: e.BodySizeLimit},
		JSON:   e.JSON,
	}
	if e.ReadsCluster() {
		logger := promslog.New(&e.Log)
		klog.SetSlogLogger(logger)
		client, err := app.NewClient(e.Config, logger)
		if err != nil {
			return e.Locate(err)
		}
		o.Cluster = &capacity.Cluster{Client: client, Namespaces: e.Namespaces, Sample: e.Sample}
	}
	return capacity.Estimate(ctx, o, s.out)
}
