package verify

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

func newVerifier(every time.Duration) *Verifier {
	return New(Options{Every: every, Metrics: NewMetrics(prometheus.NewRegistry())})
}

func version(id byte, v uint64) store.Version { return store.Version{ID: store.ID{id}, Version: v} }

func TestIntervalsAreRandom(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		v := newVerifier(time.Hour)
		s := v.NewSubject(SubjectOptions{})
		seen := map[time.Duration]bool{}
		var sum time.Duration
		const waits = 100
		for range waits {
			start := time.Now()
			if othersReset, ok := v.wait(t.Context(), s, false); othersReset || !ok {
				t.Fatalf("wait returned %t, %t, want false, true", othersReset, ok)
			}
			waited := time.Since(start)
			if waited < 30*time.Minute || waited > 90*time.Minute {
				t.Errorf("waited for %s, want 30m to 90m", waited)
			}
			seen[waited] = true
			sum += waited
		}
		if mean := sum / waits; len(seen) < waits-1 || mean < 45*time.Minute || mean > 75*time.Minute {
			t.Errorf("got %d different waits of %d with a mean of %s, want nearly all different and a mean of 45m to 75m", len(seen), waits, mean)
		}
	})
}

func TestDifferencesThatEventsResolveAreNotConfirmed(t *testing.T) {
	t.Parallel()
	const created, lost, changed, stuck, deletedLate, ghost, replaced = 1, 2, 3, 4, 5, 6, 7
	held := store.New(nil, nil)
	for id, v := range map[byte]uint64{created: 5, changed: 8, stuck: 4, ghost: 4, replaced: 8} {
		held.Put(store.Object{ID: store.ID{id}, Version: v}, &store.Lines{})
	}
	s := newVerifier(0).NewSubject(SubjectOptions{Store: held})
	first := differences{
		missing: []store.Version{version(created, 5), version(lost, 5), version(changed, 5), version(stuck, 5), version(8, 5)},
		extra:   []store.Version{version(deletedLate, 4), version(ghost, 4), version(replaced, 4)},
	}
	second := differences{
		missing: []store.Version{version(lost, 5), version(changed, 9), version(stuck, 9), version(9, 9)},
		extra:   []store.Version{version(ghost, 4), version(replaced, 8)},
	}
	wrong := s.confirmed(first, second)
	if len(wrong.missing) != 2 || wrong.missing[0].ID[0] != lost || wrong.missing[1].ID[0] != stuck {
		t.Errorf("got missing objects %v, want lost and stuck", wrong.missing)
	}
	if len(wrong.extra) != 1 || wrong.extra[0].ID[0] != ghost {
		t.Errorf("got extra objects %v, want ghost", wrong.extra)
	}
	s.Full = func() bool { return true }
	if wrong := s.confirmed(first, second); len(wrong.missing) > 0 {
		t.Errorf("at a limit: got missing objects %v, want none", wrong.missing)
	}
}

func TestSameDifferencesTwiceAreUnrepairable(t *testing.T) {
	t.Parallel()
	s := newVerifier(0).NewSubject(SubjectOptions{})
	one := differences{missing: []store.Version{version(1, 5)}}
	both := differences{missing: one.missing, extra: []store.Version{version(2, 5)}}
	for i, c := range []struct {
		found differences
		want  bool
	}{{one, false}, {one, true}, {both, false}, {both, true}, {one, true}, {both, false}} {
		if got := s.unrepairable(c.found); got != c.want {
			t.Errorf("comparison %d: unrepairable is %t, want %t", i, got, c.want)
		}
	}
}

func TestOtherSubjectsAreComparedAtOnceAfterAReset(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		v := newVerifier(time.Hour)
		first, other, ended := v.NewSubject(SubjectOptions{}), v.NewSubject(SubjectOptions{}), v.NewSubject(SubjectOptions{})
		for _, s := range []*Subject{first, other, ended} {
			v.setRunning(s, true)
		}
		v.setRunning(ended, false)
		other.Soon() // for another reason, a moment earlier
		v.othersSoon(first)
		for s, want := range map[*Subject]bool{first: false, other: true, ended: false} {
			start := time.Now()
			othersReset, _ := v.wait(t.Context(), s, false)
			if at := time.Since(start); othersReset != want || (at == 0) != want {
				t.Errorf("compared after %s with othersReset %t, want at once and with true: %t", at, othersReset, want)
			}
		}
	})
}

// TestComparisonAfterAnotherResetIsRetried covers a list that fails after an API server was restored
// from a backup, when all replicas list everything again.
func TestComparisonAfterAnotherResetIsRetried(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		v, comparisons := newVerifier(time.Hour), 0
		s := v.NewSubject(SubjectOptions{
			Ready:      func() bool { return true },
			Reflectors: func() []*watch.Reflector { comparisons++; return nil }, // the comparison fails
			Logger:     slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			v.Run(ctx, s)
		}()
		time.Sleep(time.Second)
		v.othersSoon(v.NewSubject(SubjectOptions{}))
		time.Sleep(2 * time.Minute)
		cancel()
		<-ended
		if comparisons < 2 {
			t.Errorf("got %d comparisons in two minutes after a reset, want 2 or more", comparisons)
		}
	})
}
