package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// exporter is a program under measurement.
type exporter struct {
	name    string
	command fleet.Command
	ready   string // path that answers 200 once it serves
}

// session is a running fleet of one exporter, each shard with an API server of
// its own, so that its traffic can be told apart.
type session struct {
	*bench
	exporter
	shards, running int

	servers []*simulator.Server
	fleet   *fleet.Fleet
	cancel  context.CancelFunc
	dir     string
	start   time.Time
}

// open starts the first shards of a fleet; the caller closes the session.
func (b *bench) open(ctx context.Context, e exporter, shards, running int) (*session, error) {
	s := &session{bench: b, exporter: e, shards: shards, running: running}
	ctx, s.cancel = context.WithCancel(ctx)
	var err error
	if s.dir, err = os.MkdirTemp("", "statefleet-load-"); err != nil {
		return nil, err
	}
	for i := range running {
		server, err := b.cluster.Serve("")
		if err != nil {
			s.close()
			return nil, err
		}
		server.HonourShards(b.sharding)
		s.servers = append(s.servers, server)
		if err := server.WriteKubeconfig(s.kubeconfig(i)); err != nil {
			s.close()
			return nil, err
		}
	}
	s.start = time.Now()
	s.fleet, err = fleet.Start(ctx, fleet.Options{
		Command: e.command, Kubeconfig: s.kubeconfig, Shards: shards, Only: running, Dir: s.dir,
	})
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) kubeconfig(shard int) string {
	return filepath.Join(s.dir, fmt.Sprintf("kubeconfig-%d", shard))
}

// close ends the shards and their servers.
func (s *session) close() {
	s.cancel()
	if s.fleet != nil {
		s.fleet.Wait()
	}
	for _, server := range s.servers {
		server.Stop()
	}
	_ = os.RemoveAll(s.dir) // left-over logs harm no one
}

// reading is the state of the shards at one moment.
type reading struct {
	at    time.Time
	usage []fleet.Usage
	bytes []uint64 // sent to each shard
}

func (s *session) read() (reading, error) {
	r := reading{at: time.Now()}
	for i, shard := range s.fleet.Shards {
		u, err := shard.Usage()
		if err != nil {
			return reading{}, s.failure(err)
		}
		r.usage = append(r.usage, u)
		r.bytes = append(r.bytes, simulator.Sum(s.servers[i].Traffic()).Bytes)
	}
	return r, nil
}

// failure returns why a shard has ended, if one has, instead of an error of reading what it takes.
func (s *session) failure(err error) error {
	select {
	case ended := <-s.fleet.Failed():
		return ended
	case <-time.After(time.Second):
		return err
	}
}

// What counts as being at rest: no bytes from the API server, and less CPU
// than restCPU, in each look.
const (
	look    = 100 * time.Millisecond
	restCPU = 20 * time.Millisecond
)

// rest waits until all shards are ready and at rest, and returns the reading of
// the moment at which that began. Programs that say they are ready before they
// are, or work on when they are, are measured to their real end that way.
func (s *session) rest(ctx context.Context) (reading, error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	last, err := s.read()
	if err != nil {
		return last, err
	}
	first, quiet := last, time.Duration(0)
	for quiet < s.atRest {
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case err := <-s.fleet.Failed():
			return last, err
		case <-tick.C:
		}
		now, err := s.read()
		if err != nil {
			return now, err
		}
		if now.quietSince(last) && s.ready(ctx) {
			if quiet == 0 {
				first = last
			}
			quiet += look
		} else {
			quiet = 0
		}
		last = now
	}
	return first, nil
}

func (r reading) quietSince(last reading) bool {
	for i := range r.usage {
		if r.bytes[i] != last.bytes[i] || r.usage[i].CPU-last.usage[i].CPU >= restCPU {
			return false
		}
	}
	return true
}

func (s *session) ready(ctx context.Context) bool {
	for _, shard := range s.fleet.Shards {
		if !shard.Answers(ctx, s.exporter.ready) {
			return false
		}
	}
	return true
}

// sync measures from the start until everything is there.
func (s *session) sync(ctx context.Context) (*result, error) {
	own := fleet.OwnUsage()
	synced, err := s.rest(ctx)
	if err != nil {
		return nil, err
	}
	r := &result{
		Exporter: s.name, Pods: s.pods, Objects: s.cluster.Len(), Shards: s.shards, Running: s.running,
		ServerCPUSeconds: (fleet.OwnUsage().CPU - own.CPU).Seconds(),
	}
	for i, u := range synced.usage {
		r.PerShard = append(r.PerShard, figures{
			SyncSeconds:    synced.at.Sub(s.start).Seconds(),
			SyncCPUSeconds: u.CPU.Seconds(),
			ReceivedBytes:  float64(synced.bytes[i]),
			PeakMiB:        float64(u.Peak) / mebi,
		})
	}
	r.Sum = sum(r.PerShard)
	s.say("%s, %d of %d: synced in %.1f s, %.2f CPU-s, peak %.0f MiB", s.name, s.running, s.shards,
		r.Sum.SyncSeconds, r.Sum.SyncCPUSeconds, r.Sum.PeakMiB)
	return r, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
