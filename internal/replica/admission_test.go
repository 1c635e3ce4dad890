package replica

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/store"
)

// TestStaleListDoesNotBringBackRemovedObjects checks an object that a list has removed without an
// event: an older list must not bring it back.
func TestStaleListDoesNotBringBackRemovedObjects(t *testing.T) {
	w := newWorld(t)
	const (
		first  = `{"metadata":{"name":"a","namespace":"a","uid":"u1","resourceVersion":"5"}}`
		second = `{"metadata":{"name":"b","namespace":"a","uid":"u2","resourceVersion":"6"}}`
	)
	lists := func(version string, items ...string) {
		w.listsPods(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"` + version + `"},"items":[` + strings.Join(items, ",") + `]}`)
	}
	lists("9", first, second)
	r := w.startVerified(func(o *Options) {
		o.Verifier = nil
		o.Backoff = wait.Backoff{Duration: time.Millisecond, Steps: 100, Cap: time.Millisecond}
	})
	lists("12", first)
	eventually(t, "one pod", func() bool { return len(podsIn(r.samples())) == 1 })
	lists("9", first, second)
	until := r.value("kube_state_metrics_list_total", "result", "success") + 5
	eventually(t, "some more lists", func() bool {
		if n := len(podsIn(r.samples())); n != 1 {
			t.Fatalf("got %d pods, want 1", n)
		}
		return r.value("kube_state_metrics_list_total", "result", "success") > until
	})
}

// TestDuplicateIdentitiesGiveNoDuplicateSeries lists objects that no API server should have. They
// must not give duplicate series, and must disappear with the list that leaves them out.
func TestDuplicateIdentitiesGiveNoDuplicateSeries(t *testing.T) {
	w := newWorld(t)
	list := func(version string, items ...string) {
		w.listsPods(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"` + version + `"},"items":[` + strings.Join(items, ",") + `]}`)
	}
	list("20",
		`{"metadata":{"name":"a","namespace":"a","uid":"u1","resourceVersion":"5"}}`,
		`{"metadata":{"name":"b","namespace":"a","uid":"u1","resourceVersion":"6"}}`,
		`{"metadata":{"name":"c","namespace":"a","uid":"u2","resourceVersion":"7"}}`,
		`{"metadata":{"name":"c","namespace":"a","uid":"u3","resourceVersion":"8"}}`,
		`{"metadata":{"namespace":"a","uid":"u4","resourceVersion":"9"}}`,
		`{"metadata":{"namespace":"a","uid":"u5","resourceVersion":"10"}}`,
		`{"metadata":{"name":"d","namespace":"a","resourceVersion":"11"}}`,
		`{"metadata":{"name":"d","namespace":"a","resourceVersion":"11"}}`,
		`{"metadata":{}}`)
	r := w.startVerified(func(o *Options) {
		o.Verifier = nil
		o.Backoff = wait.Backoff{Duration: time.Millisecond, Steps: 100, Cap: time.Millisecond}
	})
	on := podsIn(r.samples())
	for uid, want := range map[string]bool{"u1": true, "u2": false, "u3": true, "u4": false, "u5": true} {
		if on[uid] != want {
			t.Errorf("object %s is in the exposition: %t, want %t", uid, on[uid], want)
		}
	}
	list("21")
	eventually(t, "an empty exposition", func() bool { return len(r.samples()) == 0 })
}

func TestVersionOlderThanAListOrANamesakeIsRejected(t *testing.T) {
	w := newWorld(t)
	w.listsPods(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"20"},"items":[
		{"metadata":{"name":"a","namespace":"n","uid":"` + string(uid(1)) + `","resourceVersion":"15"}}]}`)
	r := w.startVerified(func(o *Options) { o.Verifier = nil })
	k := r.current()[0]
	for _, c := range []struct {
		completeAt uint64
		name       string
		version    store.Version
		want       outcome
	}{
		{20, "b", store.Version{ID: idOf(2), Version: 19}, deleted},
		{20, "b", store.Version{ID: idOf(2), Version: 20}, deleted}, // the list would include it
		{20, "b", store.Version{ID: idOf(2), Version: 21}, ""},
		{20, "b", store.Version{ID: idOf(2), Version: 0}, ""},
		{20, "a", store.Version{ID: idOf(1), Version: 16}, ""}, // it is held
		{20, "a", store.Version{ID: idOf(1), Version: 15}, stale},
		{0, "a", store.Version{ID: idOf(2), Version: 14}, superseded},
		{0, "a", store.Version{ID: idOf(2), Version: 15}, superseded},
		{0, "a", store.Version{ID: idOf(2), Version: 16}, ""},
		{0, "b", store.Version{ID: idOf(2), Version: 14}, ""},
	} {
		h := &handler{kind: k, held: k.held(), completeAt: c.completeAt}
		if got := h.admit(named("n", c.name), c.version); got != c.want {
			t.Errorf("version %d of %s after a list of %d: got %q, want %q", c.version.Version, c.name, c.completeAt, got, c.want)
		}
	}
}
