package soak

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

func TestQuartersAreCompared(t *testing.T) {
	steady := sample{objects: 100, goroutines: 100, files: 100, heap: 100 * mebi, resident: 100 * mebi, blocks: 100, text: 100 * mebi}
	number := 20
	samples := func(change func(i int, s *sample)) []sample {
		var all []sample
		for i := range number {
			s := steady
			s.at = time.Duration(i+1) * time.Minute
			change(i, &s)
			all = append(all, s)
		}
		return all
	}
	f := func(name, want string, change func(i int, s *sample)) {
		t.Helper()
		err := (&trial{options: &options{tolerance: 3, warmUp: 2 * time.Minute}, out: io.Discard}).compareQuarters(samples(change))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got error %v, want %q", name, err, want)
		}
	}
	f("nothing changes", "", func(int, *sample) {})
	f("one outlier", "", func(i int, s *sample) {
		if i == 19 {
			s.heap *= 2
		}
	})
	f("before the replicas have grown", "", func(i int, s *sample) {
		if i < 1 {
			s.heap = 1
		}
	})
	f("long after the replicas have grown", "heap MiB changed by +", func(i int, s *sample) {
		if i < 4 {
			s.heap -= 4 * mebi
		}
	})
	f("less memory", "", func(i int, s *sample) { s.heap -= float64(i) * mebi })
	f("a leak", "goroutines changed by +", func(i int, s *sample) { s.goroutines += float64(i) })
	f("fewer objects", "objects changed by -", func(i int, s *sample) { s.objects -= float64(i) })
	f("no figures", "files changed by +NaN", func(_ int, s *sample) { s.files = 0 })
	number = 8 // the warm-up removes one of them
	f("one outlier in a short run", "", func(i int, s *sample) {
		if i == 7 {
			s.heap *= 2
		}
	})
	f("two outliers in a short run", "heap MiB changed by +", func(i int, s *sample) {
		if i >= 6 {
			s.heap *= 2
		}
	})
}

// The warm-up leaves at least minSamples samples of a short run.
func TestWarmUpLeavesSamples(t *testing.T) {
	short := &trial{options: &options{warmUp: time.Hour}}
	for n, want := range []int{0, 1, 2, 3, 4, 4, 4} {
		if got := len(short.withoutWarmUp(make([]sample, n))); got != want {
			t.Errorf("%d samples: got %d after the warm-up, want %d", n, got, want)
		}
	}
}

// A short run leaves out the time in which the replicas grow, too.
func TestDefaultWarmUp(t *testing.T) {
	f := func(duration, given, want time.Duration) {
		t.Helper()
		o := &options{duration: duration, warmUp: given, round: 30 * time.Second, pods: 1, replicas: 2, rate: 1, tolerance: 1}
		if err := o.check(); err != nil || o.warmUp != want {
			t.Errorf("duration %s, --warm-up %s: got %s (error %v), want %s", duration, given, o.warmUp, err, want)
		}
	}
	f(5*time.Minute, 0, 100*time.Second)
	f(15*time.Minute, 0, 4*time.Minute)
	f(time.Hour, 0, 6*time.Minute)
	f(time.Hour, time.Minute, time.Minute)
}

func TestFlagsThatGiveNoQuarters(t *testing.T) {
	f := func(flag string, args ...string) {
		t.Helper()
		var stderr bytes.Buffer
		if status := command.Run(t.Context(), kingpin.New("benchmarks", ""), append([]string{"soak"}, args...), io.Discard, &stderr, Commands); status != command.Usage || !strings.Contains(stderr.String(), flag) {
			t.Errorf("%q: got exit status %d, want %d and a message with %q\n%s", args, status, command.Usage, flag, &stderr)
		}
	}
	f("--duration", "--duration=1m")
	f("--round", "--round=5s")
	f("--warm-up", "--warm-up=50m")
	f("--warm-up", "--warm-up=-1s")
	f("--replicas", "--replicas=1")
	f("--tolerance", "--tolerance=0")
}
