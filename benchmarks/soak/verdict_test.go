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
	steady := look{objects: 100, goroutines: 100, files: 100, heap: 100 * mebi, resident: 100 * mebi, blocks: 100, text: 100 * mebi}
	number := 20
	looks := func(change func(i int, l *look)) []look {
		var all []look
		for i := range number {
			l := steady
			l.at = time.Duration(i+1) * time.Minute
			change(i, &l)
			all = append(all, l)
		}
		return all
	}
	f := func(name, want string, change func(i int, l *look)) {
		t.Helper()
		err := (&trial{options: &options{tolerance: 3, warmUp: 2 * time.Minute}, out: io.Discard}).compareQuarters(looks(change))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("nothing changes", "", func(int, *look) {})
	f("one look that is off", "", func(i int, l *look) {
		if i == 19 {
			l.heap *= 2
		}
	})
	f("before the replicas have grown", "", func(i int, l *look) {
		if i < 1 {
			l.heap = 1
		}
	})
	f("long after the replicas have grown", "heap MiB changed by +", func(i int, l *look) {
		if i < 4 {
			l.heap -= 4 * mebi
		}
	})
	f("less memory", "", func(i int, l *look) { l.heap -= float64(i) * mebi })
	f("a leak", "goroutines changed by +", func(i int, l *look) { l.goroutines += float64(i) })
	f("fewer objects", "objects changed by -", func(i int, l *look) { l.objects -= float64(i) })
	f("no figures", "files changed by +NaN", func(_ int, l *look) { l.files = 0 })
	number = 8 // of which the warm-up leaves seven
	f("one look that is off in a short run", "", func(i int, l *look) {
		if i == 7 {
			l.heap *= 2
		}
	})
	f("two of them", "heap MiB changed by +", func(i int, l *look) {
		if i >= 6 {
			l.heap *= 2
		}
	})
}

// Of a short run the warm-up leaves something to compare.
func TestWarmUpLeavesLooks(t *testing.T) {
	short := &trial{options: &options{warmUp: time.Hour}}
	for n, want := range []int{0, 1, 2, 3, 4, 4, 4} {
		if got := len(short.warm(make([]look, n))); got != want {
			t.Errorf("%d looks of %d are left, want %d", got, n, want)
		}
	}
}

func TestFlagsThatGiveNoQuarters(t *testing.T) {
	f := func(flag string, args ...string) {
		t.Helper()
		var stderr bytes.Buffer
		if status := command.Run(t.Context(), kingpin.New("benchmarks", ""), append([]string{"soak"}, args...), io.Discard, &stderr, Commands); status != command.Usage || !strings.Contains(stderr.String(), flag) {
			t.Errorf("%q: exit status %d, %s", args, status, &stderr)
		}
	}
	f("--duration", "--duration=1m")
	f("--round", "--round=5s")
	f("--warm-up", "--warm-up=50m")
	f("--warm-up", "--warm-up=-1s")
	f("--replicas", "--replicas=1")
	f("--tolerance", "--tolerance=0")
}
