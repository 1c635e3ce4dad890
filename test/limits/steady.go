package limits

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

const (
	idleInterval   = 100 * time.Millisecond // between two readings of an idle fleet
	idleTime       = time.Second            // the start is over when the fleet was idle for this time
	idleCPU        = 20 * time.Millisecond  // of an idle replica, from one reading to the next
	idleBytes      = 64 << 10               // received by an idle replica, from one reading to the next
	changeTimeout  = 10 * time.Minute       // of a start or a change
	statusInterval = 250 * time.Millisecond // between two readings of the fleet's state
)

// start starts the fleet on a cluster that does not change, and measures until all replicas are ready and idle.
func (s *setup) start(ctx context.Context) (err error) {
	began := time.Now()
	s.fleet, err = fleet.Start(fleet.Options{Command: s.command(), Kubeconfig: s.kubeconfig, Shards: s.replicas,
		Grace: drainTimeout + graceMargin,
	})
	if err != nil {
		return err
	}
	s.track()
	if err := s.fleet.WaitReady(ctx, changeTimeout); err != nil {
		return err
	}
	ready := time.Since(began)
	end, err := s.waitIdle(ctx)
	if err != nil {
		return err
	}
	peak := uint64(0)
	for _, r := range s.fleet.Replicas {
		used, err := r.Usage()
		if err != nil {
			return err
		}
		peak += used.Peak
	}
	n, one, run := float64(s.replicas), s.costs.Replica(s.load(s.costs, 0), s.replicas), &s.fitRun
	run.Pods, run.Objects = len(s.cluster.Names("pods")), s.cluster.Len()
	run.SyncCPU, run.SyncBytes, run.Peak = end.cpu.Seconds(), float64(end.bytes), float64(peak)
	head := fmt.Sprintf("start of %d: ", s.replicas)
	s.add(head+"time until all are ready", "s", ready.Seconds())
	s.compare(head+"CPU", "CPU-s", run.SyncCPU, n*one.StartCPU.Seconds())
	s.compare(head+"from the API server", "MB", run.SyncBytes/mega, n*one.StartBytes/mega)
	s.add(head+"resident memory, peak", "MiB", run.Peak/mebi)
	s.printf("started: ready in %.1f s, %.1f CPU-s, %.0f MB, peak %.0f MiB", ready.Seconds(), run.SyncCPU,
		run.SyncBytes/mega, run.Peak/mebi)
	return nil
}

// waitIdle waits until the fleet was idle for idleTime, and returns the reading at the start of that time.
func (s *setup) waitIdle(ctx context.Context) (first reading, err error) {
	last, err := s.read()
	n := len(s.fleet.Replicas)
	for quiet := time.Duration(0); err == nil && quiet < idleTime; {
		if err = fleet.Pause(ctx, idleInterval); err != nil {
			break
		}
		var now reading
		if now, err = s.read(); err != nil {
			break
		}
		switch {
		case now.cpu-last.cpu >= time.Duration(n)*idleCPU || now.bytes-last.bytes >= uint64(n)*idleBytes:
			quiet = 0
		default:
			if quiet == 0 {
				first = last
			}
			quiet += idleInterval
		}
		last = now
	}
	return first, errors.Join(err, s.fleet.Ended())
}

// steady measures the fleet while the cluster changes: first without scrapes, and then the cost of scrapes.
func (s *setup) steady(ctx context.Context) error {
	if err := fleet.Pause(ctx, s.warm); err != nil {
		return err
	}
	if _, err := s.scrape(ctx, "gzip"); err != nil { // a scrape compresses blocks that have changed
		return err
	}
	w, err := s.during(ctx, func() error { return fleet.Pause(ctx, s.window) })
	if err != nil {
		return err
	}
	gzip, err := s.scrape(ctx, "gzip")
	if err != nil {
		return err
	}
	identity, err := s.scrape(ctx, "identity")
	if err != nil {
		return err
	}
	run := &s.fitRun
	run.Events, run.CPU, run.EventBytes, run.ChurnMemory = w.events/w.seconds, w.cpu/w.seconds, w.bytes/w.seconds, w.mean
	run.Series, run.Text, run.Gzip = identity.series, identity.bytes, gzip.bytes
	s.addSteady(w, gzip)
	s.printf("steady: %.0f events/s, %.0f MiB, %.1f us of CPU an event", run.Events, w.mean/mebi, w.cpu/max(w.events,
		1)*micro)
	return nil
}

func (s *setup) addSteady(w window, gzip scrapes) {
	run, load := s.fitRun, s.load(s.costs, s.fitRun.Events)
	n, scraped := float64(s.replicas), s.costs.Replica(load, s.replicas)
	load.Interval = 0
	one := s.costs.Replica(load, s.replicas)
	s.add("steady: events", "/s", run.Events)
	s.compare("steady: resident memory", "MiB", w.mean/mebi, n*one.Memory/mebi)
	s.compare("steady: CPU", "cores", run.CPU, n*one.CPU)
	s.compare("steady: CPU for an event of the cluster", "us", w.cpu/max(w.events, 1)*micro,
		n*one.CPU/max(run.Events, 1)*micro)
	s.compare("steady: from the API server", "MB/s", run.EventBytes/mega, n*one.EventBytes/mega)
	s.compare("expositions: series", "million", run.Series/mega, n*one.Series/mega)
	s.compare("expositions: text", "MB", run.Text/mega, n*one.Text/mega)
	s.compare("expositions: gzip", "MB", run.Gzip/mega, n*one.Gzip/mega)
	s.compare(fmt.Sprintf("gzip scrape of all, %.0f s after the last: CPU", s.window.Seconds()), "ms",
		gzip.cpu*milli, n*scraped.ScrapeCPU.Seconds()*milli)
	s.add("gzip scrape of one: time, at most", "ms", gzip.slowest.Seconds()*milli)
}

// scrapes is the sum of one scrape of each replica, one after the other.
type scrapes struct {
	bytes, series, cpu float64
	slowest            time.Duration
}

func (s *setup) scrape(ctx context.Context, encoding string) (all scrapes, err error) {
	for _, r := range s.fleet.Replicas {
		before, err := r.CPU()
		if err != nil {
			return all, err
		}
		one, err := r.Scrape(ctx, encoding)
		if err != nil {
			return all, err
		}
		after, err := r.CPU()
		if err != nil {
			return all, err
		}
		all.bytes, all.series, all.cpu = all.bytes+float64(one.Bytes), all.series+float64(one.Series),
			all.cpu+(after-before).Seconds()
		all.slowest = max(all.slowest, one.Took)
	}
	return all, nil
}
