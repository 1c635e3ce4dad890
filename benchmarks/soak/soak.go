package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/installation"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/testing/faults"
)

// trial is a fleet on a cluster, while it runs.
type trial struct {
	*options
	out     io.Writer
	config  string // file of the configuration
	cluster *simulator.Cluster
	install *installation.Installation
	faults  *faults.Injector
	url     string // of the API
	fleet   *fleet.Fleet
	scraper scraper
}

func (o *options) run(ctx context.Context, out io.Writer) (err error) {
	t := &trial{options: o, out: out, cluster: simulator.New(simulator.Options{Seed: o.seed, ShardSelector: true})}
	spec := generator.Scale(o.pods)
	spec.Seed = o.seed
	if err := t.cluster.Populate(spec.Objects()); err != nil {
		return err
	}
	if t.install, err = installation.New(t.cluster, o.replicas); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "statefleet-soak-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	t.config = filepath.Join(dir, "config.yaml")
	if err := t.configure(false); err != nil {
		return err
	}
	t.faults = faults.New(t.cluster.Handler(), o.seed)
	url, stop, err := fleet.Serve(t.faults)
	if err != nil {
		return err
	}
	defer stop()
	t.url = url
	t.fleet, err = fleet.Start(fleet.Options{Command: t.command(installation.Flags()...), Shards: o.replicas})
	if err != nil {
		return err
	}
	defer t.fleet.Stop()
	if err = t.rounds(ctx); err != nil && o.keepFailed {
		logs, failed := t.fleet.SaveLogs()
		t.say("Logs are in %s.", logs)
		err = errors.Join(err, failed)
	}
	return err
}

func (t *trial) say(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", args...) }

// command is that of a replica, or with no further flags of a process without a shard.
func (t *trial) command(further ...string) fleet.Command {
	return append(fleet.On(*t.binary, "--apiserver="+t.url, "--config="+t.config, "--telemetry.pprof",
		"--store.raw-bytes=256KiB", "--consistency.check-interval=5m"), further...)
}

// configure writes one of two configurations, in one step as kubelets do.
func (t *trial) configure(other bool) error {
	text := "metric-labels-allowlist: {pods: [app]}\n"
	if other {
		text = "metric-labels-allowlist: {pods: [\"*\"], nodes: [\"*\"]}\nmetric-denylist: [kube_pod_tolerations]\n"
	}
	next := t.config + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, t.config)
}

// rounds plays rounds until the time is over, and judges.
func (t *trial) rounds(ctx context.Context) error {
	t.say("%d objects at %s; %d replicas, %.0f pods a second.", t.cluster.Len(), t.url, t.replicas, t.rate)
	if err := t.settle(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	t.scraper.start(ctx, t.fleet.Replicas)
	defer func() { _ = t.scraper.stop() }()
	var looks []look
	for start := time.Now(); time.Since(start) < t.duration-t.round/2; {
		err := t.play(ctx, len(looks))
		var l look
		if err == nil {
			l, err = t.look(ctx)
		}
		t.scraper.away.Store(false)
		if err != nil {
			return fmt.Errorf("round %d: %w", len(looks)+1, err)
		}
		l.at = time.Since(start)
		if looks = append(looks, l); len(looks) == 1 {
			t.say("%5s  %s", "time", lookHeader())
		}
		t.say("%5s  %s", l.at.Round(time.Second), l)
	}
	unanswered := t.scraper.stop()
	t.say("%d scrapes were answered. Requests that were spoiled: %v", t.scraper.done, t.faults.Counts())
	return errors.Join(unanswered, t.compareQuarters(looks), t.comparePages(ctx))
}

// rest is the part of a round in which nothing happens.
const rest = 8 * time.Second

// play lets everything happen once, each in a sixth of the round, while pods come and go. Pods of the
// churn are gone at the end.
func (t *trial) play(ctx context.Context, round int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	churn := generator.Churn{
		JobsPerSecond: t.rate, JobRuns: 2 * time.Second, JobStays: 2 * time.Second, HeartbeatsPerSecond: 10, Tidy: true,
		Seed: t.seed + uint64(round),
	}
	churned := make(chan error, 1)
	go func() { churned <- churn.Run(ctx, t.cluster) }()
	err := t.disturb(ctx, (t.round-rest)/6)
	cancel()
	return errors.Join(err, <-churned)
}

// disturb does each thing that can happen, and waits after each.
func (t *trial) disturb(ctx context.Context, pause time.Duration) error {
	for _, do := range []func() error{
		func() error { t.cluster.CloseWatches(); return nil },
		func() error { t.cluster.Compact(); t.cluster.CloseWatches(); return nil },
		func() error { return t.configure(true) },
		func() error {
			t.scraper.away.Store(true)
			return errors.Join(t.configure(false), t.install.Scale(t.replicas-1))
		},
		func() error { t.faults.SetFaults(0.2, transient()...); t.cluster.CloseWatches(); return nil },
		func() error { t.faults.SetFaults(0); return t.install.Scale(t.replicas) },
	} {
		if err := do(); err != nil {
			return err
		}
		if err := errors.Join(fleet.Pause(ctx, pause), t.fleet.Ended()); err != nil {
			return err
		}
	}
	return nil
}

// transient are the faults from which a replica recovers within seconds.
func transient() []faults.Fault {
	return []faults.Fault{
		faults.Expired, faults.Throttled, faults.Broken, faults.Unavailable, faults.Refused, faults.Reset, faults.Truncated, faults.Garbled,
		faults.NoBookmarks, faults.Duplicated, faults.Replayed, faults.Unsharded, faults.NoStreaming,
	}
}

// convergeTime is how long the fleet may take, once nothing changes, until its pages are right. A watch
// that failed is tried again after 15 seconds at most.
const convergeTime = time.Minute

// comparePages compares the pages of the fleet, joined, with that of a process that has only just started
// and has no shard, and with the cluster.
func (t *trial) comparePages(ctx context.Context) error {
	fresh, err := fleet.StartOne(t.command())
	if err != nil {
		return err
	}
	defer fresh.Stop()
	if err := fresh.WaitReady(ctx, fleet.Patience); err != nil {
		return err
	}
	start := time.Now()
	err = t.fleet.Until(ctx, convergeTime, "the pages are those of the cluster", func(ctx context.Context) error {
		want, err := fresh.Replicas[0].Lines(ctx)
		if err != nil {
			return err
		}
		got := exposition.Lines{}
		for _, r := range t.fleet.Replicas {
			if err := r.Read(ctx, r.URL+"/metrics", got.Add); err != nil {
				return err
			}
		}
		if diff := got.Diff(want); diff != "" {
			return errors.New(diff)
		}
		return t.compareNames(got)
	})
	if err == nil {
		t.say("%.1f s after the last look the pages are those of the cluster.", time.Since(start).Seconds())
	}
	return err
}

// compareNames checks that each object of some kinds is on the pages, by number.
func (t *trial) compareNames(lines exposition.Lines) error {
	var failed error
	for resource, family := range map[string]string{
		"pods": "kube_pod_info{", "jobs": "kube_job_info{", "nodes": "kube_node_info{",
		"configmaps": "kube_configmap_info{", "deployments": "kube_deployment_created{",
	} {
		on, there := lines.Count(family), len(t.cluster.Names(resource))
		if on != there {
			failed = errors.Join(failed, fmt.Errorf("%d %s are in the cluster and %d on the pages", there, resource, on))
		}
	}
	return failed
}

// scrapeEvery is the time between two scrapes of a replica.
const scrapeEvery = 5 * time.Second

// scraper scrapes every replica as Prometheus does.
type scraper struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	away atomic.Bool // the last replica does not belong to the fleet, and has nothing to answer

	mu     sync.Mutex
	done   int
	failed []error
}

func (s *scraper) start(ctx context.Context, replicas []*fleet.Replica) {
	ctx, s.cancel = context.WithCancel(ctx)
	for i, r := range replicas {
		s.running.Go(func() { s.scrape(ctx, r, i == len(replicas)-1) })
	}
}

func (s *scraper) scrape(ctx context.Context, r *fleet.Replica, last bool) {
	for fleet.Pause(ctx, scrapeEvery) == nil {
		if last && s.away.Load() {
			continue
		}
		_, err := r.Scrape(ctx, "gzip")
		s.mu.Lock()
		if err == nil {
			s.done++
		} else if ctx.Err() == nil && (!last || !s.away.Load()) {
			s.failed = append(s.failed, err)
		}
		s.mu.Unlock()
	}
}

// stop ends it, and returns an error if a scrape was not answered.
func (s *scraper) stop() error {
	s.cancel()
	s.running.Wait()
	if len(s.failed) > 0 {
		return fmt.Errorf("%d scrapes failed and %d did not; the first: %w", len(s.failed), s.done, s.failed[0])
	}
	return nil
}
