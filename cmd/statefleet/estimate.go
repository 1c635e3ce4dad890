package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/capacity"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/watch"
)

// estimateCommand is the word that asks for an estimate in place of an exporter. Everything else on a command line is a flag, so
// that lists of arguments of kube-state-metrics mean the same with it and without.
const estimateCommand = "estimate"

// asksForEstimate takes the word off the arguments, if it is there. The scripts for completion put a flag of theirs in front.
func asksForEstimate(args []string) (rest []string, ok bool) {
	const completion = "--completion-bash"
	switch {
	case len(args) > 0 && args[0] == estimateCommand:
		return args[1:], true
	case len(args) > 2 && args[0] == completion && args[1] == estimateCommand:
		return append([]string{completion}, args[2:]...), true
	}
	return args, false
}

// completesCommand reports whether the shell wants to complete the first word, which is no flag.
func completesCommand(args []string) bool {
	return len(args) == 2 && args[0] == "--completion-bash" && strings.HasPrefix(estimateCommand, args[1])
}

const estimateDescription = `Tells what a fleet of statefleet takes, and how many replicas stay within given limits: series and bytes of the pages, memory,
CPU and time of scrapes.

It reads the cluster that the flags lead to: for each kind the number of objects, and some of them for their size. With --pods it
goes by numbers alone, unless --kubeconfig or --apiserver lead to a cluster; then its own numbers count in place of those. All flags of
the fleet are accepted; those that choose what is exposed are followed.`

// estimate prints an estimate and returns the exit status.
func estimate(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := &estimator{}
	f, done, err := command{"statefleet " + estimateCommand, estimateDescription, e.declare}.parse(args, stdout, stderr)
	if done {
		return exitOK
	}
	if err == nil {
		e.settings = &settings{flags: f}
		if err = e.check(); err != nil {
			err = usageError{f.origins.explain(err)}
		}
	}
	if err == nil {
		err = e.run(ctx, stdout)
	}
	if err == nil {
		return exitOK
	}
	code, hint := exitFailure, ""
	if usage := (usageError{}); errors.As(err, &usage) {
		code, hint = exitUsage, " (see statefleet estimate --help)"
	}
	_, _ = fmt.Fprintf(stderr, "statefleet: error: %v%s\n", err, hint) // there is no other place to say it
	return code
}

// estimator is an estimate under way.
type estimator struct {
	estimateFlags
	*settings
}

func (e *estimator) run(ctx context.Context, stdout io.Writer) error {
	costs, err := capacity.Measured()
	if err != nil {
		return err
	}
	kinds := costs.Proportion(e.given, e.names())
	if e.readsCluster() {
		if kinds, err = e.read(ctx); err != nil {
			return err
		}
	}
	load := capacity.Load{
		Kinds: kinds, Events: e.events, Interval: e.interval, Check: e.checkEvery, Standby: e.standby, RawBytes: e.rawBytes,
	}
	if load.Events == 0 {
		load.Events = costs.Assumed.EventsPerPod * float64(objectsOf(kinds, podsKind))
	}
	report := capacity.Report{Costs: costs, Load: load, Limits: e.limits()}
	fit, ok, err := report.Write(stdout)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("no fleet of up to %d replicas stays within the limits: one of %d %s", capacity.MostReplicas, fit.Replicas, report.Limits.Exceeds(fit))
	}
	_, err = io.WriteString(stdout, e.advice(fit))
	return err
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
		counted, err := cluster.Read(ctx, k, e.filter)
		if err != nil {
			return nil, err
		}
		if n, ok := e.given[k.Name()]; ok {
			counted.Objects, counted.Problem = n, ""
		}
		all = append(all, counted)
	}
	return e.withSizes(all)
}

// withSizes fills in the sizes of kinds of which there was no object to measure.
func (e *estimator) withSizes(all []capacity.Kind) ([]capacity.Kind, error) {
	costs, err := capacity.Measured()
	if err != nil {
		return nil, err
	}
	for i, k := range all {
		if k.Objects > 0 && k.Sampled == 0 {
			all[i].Size = costs.Kinds[k.Name].Size
		}
	}
	return all, nil
}

func objectsOf(kinds []capacity.Kind, name string) int {
	for _, k := range kinds {
		if k.Name == name {
			return k.Objects
		}
	}
	return 0
}

// advice is what to tell a chart or a kustomization.
func (e *estimator) advice(r capacity.Replica) string {
	const step = 32 // MiB
	memory := (int(r.Memory/(1<<20))/step + 1) * step
	cpu := int(1000*r.CPU)/50*50 + 50
	limit := ""
	if e.memoryLimit > 0 {
		limit = fmt.Sprintf(",resources.limits.memory=%dMi", e.memoryLimit>>20)
	}
	standby := ""
	if e.standby {
		standby = ",standby.enabled=true"
	}
	return fmt.Sprintf(`
Helm
  --set replicas=%d%s
  --set resources.requests.cpu=%dm,resources.requests.memory=%dMi%s
Kustomize
  replicas: [{name: statefleet, count: %d}]
  patches:
    - target: {kind: StatefulSet, name: statefleet}
      patch: |
        - {op: replace, path: /spec/template/spec/containers/0/resources, value: %s}
`, r.Replicas, standby, cpu, memory, limit, r.Replicas, e.resourcesYAML(cpu, memory))
}

func (e *estimator) resourcesYAML(cpu, memory int) string {
	limits := ""
	if e.memoryLimit > 0 {
		limits = fmt.Sprintf(", limits: {memory: %dMi}", e.memoryLimit>>20)
	}
	return fmt.Sprintf("{requests: {cpu: %dm, memory: %dMi}%s}", cpu, memory, limits)
}

// knownKinds are those that numbers can be given for.
func knownKinds() []string {
	all := map[string]bool{}
	for _, k := range resources.All() {
		all[k.Name()] = true
	}
	return slices.Sorted(maps.Keys(all))
}
