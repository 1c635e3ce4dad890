package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/capacity"
	"github.com/statefleet/statefleet/internal/watch"
)

// estimateCommand is the word that asks for an estimate in place of an exporter. Everything else on a command line is a flag, so
// that lists of arguments of kube-state-metrics mean the same as ever.
const (
	estimateCommand = "estimate"
	estimateName    = programName + " " + estimateCommand
)

// completionFlag is what the scripts for completion put in front of the words so far.
const completionFlag = "--completion-bash"

// asksForEstimate takes the word off the arguments, if it is there.
func asksForEstimate(args []string) (rest []string, ok bool) {
	switch {
	case len(args) > 0 && args[0] == estimateCommand:
		return args[1:], true
	case len(args) > 2 && args[0] == completionFlag && args[1] == estimateCommand:
		return slices.Concat(args[:1], args[2:]), true
	}
	return args, false
}

// completesCommand reports whether a shell wants to complete the first word, which is no flag.
func completesCommand(args []string) bool {
	return len(args) == 2 && args[0] == completionFlag && strings.HasPrefix(estimateCommand, args[1])
}

func writeLine(w io.Writer, line string) error {
	_, err := fmt.Fprintln(w, line)
	return err
}

const estimateDescription = `Tells what a fleet of statefleet takes, and how many replicas stay within given limits: series and bytes of the pages, memory,
CPU and time of scrapes.

It reads the cluster that the flags lead to: for each kind the number of objects, and some of them for their size. With --pods it
takes numbers alone, unless --kubeconfig or --apiserver lead to a cluster; then its own numbers count in place of those. All flags of
the fleet are accepted, and those that choose what is exposed are followed.`

// estimate prints an estimate, or what else the arguments ask for, to stdout.
func estimate(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	e := &estimator{}
	f, done, err := command{estimateName, estimateDescription, e.declare}.parse(args, stdout, stderr)
	if err != nil || done {
		return err
	}
	e.settings = &settings{flags: f}
	if err := e.check(); err != nil {
		return usageError{f.origins.explain(err)}
	}
	return e.run(ctx, stdout)
}

// estimator is an estimate under way.
type estimator struct {
	estimateFlags
	*settings
	costs capacity.Costs
}

func (e *estimator) run(ctx context.Context, stdout io.Writer) (err error) {
	if e.costs, err = capacity.Measured(); err != nil {
		return err
	}
	kinds := e.costs.ScaleFromPods(e.given, e.names())
	if e.readsCluster() {
		if kinds, err = e.read(ctx); err != nil {
			return err
		}
	}
	report := capacity.Report{Costs: e.costs, Load: e.load(kinds), Limits: e.limits()}
	fit, ok, err := report.Write(stdout)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("no fleet of up to %d replicas stays within the limits: one of %d %s",
			capacity.MaxReplicas, fit.Replicas, report.Limits.Exceeds(fit))
	}
	return e.advise(stdout, fit)
}

func (e *estimator) load(kinds []capacity.Kind) capacity.Load {
	l := capacity.Load{
		Kinds: kinds, Events: e.events, Interval: e.interval, Check: e.checkEvery, Standby: e.standby, RawBytes: e.rawBytes,
		ServerSharded: e.serverSharding,
	}
	if l.Events == 0 {
		l.Events = e.costs.DefaultEvents(kinds)
	}
	return l
}

// read counts and measures what the cluster has. Numbers that are given count in place of its own.
func (e *estimator) read(ctx context.Context) ([]capacity.Kind, error) {
	klog.SetSlogLogger(e.logger)
	config, err := e.apiConfig()
	if err != nil {
		return nil, err
	}
	client, err := watch.NewClient(config, watch.AcceptBoth)
	if err != nil {
		return nil, e.apiError(err)
	}
	cluster := capacity.Cluster{Client: client, Namespaces: e.namespaces, Sample: e.sample}
	var all []capacity.Kind
	for _, k := range e.kinds {
		found, err := cluster.Read(ctx, k, e.filter)
		if err != nil {
			return nil, err
		}
		if n, ok := e.given[k.Name()]; ok {
			found.Objects, found.Problem = n, ""
		}
		if found.Sampled == 0 {
			found.Size = e.costs.Kinds[k.Name()].Size
		}
		all = append(all, found)
	}
	if !slices.ContainsFunc(all, func(k capacity.Kind) bool { return k.Problem == "" }) {
		return nil, errors.New("the API server allows to list none of the kinds")
	}
	return all, nil
}

// advise writes what to tell the chart or a kustomization.
func (e *estimator) advise(w io.Writer, r capacity.Replica) error {
	cpu, memory := r.Requests(e.memoryLimit)
	standby, base := "", "base"
	if e.standby {
		standby, base = ",standby.enabled=true", "overlays/standby"
	}
	limit, limits := "null", "" // null takes the chart's default away
	if e.memoryLimit > 0 {
		limit = resource.NewQuantity(e.memoryLimit, resource.BinarySI).String()
		limits = ", limits: {memory: " + limit + "}"
	}
	_, err := fmt.Fprintf(w, `
Helm
  --set replicas=%d%s
  --set resources.requests.cpu=%s,resources.requests.memory=%s,resources.limits.memory=%s
Kustomize
  resources: [manifests/%s]
  replicas: [{name: statefleet, count: %d}]
  patches:
    - target: {kind: StatefulSet, name: statefleet}
      patch: |
        - {op: replace, path: /spec/template/spec/containers/0/resources, value: {requests: {cpu: %s, memory: %s}%s}}
`, r.Replicas, standby, cpu, memory, limit, base, r.Replicas, cpu, memory, limits)
	return err
}
