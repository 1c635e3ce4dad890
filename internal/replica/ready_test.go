package replica

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/resources"
)

func TestNotReadyUntilEveryKindIsSynced(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	hold := make(chan struct{})
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/jobs") {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return false
	})
	r := w.start(nil)
	r.assign(0, 1)
	eventually(t, "only jobs are not synced", func() bool {
		err := r.Ready()
		return err != nil && err.Error() == "not synced yet: jobs"
	})
	close(hold)
	r.waitReady()
}

// TestReadinessWaitsForTransientRefusals covers API servers that have just started: they refuse
// some allowed requests.
func TestReadinessWaitsForTransientRefusals(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	var refused atomic.Int32
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/pods") && refused.Add(1) <= 2 && refuse(rw)
	})
	r := w.start(func(o *Options) { o.ForbiddenGrace = time.Hour })
	r.assign(0, 1)
	r.waitReady()
	if n := len(podsIn(r.samples())); n != 1 || refused.Load() <= 2 {
		t.Errorf("ready with %d pods after %d requests for pods, want 1 pod after more than 2", n, refused.Load())
	}
}

// TestReadinessWaitsForKindAllowedAgain covers a list that takes longer than ForbiddenGrace after a
// refusal.
func TestReadinessWaitsForKindAllowedAgain(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	var requests atomic.Int32
	begun, finish := make(chan struct{}), make(chan struct{})
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/pods") {
			return false
		}
		switch n := requests.Add(1); {
		case n <= 2:
			return refuse(rw)
		case n == 3:
			rw.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(rw).Flush()
			close(begun)
			select {
			case <-finish:
			case <-r.Context().Done():
			}
			return true
		}
		return false
	})
	const grace = 2 * time.Second // longer than the time until the second attempt
	r := w.start(func(o *Options) { o.ForbiddenGrace = grace })
	r.assign(0, 1)
	<-begun
	time.Sleep(grace)
	if r.Ready() == nil {
		t.Error("ready before the list is complete")
	}
	close(finish)
	r.waitReady()
	if n := len(podsIn(r.samples())); n != 1 {
		t.Errorf("ready with %d pods, want 1", n)
	}
}

func TestNotReadyWhileAllKindsAreForbidden(t *testing.T) {
	w := newWorld(t)
	var refused atomic.Int32
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
		refused.Add(1)
		return refuse(rw)
	})
	r := w.start(func(o *Options) { o.ForbiddenGrace = time.Millisecond })
	r.assign(0, 1)
	eventually(t, "all kinds are forbidden", func() bool {
		return r.value("statefleet_resource_phase", "phase", "forbidden") == float64(len(resources.All()))
	})
	if r.Ready() == nil {
		t.Error("ready although no kind was listed")
	}
	w.intercept(nil)
	r.waitReady()
}

func TestForbiddenKindDoesNotBlockReadiness(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/jobs") && refuse(rw)
	})
	r := w.start(func(o *Options) { o.ForbiddenGrace = time.Millisecond })
	r.assign(0, 1)
	r.waitReady()
	eventually(t, "the pod", func() bool { return len(podsIn(r.samples())) == 1 })
	if r.value("statefleet_resource_phase", "phase", "forbidden") != 1 {
		t.Error("statefleet_resource_phase does not count one forbidden kind")
	}
	w.intercept(nil)
	w.put(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "j", UID: "j"}})
	eventually(t, "the job once it is allowed", func() bool {
		return slices.ContainsFunc(r.samples(), func(l string) bool { return strings.HasPrefix(l, "kube_job_info") })
	})
}

// TestForbiddenNamespaceDoesNotBlockReadiness checks the first and the last of two namespaces.
func TestForbiddenNamespaceDoesNotBlockReadiness(t *testing.T) {
	for _, refused := range []string{"ns0", "ns1"} {
		w := newWorld(t)
		for i := range 6 {
			w.pod(i, "n0")
		}
		w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/"+refused+"/") && refuse(rw)
		})
		r := w.start(func(o *Options) {
			o.Namespaces, o.ForbiddenGrace = []string{"ns0", "ns1"}, time.Millisecond
			o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return !k.Namespaced })
		})
		r.assign(0, 1)
		r.waitReady()
		if n := len(podsIn(r.samples())); n != 2 {
			t.Errorf("while %s is forbidden: got %d pods, want the 2 of the other namespace", refused, n)
		}
		// The phase of a kind is the worst of its namespaces.
		kinds := float64(len(r.current()))
		if n := r.value("statefleet_resource_phase", "phase", "forbidden"); n != kinds {
			t.Errorf("while %s is forbidden: %g of %g kinds are forbidden, want all", refused, n, kinds)
		}
		if n := r.value("statefleet_resource_phase", "phase", "synced"); n != 0 {
			t.Errorf("while %s is forbidden: %g kinds are synced, want none", refused, n)
		}
		if at := r.value("statefleet_watch_last_event_timestamp_seconds", "resource", "pods"); at != 0 {
			t.Errorf("while %s is forbidden: the last event was at %g, want none", refused, at)
		}
	}
}

func TestKindThatIsNotListedYetIsIncomplete(t *testing.T) {
	if new(kind).complete() {
		t.Error("a kind without Reflectors is complete, want incomplete")
	}
}

func TestNotReadyWhileTheAPIServerCannotBeReached(t *testing.T) {
	t.Parallel()
	for counted, wanted := range map[string][]string{"(1 kind)": {"pods"}, "(2 kinds)": {"pods", "nodes"}} {
		w := newWorld(t)
		w.intercept(func(http.ResponseWriter, *http.Request) bool { return abort() })
		r := w.start(func(o *Options) {
			o.only(wanted...)
		})
		r.assign(0, 1)
		eventually(t, "a reason that counts the kinds", func() bool {
			err := r.Ready()
			return err != nil && strings.HasPrefix(err.Error(), "cannot reach the API server ") && strings.HasSuffix(err.Error(), counted)
		})
		w.intercept(nil)
		r.waitReady()
	}
}

// TestReasonNamesTheShorterWait covers a custom resource that is refused: readiness waits no longer
// than either grace period.
func TestReasonNamesTheShorterWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ forbidden, custom, want time.Duration }{
		{10 * time.Minute, time.Hour, 10 * time.Minute},
		{time.Hour, 10 * time.Minute, 10 * time.Minute},
		{10 * time.Minute, 0, 10 * time.Minute},
	} {
		w := newWorld(t)
		w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool { return refuse(rw) })
		r := w.start(func(o *Options) {
			podsOnly(o)
			o.Kinds[0].Custom = true
			o.ForbiddenGrace, o.CustomGrace = c.forbidden, c.custom
		})
		r.assign(0, 1)
		eventually(t, "the kind is forbidden", func() bool {
			err := r.Ready()
			return err != nil && strings.Contains(err.Error(), "forbidden")
		})
		_, reason, _ := strings.Cut(r.Ready().Error(), "; waits for ")
		left, _, _ := strings.Cut(reason, " at most)")
		if d, err := time.ParseDuration(left); err != nil || d > c.want || d < c.want-2*time.Minute {
			t.Errorf("grace periods of %s if forbidden and %s if custom: got %q, want a wait of almost %s", c.forbidden, c.custom, r.Ready(), c.want)
		}
	}
}

// TestKindThatIsListedAgainBeforeTheSwitchIsVisible covers a new replica that holds its part of the
// target and waits for the switch. A kind is listed again meanwhile, for example because the selected
// namespaces have changed, and another one is refused, so that the loop polls the kinds.
func TestKindThatIsListedAgainBeforeTheSwitchIsVisible(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := populatedWorldOn(t, network)
		var broken atomic.Bool
		w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
			switch {
			case strings.HasSuffix(r.URL.Path, "/jobs"):
				refuse(rw)
			case broken.Load() && strings.HasSuffix(r.URL.Path, "/pods"):
				http.Error(rw, "later", http.StatusInternalServerError)
			default:
				return false
			}
			return true
		})
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.only("pods", "jobs")
		})
		r.Follow(plan(2, 2, 3))
		time.Sleep(15 * time.Second)
		if !r.Holds(plan(2, 2, 3)).All {
			t.Fatal("the replica does not hold its part of the target")
		}
		broken.Store(true)
		for _, k := range r.current() {
			if k.Name == "pods" {
				r.requestRelist(t.Context(), k)
			}
		}
		time.Sleep(3 * time.Second)
		r.Follow(plan(2, 3, 3))
		time.Sleep(time.Second)
		if err := r.Ready(); err != nil {
			t.Error(err)
		}
		r.wantServes(2, 3)
	})
}
