package limits

import (
	"context"
	"sync"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
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
	cpu      time.Duration // of all processes so far, also of those that have ended
	bytes    uint64        // sent by the API server so far
	resident uint64        // memory of the processes that run
}

func (s *site) read() (reading, error) {
	r := reading{at: time.Now(), version: s.cluster.ResourceVersion()}
	for _, p := range s.started() {
		cpu, err := p.CPU()
		if err != nil {
			return r, err
		}
		r.cpu += cpu
		if used, err := p.Usage(); err == nil { // it may have ended
			r.resident += used.Resident
		}
	}
	for i := range s.servers {
		r.bytes += s.sent(i)
	}
	return r, nil
}

// sent is how many bytes the API server has sent to the replicas of an ordinal.
func (s *site) sent(ordinal int) uint64 { return simulator.Sum(s.servers[ordinal].Traffic()).Bytes }

// window is the cost of all replicas together in some time.
type window struct {
	seconds, events float64
	cpu             float64 // seconds
	bytes           float64
	before          float64 // resident memory at the beginning
	mean, most      float64 // resident memory of all at the same moment
}

// sampling is the time between two readings of the resident memory.
const sampling = 200 * time.Millisecond

// during measures the time in which do runs.
func (s *site) during(ctx context.Context, do func() error) (w window, err error) {
	before, err := s.read()
	if err != nil {
		return w, err
	}
	most, sum, samples := float64(before.resident), float64(before.resident), 1.0
	sampled, stop := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for fleet.Pause(sampled, sampling) == nil {
			if now, err := s.read(); err == nil { // a failure shows in the last reading, too
				resident := float64(now.resident)
				most, sum, samples = max(most, resident), sum+resident, samples+1
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
		before: float64(before.resident), mean: sum / samples, most: max(most, float64(after.resident)),
	}, err
}

// beyond returns the CPU seconds and the bytes that a window has in addition to those of as much usual time.
func (w window) beyond(usual window) (cpu, bytes float64) {
	share := w.seconds / usual.seconds
	return max(0, w.cpu-usual.cpu*share), max(0, w.bytes-usual.bytes*share)
}
