package limits

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/installation"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/capacity"
)

const (
	// keptEvents is how many bytes of events the simulated API server keeps for each resource. Like a real one, it keeps
	// those of more than a minute, at 1,000 events per second.
	keptEvents = 1 << 30

	// drainTimeout is --drain-timeout of the replicas. On few cores, lists of added objects take long.
	drainTimeout = 5 * time.Minute

	// graceMargin is how much longer the grace period of a pod is than --drain-timeout, as in the manifests.
	graceMargin = 30 * time.Second
)

// setup is a simulated cluster with a fleet. Each replica has an API server of its own, so that its traffic can be
// measured. Only targets and read may be called concurrently.
type setup struct {
	*options
	costs    capacity.Costs
	cluster  *simulator.Cluster
	install  *installation.Installation
	fleet    *fleet.Fleet
	progress io.Writer
	dir      string

	servers []*simulator.Server // of the replicas, by ordinal
	audits  *audits             // nil before openAudits

	mu        sync.Mutex
	processes []*fleet.Replica // all that were started so far

	rows    []row
	audited []auditResult
	fitRun  fit.Run // start and steady state
}

// newSetup creates the cluster, and starts no replica. The caller closes the setup.
func newSetup(o *options, costs capacity.Costs, progress io.Writer) (s *setup, err error) {
	s = &setup{options: o, costs: costs, progress: progress}
	s.fitRun = fit.Run{Shards: o.replicas, ServerSharded: o.byServer}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	began := time.Now()
	s.cluster = simulator.New(simulator.Options{Seed: seed, LogEvents: 1 << 20})
	s.cluster.KeepEvents(keptEvents)
	if err := s.cluster.Populate(o.spec().Objects()); err != nil {
		return s, err
	}
	debug.FreeOSMemory()
	s.printf("created a cluster of %d objects in %.1f s", s.cluster.Len(), time.Since(began).Seconds())
	if s.dir, err = os.MkdirTemp("", "statefleet-limits-"); err != nil {
		return s, err
	}
	for i := range max(o.replicas, o.to) {
		server, err := s.cluster.Serve("")
		if err != nil {
			return s, err
		}
		server.HonourShards(o.byServer)
		s.servers = append(s.servers, server)
		if err := fleet.WriteKubeconfig(s.kubeconfig(i), server.URL(), nil, ""); err != nil {
			return s, err
		}
		if err := os.Mkdir(filepath.Join(s.dir, fmt.Sprintf("state-%d", i)), 0o700); err != nil {
			return s, err
		}
	}
	s.install, err = installation.New(s.cluster, o.replicas)
	return s, err
}

func (s *setup) kubeconfig(ordinal int) string {
	return filepath.Join(s.dir, fmt.Sprintf("kubeconfig-%d", ordinal))
}

// command returns the command of the replicas. Consistency checks are off, because they run at random times and would
// distort some of the measurements.
func (s *setup) command(more ...string) fleet.Command {
	c := append(fleet.On(*s.binary, "--kubeconfig={{.Kubeconfig}}", "--consistency.check-interval=0",
		"--drain-timeout="+drainTimeout.String()), installation.Flags()...)
	return append(c, more...)
}

// snapshotFlag returns the flag with which replicas save their state.
func (s *setup) snapshotFlag() string {
	return "--store.snapshot-dir=" + filepath.Join(s.dir, "state-{{.Shard}}")
}

func (s *setup) close() {
	if s.fleet != nil {
		s.fleet.Stop()
	}
	if s.audits != nil {
		s.audits.close()
	}
	for _, server := range s.servers {
		server.Stop()
	}
	_ = os.RemoveAll(s.dir) // it is in the temporary directory
}

func (s *setup) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.progress, format+"\n", args...)
}

// track records the processes that were started since the last call.
func (s *setup) track() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.fleet.Replicas {
		if !slices.Contains(s.processes, r) {
			s.processes = append(s.processes, r)
		}
	}
}

// started returns all processes that were started so far.
func (s *setup) started() []*fleet.Replica {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[:len(s.processes):len(s.processes)]
}
