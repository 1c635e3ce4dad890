package scrapes

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

const (
	pollInterval = 250 * time.Millisecond // between two readings of Prometheus
	startTimeout = 5 * time.Minute        // of a start, and of the scrapes in addition to their interval

	podsPerJob = 11 // one of which belongs to the job, as in generator.Scale
)

// setup is a simulated cluster.
type setup struct {
	*options
	cluster  *simulator.Cluster
	server   *simulator.Server
	progress io.Writer
	dir      string
}

func newSetup(o *options, progress io.Writer) (s *setup, err error) {
	s = &setup{options: o, progress: progress}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	s.cluster, err = generator.NewCluster(o.pods-o.pods/podsPerJob,
		simulator.Options{Seed: seed, LogEvents: 1 << 20, ShardSelector: true})
	if err != nil {
		return s, err
	}
	debug.FreeOSMemory()
	s.printf("cluster of %d objects", s.cluster.Len())
	if s.dir, err = os.MkdirTemp("", "statefleet-scrapes-"); err != nil {
		return s, err
	}
	s.server, err = s.cluster.Serve("")
	return s, err
}

func (s *setup) close() {
	if s.server != nil {
		s.server.Stop()
	}
	_ = os.RemoveAll(s.dir) // it is in the temporary directory
}

func (s *setup) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.progress, format+"\n", args...)
}

// measure runs a fleet and a Prometheus, and measures one combination.
func (s *setup) measure(ctx context.Context, c combination) (f figures, err error) {
	f.combination = c
	replicas, err := fleet.Start(fleet.Options{
		Command: fleet.On(*s.binary, "--apiserver="+s.server.URL(), "--shard={{.Shard}}", "--total-shards={{.Shards}}",
			"--config="+filepath.Join(s.profileDir, c.Profile+".yaml"), fmt.Sprintf("--metric.skip-zero-statesets=%v", !c.Zeros)),
		Shards: c.Replicas,
	})
	if err != nil {
		return f, err
	}
	defer replicas.Stop()
	if err := replicas.WaitReady(ctx, startTimeout); err != nil {
		return f, err
	}
	dir, err := os.MkdirTemp(s.dir, "prometheus-")
	if err != nil {
		return f, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the next Prometheus has another one
	w, err := s.watch(dir, replicas)
	if err != nil {
		return f, err
	}
	defer w.process.Kill() // its data are removed
	err = w.run(ctx, s, &f)
	return f, err
}

// watch starts a Prometheus that scrapes the replicas.
func (s *setup) watch(dir string, replicas *fleet.Fleet) (*watcher, error) {
	ports, release, err := fleet.ReservePorts(fleet.Loopback, 1)
	defer release()
	if err != nil {
		return nil, err
	}
	w := &watcher{fleet: replicas, interval: s.interval, most: uint64(s.mostMemory), times: map[string]float64{}}
	url := fleet.Address(ports[0])
	args := []string{"--dir=" + dir, "--interval=" + s.interval.String(), "--listen=" + strings.TrimPrefix(url, "http://")}
	for _, r := range replicas.Replicas {
		w.targets = append(w.targets, strings.TrimPrefix(r.URL, "http://"))
		args = append(args, "--target="+w.targets[len(w.targets)-1])
	}
	w.process, err = fleet.Launch("prometheus", s.prometheus, url, url, args)
	return w, err
}

// run measures the first scrape of each target, and then the later ones.
func (w *watcher) run(ctx context.Context, s *setup, f *figures) error {
	first, err := w.rounds(ctx, 1, s.interval+startTimeout)
	f.Resident = first.resident
	if err != nil {
		return err
	}
	f.FirstCPU, f.FirstTook = first.cpu, w.longest
	w.longest, w.took, w.scrapes = 0, 0, 0
	n := max(1, int(s.duration/s.interval))
	last, err := w.rounds(ctx, 1+n, s.duration+startTimeout)
	f.Resident = last.resident
	if err != nil {
		return err
	}
	count := float64(n)
	f.CPU, f.Took, f.Longest = (last.cpu-first.cpu)/count, w.took/max(w.scrapes, 1), w.longest
	f.Samples, f.Allocated = last.samples, (last.allocated-first.allocated)/count
	f.Series, f.Created, f.Live = last.series, (last.created-first.created)/last.at.Sub(first.at).Seconds(), last.live
	for _, r := range w.fleet.Replicas {
		gzip, err := r.Scrape(ctx, "gzip")
		if err != nil {
			return err
		}
		identity, err := r.Scrape(ctx, "identity")
		if err != nil {
			return err
		}
		f.Gzip, f.Text = f.Gzip+float64(gzip.Bytes), f.Text+float64(identity.Bytes)
	}
	return nil
}
