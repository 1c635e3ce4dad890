package replica

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/store"
)

// sharedRenderer is a Renderer that may give two objects the same series in the second family.
type sharedRenderer struct{ Renderer }

func (sharedRenderer) SharedFamilies(bool) []int { return []int{1} }

func newTestSharedSeries(t *testing.T) *sharedSeries {
	t.Helper()
	s := newSharedSeries(Kind{Renderer: sharedRenderer{}})
	if s == nil {
		t.Fatal("the shared family is not tracked")
	}
	return s
}

// linesOf returns the lines of an object in the families before, shared and after.
func linesOf(before, shared, after string) *resources.Lines {
	return &resources.Lines{
		Buf:  []byte(before + shared + after),
		Ends: []int{len(before), len(before) + len(shared), len(before) + len(shared) + len(after)},
	}
}

func always(store.ID) bool { return true }

func TestSharedSeriesOfTheLaterObjectIsLeftOut(t *testing.T) {
	s := newTestSharedSeries(t)
	claim := func(id byte, shared string) string {
		l := linesOf("b{} 1\n", shared, "a{} 1\n")
		s.claim(store.ID{id}, l, always)
		if before, after := string(l.Buf[:l.Ends[0]]), string(l.Buf[l.Ends[1]:l.Ends[2]]); before != "b{} 1\n" || after != "a{} 1\n" || l.Ends[2] != len(l.Buf) {
			t.Errorf("other families were changed: %q, %v", l.Buf, l.Ends)
		}
		return string(l.Buf[l.Ends[0]:l.Ends[1]])
	}
	want := func(got, want string, count int) {
		t.Helper()
		if got != want || s.count() != count {
			t.Errorf("got %q and %d series left out, want %q and %d", got, s.count(), want, count)
		}
	}
	want(claim(1, "s{x=\"1\"} 1\ns{x=\"2\"} 1\n"), "s{x=\"1\"} 1\ns{x=\"2\"} 1\n", 0)
	want(claim(2, "s{x=\"2\"} 7\ns{x=\"3\"} 7\n"), "s{x=\"3\"} 7\n", 1)
	want(claim(3, "s{x=\"1\"} 7\ns{x=\"2\"} 7\n"), "", 3)
	want(claim(1, "s{x=\"1\"} 5\ns{x=\"2\"} 5\n"), "s{x=\"1\"} 5\ns{x=\"2\"} 5\n", 3) // another version
	want(claim(2, "s{x=\"3\"} 7\n"), "s{x=\"3\"} 7\n", 2)
	if free := s.prune(always); len(free) != 0 {
		t.Errorf("got free objects %v, want none", free)
	}
	want(claim(1, "s{x=\"2\"} 5\n"), "s{x=\"2\"} 5\n", 2)
	if free := s.prune(always); !slices.Equal(free, []store.ID{{3}}) {
		t.Errorf("got free objects %v, want only 3, whose series has no owner", free)
	}
	if free := s.prune(func(id store.ID) bool { return id != store.ID{3} }); len(free) != 0 || s.count() != 0 {
		t.Errorf("got free objects %v and %d series left out after the object was removed, want none", free, s.count())
	}
}

// TestSeriesOfRemovedObjectIsFree checks that the series of a removed object can be claimed before
// prune.
func TestSeriesOfRemovedObjectIsFree(t *testing.T) {
	s := newTestSharedSeries(t)
	s.claim(store.ID{1}, linesOf("", "s{} 1\n", ""), always)
	l := linesOf("", "s{} 2\n", "")
	s.claim(store.ID{2}, l, func(store.ID) bool { return false })
	if string(l.Buf) != "s{} 2\n" || s.count() != 0 {
		t.Errorf("got %q and %d series left out, want the series", l.Buf, s.count())
	}
	s.prune(func(id store.ID) bool { return id == store.ID{2} })
	l = linesOf("", "s{} 3\n", "")
	if s.claim(store.ID{3}, l, always); len(l.Buf) != 0 {
		t.Error("prune has freed the series of the new owner together with the former one")
	}
}

func TestFirstFamilyWithoutASeriesIsNamed(t *testing.T) {
	t.Parallel()
	s := newTestSharedSeries(t)
	s.families = []int{0, 1, 2}
	for id, c := range []struct {
		before, shared, after string
		want                  int
	}{
		{"b 1\n", "", "a 1\n", -1},
		{"b 2\n", "s 2\n", "a 2\n", 0},
		{"", "s 3\n", "a 3\n", 1},
		{"", "", "a 4\n", 2},
		{"b{x=\"y\"} 1\n", "", "", -1},
	} {
		if f := s.claim(store.ID{byte(id + 1)}, linesOf(c.before, c.shared, c.after), always); f != c.want {
			t.Errorf("object %d: family %d is the first to lack a series, want %d", id+1, f, c.want)
		}
	}
}

// To Prometheus an empty label is the same as a missing one.
func TestEmptyLabelsDoNotDistinguishSeries(t *testing.T) {
	for _, group := range [][]string{
		{`s{} 1`, `s{a=""} 1`, `s{a="",b=""} 1`},
		{`s{a="x"} 1`, `s{a="x",b=""} 2`, `s{a="x",b="",c=""} 1`, `s{A="",a="x"} 1`},
		{`s{a="x",c="y"} 1`, `s{a="x",b="",c="y"} 1`},
		{`s{a="=\"\""} 1`}, {`s{a=",}"} 1`, `s{a=",}",b=""} 1`}, {`s{a="=\"\",b=\"\"",b=""} 1`}, {`t{} 1`},
	} {
		s := newTestSharedSeries(t)
		for _, other := range []string{`s{b="x"} 1`, `s{a="x",c="z"} 1`} {
			s.claim(store.ID{9}, linesOf("", other+"\n", ""), always)
		}
		for i, line := range group {
			l := linesOf("", line+"\n", "")
			s.claim(store.ID{byte(i + 1)}, l, always)
			if kept := len(l.Buf) > 0; kept != (i == 0) {
				t.Errorf("%s after %v: kept is %t, want %t", line, group[:i], kept, i == 0)
			}
		}
	}
}

// TestSharedSeriesMatchModel creates, changes and deletes objects at random. No series is ever
// duplicate, and once free objects are rendered again, no series is missing.
func TestSharedSeriesMatchModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := newTestSharedSeries(t)
	wants, exposition := map[store.ID][]string{}, map[store.ID]string{}
	held := func(id store.ID) bool { _, ok := wants[id]; return ok }
	render := func(id store.ID) {
		l := linesOf("", strings.Join(wants[id], ""), "")
		s.claim(id, l, held)
		exposition[id] = string(l.Buf)
	}
	conflicts, restored := 0, 0
	for step := range 20_000 {
		id := store.ID{byte(rng.IntN(20))}
		if rng.IntN(4) == 0 {
			delete(wants, id)
			delete(exposition, id)
		} else {
			wants[id] = nil
			for x := range 6 {
				if rng.IntN(3) == 0 {
					wants[id] = append(wants[id], fmt.Sprintf("s{x=\"%d\"} %d\n", x, step))
				}
			}
			render(id)
		}
		if rng.IntN(10) == 0 {
			for _, id := range s.prune(held) {
				restored++
				render(id)
			}
			all := map[string]bool{}
			for _, lines := range wants {
				for _, line := range lines {
					all[strings.Fields(line)[0]] = true
				}
			}
			for _, lines := range exposition {
				for line := range strings.Lines(lines) {
					delete(all, strings.Fields(line)[0])
				}
			}
			if len(all) > 0 {
				t.Fatalf("step %d: series %v are missing", step, all)
			}
		}
		seen := map[string]bool{}
		for _, lines := range exposition {
			for line := range strings.Lines(lines) {
				name := strings.Fields(line)[0]
				if seen[name] {
					t.Fatalf("step %d: duplicate series %s", step, name)
				}
				seen[name] = true
			}
		}
		conflicts += s.count()
	}
	if conflicts == 0 || restored == 0 {
		t.Errorf("got %d conflicts and %d restored objects, want some of each", conflicts, restored)
	}
	s.prune(func(store.ID) bool { return false })
	if len(s.owners)+len(s.owned)+len(s.leftOut)+s.count() != 0 {
		t.Errorf("after pruning all objects: %d owners, %d owning objects, %d objects with left-out series, %d series left out; want none", len(s.owners), len(s.owned), len(s.leftOut), s.count())
	}
}

// TestKindsWhoseLabelsIdentifyTheObjectAreNotTracked checks that such kinds have no maps.
func TestKindsWhoseLabelsIdentifyTheObjectAreNotTracked(t *testing.T) {
	for _, k := range builtin(t, resources.All()) {
		if newSharedSeries(k) != nil {
			t.Errorf("%s is tracked, although its labels identify the object", k.Name)
		}
	}
	for labels, tracked := range map[string]bool{
		"{name: [metadata, name], namespace: [metadata, namespace]}": false,
		"{id: [metadata, uid]}":              false,
		"{namespace: [metadata, namespace]}": true,
	} {
		k := customKind(t, labels)
		if got := newSharedSeries(k) != nil; got != tracked {
			t.Errorf("labels %s: tracked %t, want %t", labels, got, tracked)
		}
	}
}

// customKind returns a custom kind with these labels, which reads pods.
func customKind(t *testing.T, labels string) Kind {
	t.Helper()
	config, err := customresource.Parse(strings.NewReader(`
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.com, version: v1, kind: Pod}
    metricNamePrefix: ""
    labelsFromPath: ` + labels + `
    metrics:
    - name: team_size
      each: {type: Gauge, gauge: {path: [metadata, labels, size]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	definitions := []customresource.Definition{{Group: "example.com", Kind: "Pod", Plural: "pods", Namespaced: true, Versions: []string{"v1"}}}
	kinds := config.Kinds(definitions, resources.Filter{}, slog.New(slog.DiscardHandler))
	if len(kinds) != 1 {
		t.Fatalf("got %d kinds, want 1", len(kinds))
	}
	return Kind{Name: "teams", Resource: corev1.SchemeGroupVersion.WithResource("pods"), Namespaced: true, Custom: true, Renderer: kinds[0].Renderer}
}

// seriesOf returns the series of the exposition. A duplicate series fails the test.
func seriesOf(t *testing.T, r *run) []string {
	t.Helper()
	var all []string
	for _, line := range r.samples() {
		name, _, _ := bytes.Cut([]byte(line), []byte(" "))
		if slices.Contains(all, string(name)) {
			t.Fatalf("duplicate series %s", name)
		}
		all = append(all, string(name))
	}
	return all
}

// teamPod returns a pod whose series has its namespace as the only label.
func (w *world) teamPod(i int, team string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: team, Name: fmt.Sprintf("p%d", i), UID: uid(i), Labels: map[string]string{"size": fmt.Sprint(i)},
	}}
}

// TestLeftOutSeriesComesBackWhenItsOwnerIsDeleted checks that a left-out sample is served soon
// after its series has become free.
func TestLeftOutSeriesComesBackWhenItsOwnerIsDeleted(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		var lists atomic.Int64
		w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/pods") && (r.URL.Query().Get("watch") == "" || r.URL.Query().Get("sendInitialEvents") == "true") {
				lists.Add(1)
			}
			return false
		})
		w.put(w.teamPod(1, "a"))
		w.put(w.teamPod(2, "a"))
		w.put(w.teamPod(3, "b"))
		log := &bytes.Buffer{}
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.Kinds = []Kind{customKind(t, "{namespace: [metadata, namespace]}")}
			o.Logger = slog.New(slog.NewTextHandler(log, nil))
		})
		r.assign(0, 1)
		r.waitReady()
		leftOut := func(n int) {
			t.Helper()
			if got := r.value("statefleet_duplicate_series", "resource", "teams"); got != float64(n) {
				t.Errorf("statefleet_duplicate_series is %v, want %d", got, n)
			}
		}
		has := func(values ...string) bool {
			exposition := strings.Join(r.samples(), "\n") + "\n"
			return len(seriesOf(t, r)) == len(values) &&
				!slices.ContainsFunc(values, func(v string) bool { return !strings.Contains(exposition, v+"\n") })
		}
		// after waits until the exposition has these values, and returns how long that took.
		after := func(values ...string) time.Duration {
			t.Helper()
			since := time.Now()
			for !has(values...) {
				if time.Since(since) > 2*restoreInterval {
					t.Fatalf("got exposition %q, want the values %v", r.samples(), values)
				}
				time.Sleep(100 * time.Millisecond)
			}
			return time.Since(since)
		}
		after("} 1", "} 3")
		leftOut(1)
		w.put(w.teamPod(4, "b"))
		time.Sleep(time.Second)
		after("} 1", "} 3")
		leftOut(2)

		before := lists.Load()
		w.deletePod(w.teamPod(1, "a"))
		if took := after("} 2", "} 3"); took > 2*sweepInterval {
			t.Errorf("a sample with a free series came back after %s, want %s at most", took, 2*sweepInterval)
		}
		leftOut(1)
		if n := lists.Load() - before; n != 1 {
			t.Errorf("got %d lists for one sample, want 1", n)
		}
		w.deletePod(w.teamPod(3, "b"))
		if took := after("} 2", "} 4"); took > restoreInterval+2*sweepInterval || took < restoreInterval/2 {
			t.Errorf("a second sample came back after %s, want about %s between two lists", took, restoreInterval)
		}
		leftOut(0)
		if n := lists.Load() - before; n != 2 {
			t.Errorf("got %d lists for two samples, want 2", n)
		}
		time.Sleep(5 * restoreInterval)
		if n := lists.Load() - before; n != 2 {
			t.Errorf("got %d further lists although nothing is left out, want none", n-2)
		}
		if n := strings.Count(log.String(), "two objects have the same series"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
	})
}
