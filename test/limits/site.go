package limits

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/installation"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/capacity"
)

const (
	// keptEvents is how many bytes of events the simulated API server keeps for each resource: more than a minute's at
	// 1,000 a second, as real ones do.
	keptEvents = 1 << 30

	// graceBeyond is how much longer than --drain-timeout the grace period of a pod is, as in the manifests.
	graceBeyond = 30 * time.Second
)

// site is a simulated cluster and a fleet that belongs to it. Each replica has an API server of its own, so that its
// traffic can be told apart. Its methods are for one goroutine, but for pages and read.
type site struct {
	*options
	costs    capacity.Costs
	cluster  *simulator.Cluster
	install  *installation.Installation
	fleet    *fleet.Fleet
	progress io.Writer
	dir      string

	servers []*simulator.Server // of the replicas
	audits  *audits             // nil before the first

	mu        sync.Mutex
	processes []*fleet.Replica // all that have been started

	rows   []row
	sights []sight
	point  fit.Run // start and steady state
}

// newSite makes the cluster, and starts no replica. The caller closes it.
func newSite(o *options, costs capacity.Costs, progress io.Writer) (s *site, err error) {
	s = &site{options: o, costs: costs, progress: progress}
	s.point = fit.Run{Shards: o.replicas, ServerSharded: o.byServer}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	began := time.Now()
	s.cluster = simulator.New(simulator.Options{Seed: o.seed, LogEvents: 1 << 20})
	s.cluster.KeepEvents(keptEvents)
	if err := s.cluster.Populate(o.spec().Objects()); err != nil {
		return s, err
	}
	debug.FreeOSMemory()
	s.say("cluster of %d objects, made in %.1f s", s.cluster.Len(), time.Since(began).Seconds())
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
		if err := server.WriteKubeconfig(s.kubeconfig(i)); err != nil {
			return s, err
		}
		if err := os.Mkdir(s.stateDir(i), 0o700); err != nil {
			return s, err
		}
	}
	s.install, err = installation.New(s.cluster, o.replicas)
	return s, err
}

func (s *site) kubeconfig(ordinal int) string {
	return filepath.Join(s.dir, fmt.Sprintf("kubeconfig-%d", ordinal))
}

func (s *site) stateDir(ordinal int) string {
	return filepath.Join(s.dir, fmt.Sprintf("state-%d", ordinal))
}

// command is what replicas run. Consistency checks are left out: at random times they would meet some of the windows.
func (s *site) command(further ...string) fleet.Command {
	c := append(fleet.On(*s.binary, "--kubeconfig={{.Kubeconfig}}", "--consistency.check-interval=0",
		"--drain-timeout="+s.drain.String()),
		installation.Flags()...)
	if s.standby {
		c = append(c, "--shard.standby")
	}
	return append(append(c, strings.Fields(s.arguments)...), further...)
}

// statesSaved is the flag of replicas that save their state.
func (s *site) statesSaved() string {
	return "--store.snapshot-dir=" + filepath.Join(s.dir, "state-{{.Shard}}")
}

func (s *site) close() {
	if s.fleet != nil {
		s.fleet.Stop()
	}
	if s.audits != nil {
		s.audits.close()
	}
	for _, server := range s.servers {
		server.Stop()
	}
	_ = os.RemoveAll(s.dir) // what is left does no harm
}

func (s *site) say(format string, args ...any) { _, _ = fmt.Fprintf(s.progress, format+"\n", args...) }

// track remembers the processes that have been started since the last call.
func (s *site) track() {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[*fleet.Replica]bool{}
	for _, r := range s.processes {
		known[r] = true
	}
	for _, r := range s.fleet.Replicas {
		if !known[r] {
			s.processes = append(s.processes, r)
		}
	}
}

// started returns all processes that have been started.
func (s *site) started() []*fleet.Replica {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[:len(s.processes):len(s.processes)]
}
