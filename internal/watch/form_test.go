package watch

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/shard"
)

// secretForms returns the Forms in which Secrets are requested.
func secretForms() map[string]wire.Form {
	return map[string]wire.Form{
		"metadata": {Metadata: true},
		"table":    {Metadata: true, Column: "Type", Field: "type"},
	}
}

// secret stores a Secret with that number, and adds it to w.want if the ranges hold it.
func (w *world) secret(i int, label string, ranges shard.Ranges) {
	w.t.Helper()
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("s%d", i), UID: uid(i), Labels: map[string]string{"l": label}},
		Type:       "example.com/kind", Data: map[string][]byte{"key": []byte("value")},
	}
	if err := w.cluster.Put(s); err != nil {
		w.t.Fatal(err)
	}
	if ranges.Contains(shard.Hash(string(uid(i)))) {
		w.want[string(uid(i))] = "" // the recorder stores the node of a pod
	}
}

func (w *world) removeSecret(i int) {
	w.t.Helper()
	if err := w.cluster.Delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("s%d", i)}}); err != nil {
		w.t.Fatal(err)
	}
	delete(w.want, string(uid(i)))
}

// accepts returns the media types of all requests.
func (r *requests) accepts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, request := range r.all {
		all = append(all, strings.Split(request.Header.Get("Accept"), ",")...)
	}
	return all
}

// TestValuesOfSecretsAreNeverRequested checks that all requests are for metadata or Tables,
// whatever the API server supports: lists, watches, AddRanges, ListMetadata and the verification of
// its filter.
func TestValuesOfSecretsAreNeverRequested(t *testing.T) {
	t.Parallel()
	for name, form := range secretForms() {
		for _, o := range []simulator.Options{{}, {NoWatchList: true}, {ShardSelector: true}, {ShardSelector: true, NoWatchList: true}} {
			t.Run(fmt.Sprintf("%s, server-side sharding %v, streamed lists %v", name, o.ShardSelector, !o.NoWatchList), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, o)
				mine := oneOfThree(t)
				for i := range 60 {
					w.secret(i, "old", mine)
				}
				recorded := w.answerWith(w.cluster.Handler())
				reflector, rec := w.reflector(setup{resource: "secrets", ranges: mine, selector: true, form: form})
				w.run(reflector)
				w.converge(rec, "the list")
				for i := range 30 {
					w.removeSecret(2 * i)
					w.secret(2*i+1, "new", mine)
					w.secret(60+i, "new", mine)
				}
				w.converge(rec, "events")
				listed := 0
				if _, err := reflector.ListMetadata(t.Context(), func(Object) { listed++ }); err != nil || listed != len(w.want) {
					t.Errorf("ListMetadata visited %d objects, want %d; error %v", listed, len(w.want), err)
				}
				if err := reflector.AddRanges(t.Context(), RangeAddition{Contains: mine.Contains, Selector: mine.Selector()}); err != nil {
					t.Error(err)
				}
				for _, accept := range recorded.accepts() {
					if !strings.Contains(accept, ";as=PartialObjectMetadata") && !strings.Contains(accept, ";as=Table;") {
						t.Errorf("a request accepts %q, want metadata or a Table", accept)
					}
				}
				if n := w.value("statefleet_watch_sharded_by_server", map[string]string{"resource": "secrets"}); (n == 1) != o.ShardSelector {
					t.Errorf("statefleet_watch_sharded_by_server is %v, and the server shards: %v", n, o.ShardSelector)
				}
			})
		}
	}
}

// TestResourceIsAbsentWithoutMetadataSupport checks that whole objects are not requested as a
// fallback. The resource counts as absent, which does not block readiness, until the API server
// supports metadata.
func TestResourceIsAbsentWithoutMetadataSupport(t *testing.T) {
	t.Parallel()
	for name, form := range secretForms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{})
			w.secret(1, "", shard.All())
			recorded := w.answerWith(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusNotAcceptable)
				_, _ = fmt.Fprint(rw, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotAcceptable","code":406}`)
			}))
			reflector, rec := w.start(setup{resource: "secrets", form: form})
			eventually(t, "phase absent", func() bool { return reflector.Status().Phase == Absent })
			for _, accept := range recorded.accepts() {
				if !strings.Contains(accept, ";as=") {
					t.Errorf("a request accepts %q, want metadata or a Table", accept)
				}
			}
			w.intercept(nil)
			w.converge(rec, "the list once the server supports it")
		})
	}
}

// TestListMetadataFindsAServerWithAnotherHash covers Forms whose lists do not say whether they are
// filtered. Those calls that also list everything find the objects that are left out.
func TestListMetadataFindsAServerWithAnotherHash(t *testing.T) {
	t.Parallel()
	for name, form := range secretForms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{ShardSelector: true})
			mine := oneOfThree(t)
			for i := range 60 {
				w.secret(i, "", mine)
			}
			w.answerWith(w.cluster.HandlerWithOtherHash())
			reflector, _ := w.reflector(setup{resource: "secrets", ranges: mine, selector: true, form: form})
			for range 1000 { // one call of three finds it
				if mismatched(reflector) {
					return
				}
				_, _ = reflector.ListMetadata(t.Context(), func(Object) {})
			}
			t.Error("the mismatch was not found")
		})
	}
}

// TestResourceIsAbsentWithoutTableSupport checks that answers other than a Table are not read.
func TestResourceIsAbsentWithoutTableSupport(t *testing.T) {
	t.Parallel()
	for _, noWatchList := range []bool{false, true} {
		w := newWorld(t, simulator.Options{NoWatchList: noWatchList})
		w.secret(1, "", shard.All())
		reflector, rec := w.start(setup{resource: "secrets", form: secretForms()["table"], json: true})
		eventually(t, "phase absent", func() bool { return reflector.Status().Phase == Absent })
		if rec.count(func(r *recorder) int { return r.puts }) > 0 {
			t.Error("objects were read from an answer that is not a Table")
		}
	}
}
