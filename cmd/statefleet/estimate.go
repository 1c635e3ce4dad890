package main

import (
	"context"
	"io"
	"slices"

	"github.com/prometheus/common/promslog"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/app"
	"github.com/statefleet/statefleet/internal/capacity"
	"github.com/statefleet/statefleet/internal/config"
)

// estimateCommand asks for an estimate instead of an exporter. All other arguments are flags, so
// that arguments for kube-state-metrics keep their meaning.
const estimateCommand = "estimate"

// completionFlag is what shell completion puts before the words so far.
const completionFlag = "--completion-bash"

// isEstimate reports whether args begin with the command, and returns the arguments without it.
func isEstimate(args []string) (rest []string, ok bool) {
	switch {
	case len(args) > 0 && args[0] == estimateCommand:
		return args[1:], true
	case len(args) > 2 && args[0] == completionFlag && args[1] == estimateCommand:
		return slices.Concat(args[:1], args[2:]), true
	}
	return args, false
}

// estimate writes an estimate.
func estimate(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	e, done, err := config.LoadEstimate(args, stdout, stderr)
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
		Limits: capacity.Limits{Memory: e.MemoryLimit, Timeout: e.ScrapeTimeout, Text: e.MaxPage},
		JSON:   e.Output == config.JSONOutput,
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
	return capacity.Estimate(ctx, o, stdout)
}
