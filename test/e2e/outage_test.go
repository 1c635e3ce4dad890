package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/seed"
)

// outageSamples is how often the expositions are read while the API server is down.
const outageSamples = 5

func (w *world) anOutageIsSurvived(t *testing.T) {
	// Only kinds that no other client writes: the API server renews a lease of its own, perhaps just before it stops.
	quiet := "--resources=" + strings.Join(resourceNames(), ",")
	whole, parts := w.startReplica(t, quiet), w.startShards(t, quiet)
	whole.WaitReady(t)
	waitForEqualUnion(t, whole, parts)
	before := whole.Scrape(t)

	end := w.outage(t)
	for range outageSamples {
		if diff := exposition.Diff(before, whole.Scrape(t)); diff != "" {
			t.Fatalf("the exposition changed while the API server was down:\n%s", diff)
		}
		if err := compareUnion(t.Context(), whole, parts); err != nil {
			t.Fatalf("while the API server was down: %v", err)
		}
		for _, path := range []string{"/livez", "/readyz"} {
			if status := statusOf(t, whole, path); status != http.StatusOK {
				t.Fatalf("%s: got status %d while the API server is down, want %d", path, status, http.StatusOK)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	end()

	pod := w.createPod(t, "after-outage", 0)
	waitVisible(t, parts, "pod created after the outage", func(page string) bool { return strings.Contains(page, string(pod.UID)) })
	waitForEqualUnion(t, whole, parts)
	w.deletePod(t, pod)
	waitVisible(t, parts, "pod deleted after the outage", func(page string) bool { return !strings.Contains(page, string(pod.UID)) })
	waitForEqualUnion(t, whole, parts)
}

func (w *world) aReplicaWaitsForTheAPIServerAtStart(t *testing.T) {
	end := w.outage(t)
	replica := w.startReplica(t)
	fleet.Eventually(t, "the replica answers without an API server", func(ctx context.Context) error {
		_, err := replica.Get(ctx, replica.URL+"/livez")
		return err
	})
	fleet.Eventually(t, "the log names the API server", func(context.Context) error {
		if !strings.Contains(replica.Log(), w.cluster.Address()) {
			return errors.New("the log does not contain its address")
		}
		return nil
	})
	for path, want := range map[string]int{
		"/livez": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/metrics": http.StatusServiceUnavailable,
	} {
		if status := statusOf(t, replica, path); status != want {
			t.Errorf("%s: got status %d before the first sync, want %d", path, status, want)
		}
	}
	end()
	replica.WaitReady(t)
	if found, want := len(objects(replica.Scrape(t), "pods")), w.count(t, "pods"); found != want {
		t.Errorf("ready with %d pods, want %d", found, want)
	}
}

// outage stops the API server until end is called, or until the end of the test, because the next check needs it.
func (w *world) outage(t *testing.T) (end func()) {
	t.Helper()
	w.cluster.Stop()
	end = sync.OnceFunc(func() {
		if err := w.cluster.Start(); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(end)
	return end
}

// resourceNames returns the names of the seeded kinds, as --resources takes them.
func resourceNames() []string {
	var names []string
	for _, kind := range seed.Kinds() {
		names = append(names, kind.Resource)
	}
	return names
}

func statusOf(t *testing.T, replica *fleet.Replica, path string) int {
	t.Helper()
	answer, err := replica.Get(t.Context(), replica.URL+path)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status
}
