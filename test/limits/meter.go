package limits

import (
	"context"
	"sync"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

const (
	mebi  = 1 << 20
	mega  = 1e6
	micro = 1e6 // in one
	milli = 1e3 // in one
)

// reading is the state of all replicas together at one moment.
type reading struct {
	at       time.Time
	version  uint64        // of the cluster: each event raises it by one
	cpu      time.Duration // of all processes so far, including those that have ended
	bytes    uint64        // sent by the API server so far
	resident uint64        // resident memory of the processes that run
}

func (s *setup) read() (reading, error) {
	r := reading{at: time.Now(), version: s.cluster.ResourceVersion()}
	for _, p := range s.started() {
		cpu, err := p.CPU()
		if err != nil {
			return r, err
		}
		r.cpu += cpu
		if used, err := p.Usage(); err == nil { // the process may have ended
			r.resident += used.Resident
		}
	}
	for i := range s.servers {
		r.bytes += s.sent(i)
	}
	return r, nil
}

// sent returns the number of bytes that the API server has sent to the replicas with an ordinal.
func (s *setup) sent(ordinal int) uint64 { return s.servers[ordinal].Traffic().Bytes.Load() }

// window is what all replicas together used during a measurement.
type window struct {
	seconds, events float64
	cpu             float64 // seconds
	bytes           float64
	before          float64 // resident memory at the beginning
	mean, peak      float64 // resident memory of all replicas at one moment
}

// memoryInterval is the time between two samples of the resident memory.
const memoryInterval = 200 * time.Millisecond

// during measures the fleet while do runs.
func (s *setup) during(ctx context.Context, do func() error) (w window, err error) {
	before, err := s.read()
	if err != nil {
		return w, err
	}
	peak, sum, samples := float64(before.resident), float64(before.resident), 1.0
	sampled, stop := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for fleet.Pause(sampled, memoryInterval) == nil {
			if now, err := s.read(); err == nil { // an error that lasts is returned by the last reading
				resident := float64(now.resident)
				peak, sum, samples = max(peak, resident), sum+resident, samples+1
			}
		}
	})
	err = do()
	stop()
	sampler.Wait()
	if err != nil {
		return w, err
	}
	after, err := s.read()
	return window{
		seconds: max(after.at.Sub(before.at).Seconds(), 1e-3), events: float64(after.version - before.version),
		cpu: (after.cpu - before.cpu).Seconds(), bytes: float64(after.bytes - before.bytes),
		before: float64(before.resident), mean: sum / samples, peak: max(peak, float64(after.resident)),
	}, err
}

// excess returns the CPU seconds and the bytes in addition to those that the baseline has in the same time.
func (w window) excess(baseline window) (cpu, bytes float64) {
	share := w.seconds / baseline.seconds
	return max(0, w.cpu-baseline.cpu*share), max(0, w.bytes-baseline.bytes*share)
}
