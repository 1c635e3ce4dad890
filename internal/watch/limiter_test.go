package watch

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/faketime"
)

func TestShortRequestsAreSpacedAfterThree(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		l := limiter{start: wait.Backoff{Duration: time.Minute, Factor: 2, Steps: 10}}
		waited := func() time.Duration {
			began := time.Now()
			if !l.wait(t.Context()) {
				t.Error("wait returned false although the context has not ended")
			}
			return time.Since(began)
		}
		for i, want := range []time.Duration{0, 0, 0, 0, time.Minute, 2 * time.Minute} {
			if got := waited(); got != want {
				t.Errorf("request %d waited for %s, want %s", i, got, want)
			}
		}
		time.Sleep(minLifetime) // just long enough
		for i, want := range []time.Duration{0, 0, 0, 0, time.Minute} {
			if got := waited(); got != want {
				t.Errorf("after a long request, request %d waited for %s, want %s", i, got, want)
			}
		}
	})
}

func TestSpreadIsFromHalfToOneAndAHalf(t *testing.T) {
	shortest, longest := time.Hour, time.Duration(0)
	for range 1000 {
		d := Spread(time.Minute)
		shortest, longest = min(shortest, d), max(longest, d)
	}
	if shortest < 30*time.Second || shortest > 35*time.Second || longest < 85*time.Second || longest > 90*time.Second {
		t.Errorf("got durations from %s to %s, want 30s to 90s", shortest, longest)
	}
}

func TestDefaultBackoff(t *testing.T) {
	given := wait.Backoff{Duration: time.Hour}
	start := func(backoff wait.Backoff) wait.Backoff {
		o := Options{Backoff: backoff, Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry())}
		return New(o).limiter.start
	}
	if got := start(given); got != given {
		t.Errorf("got backoff %+v, want the given one, %+v", got, given)
	}
	b := start(wait.Backoff{})
	first, last := b.Step(), time.Duration(0)
	for range 10_000 {
		last = b.Step()
	}
	if first < 500*time.Millisecond || first > 750*time.Millisecond || last < 10*time.Second || last > 15*time.Second {
		t.Errorf("the first pause is %s and the last %s, want 0.5s to 0.75s and 10s to 15s", first, last)
	}
}

func TestFailedRequestIsRepeatedAfterAPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	recorded := &requests{}
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		recorded.record(r)
		http.Error(rw, "unavailable", http.StatusServiceUnavailable)
		return true
	})
	reflector, _ := w.reflector(setup{})
	reflector.limiter.start = wait.Backoff{Duration: time.Hour}
	w.run(reflector)
	eventually(t, "an error", func() bool { return reflector.Status().Err != nil })
	time.Sleep(100 * time.Millisecond)
	if n := recorded.count("sendInitialEvents", notEmpty); n != 1 {
		t.Errorf("got %d lists before the end of the pause, want 1", n)
	}
}
