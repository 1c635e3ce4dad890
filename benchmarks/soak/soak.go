package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/testing/faults"
)

// trial is a fleet on a cluster, while it runs.
type trial struct {
	options
	out     io.Writer
	dir     string
	cluster cluster
	faults  *faults.Injector
	url     string // of the API
	fleet   *fleet.Fleet
	scrapes *scraper
}

func soak(ctx context.Context, o options, out io.Writer) (err error) {
	t := &trial{options: o, out: out}
	if t.cluster, err = newCluster(o); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp("", "statefleet-soak-"); err != nil {
		return err
	}
	defer func() {
		if err != nil && o.keepFailed {
			t.say("Logs are in %s.", t.dir)
			return
		}
		_ = os.RemoveAll(t.dir)
	}()
	t.faults = faults.New(t.cluster.handler(), o.seed)
	stopAPI, err := t.serve(ctx)
	if err != nil {
		return err
	}
	defer stopAPI()
	ctx, cancel := context.WithCancel(ctx)
	if err := t.start(ctx); err != nil {
		cancel()
		return err
	}
	defer t.fleet.Wait()
	defer cancel() // before Wait: the replicas end with the context
	return t.run(ctx)
}

func (t *trial) say(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", args...) }

// serve starts the API and sets its address.
func (t *trial) serve(ctx context.Context) (stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t.url = "http://" + listener.Addr().String()
	server := &http.Server{Handler: t.faults, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.say("The API has ended: %v", err)
		}
	}, nil
}

// command is what a replica, or with no further flags a process for everything, runs.
func (t *trial) command(further ...string) fleet.Command {
	return append(fleet.Command{
		t.binary, "--apiserver=" + t.url, "--host=127.0.0.1", "--telemetry-host=127.0.0.1", "--port={{.Port}}", "--telemetry-port={{.TelemetryPort}}",
		"--config=" + t.configFile(), "--telemetry.pprof", "--store.raw-bytes=256KiB", "--consistency.check-interval=5m",
	}, further...)
}

func (t *trial) start(ctx context.Context) (err error) {
	if err := t.configure(false); err != nil {
		return err
	}
	t.fleet, err = fleet.Start(ctx, fleet.Options{
		Command: t.command("--pod="+fleetName+"-{{.Shard}}", "--pod-namespace="+fleetNamespace), Kubeconfig: func(int) string { return "" },
		Shards: t.replicas, Dir: t.dir,
	})
	return err
}

func (t *trial) configFile() string { return filepath.Join(t.dir, "config.yaml") }

// configure writes one of two configurations, at once as kubelets do.
func (t *trial) configure(other bool) error {
	text := "metric-labels-allowlist: {pods: [app]}\n"
	if other {
		text = "metric-labels-allowlist: {pods: [\"*\"], nodes: [\"*\"]}\nmetric-denylist: [kube_pod_tolerations]\n"
	}
	next := t.configFile() + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, t.configFile())
}

// run plays rounds until the time is over, and judges.
func (t *trial) run(ctx context.Context) error {
	t.say("%d objects at %s; %d replicas, %.0f pods a second.", t.cluster.Len(), t.url, t.replicas, t.rate)
	if err := t.settle(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	t.scrapes = startScraper(ctx, t.fleet)
	defer t.scrapes.cancel()
	var looks []look
	for start := time.Now(); time.Since(start) < t.duration-t.round/2; {
		if err := t.play(ctx, len(looks)); err != nil {
			return fmt.Errorf("round %d: %w", len(looks)+1, err)
		}
		l, err := t.look(ctx)
		t.scrapes.away.Store(false)
		if err != nil {
			return fmt.Errorf("round %d: %w", len(looks)+1, err)
		}
		l.at = time.Since(start)
		if looks = append(looks, l); len(looks) == 1 {
			t.say("%5s  %s", "time", lookHeader())
		}
		t.say("%5s  %s", l.at.Round(time.Second), l)
	}
	unanswered := t.scrapes.stop()
	t.say("%d scrapes were answered. Requests that were spoiled: %v", t.scrapes.done, t.faults.Counts())
	return errors.Join(unanswered, t.compareQuarters(looks), t.comparePages(ctx))
}

// rest is the part of a round in which nothing happens.
const rest = 8 * time.Second

// play lets everything happen once, each thing in a sixth of the round, while pods
// come and go. Pods of the churn are gone at the end.
func (t *trial) play(ctx context.Context, round int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	churned := make(chan error, 1)
	go func() {
		churned <- generator.Churn{
			JobsPerSecond: t.rate, JobRuns: 2 * time.Second, JobStays: 2 * time.Second, HeartbeatsPerSecond: 10, Tidy: true, Seed: t.seed + uint64(round),
		}.Run(ctx, t.cluster.Cluster)
	}()
	err := t.happen(ctx, (t.round-rest)/6)
	cancel()
	return errors.Join(err, <-churned)
}

// happen does each thing that can happen, and waits after each.
func (t *trial) happen(ctx context.Context, pause time.Duration) error {
	for _, do := range []func() error{
		func() error { t.cluster.CloseWatches(); return nil },
		func() error { t.cluster.Compact(); t.cluster.CloseWatches(); return nil },
		func() error { return t.configure(true) },
		func() error {
			t.scrapes.away.Store(true)
			return errors.Join(t.configure(false), t.cluster.scale(t.replicas-1))
		},
		func() error { t.faults.SetFaults(0.2, spells()...); t.cluster.CloseWatches(); return nil },
		func() error { t.faults.SetFaults(0); return t.cluster.scale(t.replicas) },
	} {
		if err := do(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-t.fleet.Failed():
			return err
		case <-time.After(pause):
		}
	}
	return nil
}

// spells are the faults of a bad spell: all from which a replica recovers within
// seconds.
func spells() []faults.Fault {
	return []faults.Fault{
		faults.Expired, faults.Throttled, faults.Broken, faults.Unavailable, faults.Refused, faults.Reset, faults.Truncated, faults.Garbled,
		faults.NoBookmarks, faults.Duplicated, faults.Replayed, faults.Unsharded, faults.NoStreaming,
	}
}
