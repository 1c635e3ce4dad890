// Package measure measures the cost of exporters. Each exporter runs as a separate process. The simulated
// cluster runs in this process, so that the figures of an exporter do not include it.
package measure

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

const (
	mebi = 1 << 20
	mega = 1e6
	ms   = 1e3 // in a second
)

// Exporter is a program to measure.
type Exporter struct {
	Name    string
	Command fleet.Command
	Ready   string // path that returns 200 once the exporter serves
}

// Session is a running fleet of one exporter. Each replica has its own simulated API server, so that its
// traffic is counted separately. Only one goroutine may call its methods.
type Session struct {
	Exporter
	Fleet    *fleet.Fleet
	Cluster  *simulator.Cluster
	Shards   int  // into which the cluster is divided
	ByServer bool // the API server leaves out objects of other shards
	// Figures has the figures of each replica that are measured so far.
	Figures []report.Figures

	servers []*simulator.Server
	dir     string
	start   time.Time
	options fleet.Options
	before  []uint64 // bytes sent to each replica before the last Restart
}

// Open starts the first running shards of a fleet of shards. With byServer the API server honours the shard
// selector. The caller closes the session.
func Open(cluster *simulator.Cluster, e Exporter, shards, running int, byServer bool) (s *Session, err error) {
	s = &Session{Exporter: e, Cluster: cluster, Shards: shards, ByServer: byServer}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "statefleet-session-"); err != nil {
		return s, err
	}
	kubeconfig := func(shard int) string { return filepath.Join(s.dir, fmt.Sprintf("kubeconfig-%d", shard)) }
	for i := range running {
		server, err := cluster.Serve("")
		if err != nil {
			return s, err
		}
		server.HonourShards(byServer)
		s.servers = append(s.servers, server)
		if err := fleet.WriteKubeconfig(kubeconfig(i), server.URL(), nil, ""); err != nil {
			return s, err
		}
		s.Figures, s.before = append(s.Figures, report.Figures{}), append(s.before, 0)
	}
	s.options = fleet.Options{Command: e.Command, Kubeconfig: kubeconfig, Shards: shards, Only: running}
	s.start = time.Now()
	s.Fleet, err = fleet.Start(s.options)
	return s, err
}

// Restart stops all replicas and starts them again, with the same API servers. It deletes all figures.
func (s *Session) Restart() (err error) {
	s.Fleet.Stop()
	for i, server := range s.servers {
		s.before[i], s.Figures[i] = server.Traffic().Bytes.Load(), report.Figures{}
	}
	s.start = time.Now()
	s.Fleet, err = fleet.Start(s.options)
	return err
}

// Close stops the replicas and their API servers.
func (s *Session) Close() {
	if s.Fleet != nil {
		s.Fleet.Stop()
	}
	for _, server := range s.servers {
		server.Stop()
	}
	_ = os.RemoveAll(s.dir) // remaining files are harmless
}

// Sum adds up the figures of all replicas.
func (s *Session) Sum() report.Figures { return report.Sum(Measures(), s.Figures) }

// reading holds the usage and traffic of the replicas at one moment.
type reading struct {
	at      time.Time
	version uint64 // resourceVersion of the cluster
	usage   []fleet.Usage
	bytes   []uint64 // sent to each replica
}

func (s *Session) read() (reading, error) {
	r := reading{at: time.Now(), version: s.Cluster.ResourceVersion()}
	for i, replica := range s.Fleet.Replicas {
		u, err := replica.Usage()
		if err != nil {
			_ = fleet.Pause(context.Background(), time.Second) // until the end of the process is noticed
			if ended := s.Fleet.Ended(); ended != nil {
				err = ended
			}
			return r, err
		}
		r.usage = append(r.usage, u)
		r.bytes = append(r.bytes, s.servers[i].Traffic().Bytes.Load()-s.before[i])
	}
	return r, nil
}

// Window is the cost of each replica in a period of time.
type Window struct {
	Seconds float64
	Events  float64   // changes of the cluster
	CPU     []float64 // seconds, of each replica
	Bytes   []float64 // from the API server, to each replica
}

// During returns the cost while do runs.
func (s *Session) During(do func() error) (Window, error) {
	before, err := s.read()
	if err != nil {
		return Window{}, err
	}
	if err := do(); err != nil {
		return Window{}, err
	}
	after, err := s.read()
	if err != nil {
		return Window{}, err
	}
	w := Window{Seconds: max(after.at.Sub(before.at).Seconds(), 1e-3), Events: float64(after.version - before.version)}
	for i := range s.Figures {
		w.CPU = append(w.CPU, (after.usage[i].CPU - before.usage[i].CPU).Seconds())
		w.Bytes = append(w.Bytes, float64(after.bytes[i]-before.bytes[i]))
	}
	return w, nil
}

// A fleet is idle in an interval if no replica receives bytes from the API server or uses maxIdleCPU or more.
const (
	sampleInterval = 100 * time.Millisecond
	maxIdleCPU     = 20 * time.Millisecond
)

// waitIdle waits until all replicas have been ready and idle for some time, and returns the reading of the
// moment at which that began. So the figures include the work that a program does after it reports ready.
func (s *Session) waitIdle(ctx context.Context, d time.Duration) (reading, error) {
	last, err := s.read()
	first := last
	for idle := time.Duration(0); err == nil && idle < d; {
		if err = fleet.Pause(ctx, sampleInterval); err != nil {
			break
		}
		var now reading
		if now, err = s.read(); err != nil {
			break
		}
		if now.idleSince(last) && s.ready(ctx) {
			idle += sampleInterval
		} else {
			first, idle = now, 0
		}
		last = now
	}
	return first, err
}

func (r reading) idleSince(last reading) bool {
	for i := range r.usage {
		if r.bytes[i] != last.bytes[i] || r.usage[i].CPU-last.usage[i].CPU >= maxIdleCPU {
			return false
		}
	}
	return true
}

func (s *Session) ready(ctx context.Context) bool {
	for _, r := range s.Fleet.Replicas {
		if r.Ask(ctx, s.Ready) != nil {
			return false
		}
	}
	return true
}
