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

// trial is a running fleet on a simulated cluster.
type trial struct {
	*options
	out     io.Writer
	config  string // path of the configuration file
	cluster *simulator.Cluster
	install *installation.Installation
	faults  *faults.Injector
	url     string // of the API
	fleet   *fleet.Fleet
	scraper scraper
}

func (o *options) run(ctx context.Context, out, _ io.Writer) (err error) {
	t := &trial{options: o, out: out}
	if t.cluster, err = generator.NewCluster(o.pods, simulator.Options{Seed: o.seed, ShardSelector: true}); err != nil {
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
	if err = t.runRounds(ctx); err != nil && o.keepFailed {
		logs, failed := t.fleet.SaveLogs()
		t.printf("The logs are in %s.", logs)
		err = errors.Join(err, failed)
	}
	return err
}

func (t *trial) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", args...) }

// command returns the command line of a replica. Without flags it is that of a process without sharding.
func (t *trial) command(flags ...string) fleet.Command {
	return append(fleet.On(*t.binary, "--apiserver="+t.url, "--config="+t.config, "--telemetry.pprof",
		"--store.raw-bytes=256KiB", "--consistency.check-interval=5m"), flags...)
}

// configure writes one of two configurations, atomically as kubelets do.
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

// runRounds runs rounds until the duration is over, and then checks the results.
func (t *trial) runRounds(ctx context.Context) error {
	t.printf("%d objects at %s; %d replicas, %.0f pods a second.", t.cluster.Len(), t.url, t.replicas, t.rate)
	if err := t.settle(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	t.scraper.start(ctx, t.fleet.Replicas)
	defer func() { _ = t.scraper.stop() }()
	var samples []sample
	for start := time.Now(); time.Since(start) < t.duration-t.round/2; {
		err := t.runRound(ctx, len(samples))
		var s sample
		if err == nil {
			s, err = t.sample(ctx)
		}
		t.scraper.away.Store(false)
		if err != nil {
			return fmt.Errorf("round %d: %w", len(samples)+1, err)
		}
		s.at = time.Since(start)
		if samples = append(samples, s); len(samples) == 1 {
			t.printf("%5s  %s", "time", tableHeader())
		}
		t.printf("%5s  %s", s.at.Round(time.Second), s)
	}
	failed := t.scraper.stop()
	t.printf("%d scrapes succeeded. Requests with each fault: %v", t.scraper.done, t.faults.Counts())
	return errors.Join(failed, t.compareQuarters(samples), t.compareExpositions(ctx))
}

// quietTime is the part of a round without disturbances.
const quietTime = 8 * time.Second

// runRound causes each disturbance once, in a sixth of the round each, while pods come and go. At the end
// all pods of the churn are deleted.
func (t *trial) runRound(ctx context.Context, round int) error {
	churn := generator.Churn{
		JobsPerSecond: t.rate, JobRuns: 2 * time.Second, JobStays: 2 * time.Second, HeartbeatsPerSecond: 10, Tidy: true,
		Seed: t.seed + uint64(round),
	}
	return churn.During(ctx, t.cluster, func(ctx context.Context) error { return t.disturb(ctx, (t.round-quietTime)/6) })
}

// disturb causes one disturbance after the other, with a pause after each.
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

// transient returns the faults from which a replica recovers within seconds.
func transient() []faults.Fault {
	return []faults.Fault{
		faults.Expired, faults.Throttled, faults.Broken, faults.Unavailable, faults.Refused, faults.Reset, faults.Truncated, faults.Garbled,
		faults.NoBookmarks, faults.Duplicated, faults.Replayed, faults.Unsharded, faults.NoStreaming,
	}
}

// convergeTimeout limits how long the expositions may differ from the cluster once nothing changes. A
// failed watch is retried after 15 seconds at most.
const convergeTimeout = time.Minute

// compareExpositions compares the expositions of all replicas together with that of an unsharded process
// that has just started, and with the cluster.
func (t *trial) compareExpositions(ctx context.Context) error {
	fresh, err := fleet.StartOne(t.command())
	if err != nil {
		return err
	}
	defer fresh.Stop()
	if err := fresh.WaitReady(ctx, fleet.DefaultTimeout); err != nil {
		return err
	}
	start := time.Now()
	err = t.fleet.Until(ctx, convergeTimeout, "the expositions match the cluster", func(ctx context.Context) error {
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
		return t.compareCounts(got)
	})
	if err == nil {
		t.printf("%.1f s after the last measurement, the expositions match the cluster.", time.Since(start).Seconds())
	}
	return err
}

// compareCounts checks for some kinds that the expositions have as many objects as the cluster.
func (t *trial) compareCounts(lines exposition.Lines) error {
	var failed error
	for resource, family := range map[string]string{
		"pods": "kube_pod_info{", "jobs": "kube_job_info{", "nodes": "kube_node_info{",
		"configmaps": "kube_configmap_info{", "deployments": "kube_deployment_created{",
	} {
		got, want := lines.Count(family), len(t.cluster.Names(resource))
		if got != want {
			failed = errors.Join(failed, fmt.Errorf("the expositions have %d %s, want %d", got, resource, want))
		}
	}
	return failed
}

// scrapeInterval is the pause between two scrapes of a replica.
const scrapeInterval = 5 * time.Second

// scraper scrapes every replica as Prometheus does.
type scraper struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	away atomic.Bool // the last replica does not belong to the fleet, so it is not scraped

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
	for fleet.Pause(ctx, scrapeInterval) == nil {
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

// stop stops the scrapes, and returns an error if one failed.
func (s *scraper) stop() error {
	s.cancel()
	s.running.Wait()
	if len(s.failed) > 0 {
		return fmt.Errorf("%d scrapes failed and %d succeeded; first error: %w", len(s.failed), s.done, s.failed[0])
	}
	return nil
}
