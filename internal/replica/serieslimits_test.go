package replica

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/store"
)

// portsKind returns a custom kind that reads pods. Its limited family has a sample for each port of a pod's first
// container.
func portsKind(t *testing.T, limit int) Kind {
	t.Helper()
	config, err := customresource.Parse(strings.NewReader(fmt.Sprintf(`
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: "", version: v1, kind: Pod}
    metricNamePrefix: ""
    labelsFromPath: {uid: [metadata, uid]}
    metrics:
    - {name: before, each: {type: Gauge, gauge: {path: [metadata, labels, size]}}}
    - name: port
      seriesLimit: %d
      each: {type: Gauge, gauge: {path: [spec, containers, "0", ports], valueFrom: [containerPort], labelsFromPath: {port: [containerPort]}}}
    - {name: after, each: {type: Gauge, gauge: {path: [metadata, labels, size]}}}
`, limit)))
	if err != nil {
		t.Fatal(err)
	}
	definitions := []customresource.Definition{{Kind: "Pod", Plural: "pods", Namespaced: true, Versions: []string{"v1"}}}
	k := config.Kinds(definitions, resources.Filter{}, slog.New(slog.DiscardHandler))[0]
	return Kind{Name: k.Name, Resource: k.Resource, Namespaced: true, Custom: true, Renderer: k.Renderer}
}

// portsPod returns a pod with a number of ports.
func portsPod(i, ports int) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: fmt.Sprint("p", i), UID: uid(i), Labels: map[string]string{"size": "1"}}}
	c := corev1.Container{Name: "c"}
	for port := range ports {
		c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: int32(port + 1)})
	}
	p.Spec.Containers = []corev1.Container{c}
	return p
}

// TestSamplesBeyondTheSeriesLimitAreLeftOut checks that these samples are counted, that they are logged once, and that
// they come back when there is room.
func TestSamplesBeyondTheSeriesLimitAreLeftOut(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		log := &bytes.Buffer{}
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.Kinds = []Kind{portsKind(t, 10)}
			o.Logger = slog.New(slog.NewTextHandler(log, nil))
		})
		w.put(portsPod(1, 4))
		r.assign(0, 1)
		r.waitReady()
		self := func(name string) float64 { return r.value(name, "family", "port") }
		var ports, others int
		wait := func(what string, want int) {
			t.Helper()
			for end := time.Now().Add(3 * restoreInterval); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				lines := r.samples()
				others = len(slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, "port{") }))
				if ports = len(lines) - others; ports == want {
					return
				}
			}
			t.Fatalf("%s: got %d samples, want %d", what, ports, want)
		}
		wait("below the limit", 4)
		if n := self("statefleet_series_over_limit_total"); n != 0 {
			t.Errorf("statefleet_series_over_limit_total is %v, want 0", n)
		}
		w.put(portsPod(2, 5))
		wait("below the limit", 9)
		w.put(portsPod(3, 4))
		wait("at the limit", 10)
		if others != 6 {
			t.Errorf("got %d samples of families without a limit, want 6", others)
		}
		if n, limit, over := self("statefleet_limited_series"), self("statefleet_series_limit"), self("statefleet_series_over_limit_total"); n != 10 || limit != 10 || over != 3 {
			t.Errorf("got %v samples, limit %v and %v left out, want 10, 10 and 3", n, limit, over)
		}
		w.put(portsPod(2, 3)) // makes room for samples of other pods
		wait("room for the ports of a changed pod", 10)
		w.deletePod(portsPod(1, 4))
		wait("room for the ports of a deleted pod", 7)
		if n, over := self("statefleet_limited_series"), self("statefleet_series_over_limit_total"); n != 7 || over < 3 {
			t.Errorf("got %v samples and %v left out, want 7 and 3 or more", n, over)
		}
		if n := strings.Count(log.String(), "the seriesLimit of their metric is reached"); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, log)
		}
	})
}

// TestSeriesLimitMatchesModel creates, changes and deletes objects at random. Their samples never exceed a limit, and
// none is left out while there is room.
func TestSeriesLimitMatchesModel(t *testing.T) {
	const limit = 40
	rng := rand.New(rand.NewPCG(3, 4))
	s := newSeriesLimits(portsKind(t, limit).Renderer)
	stored := store.New([]store.Family{{Name: "before"}, {Name: "port"}, {Name: "after"}}, store.NewBudget(1<<20))
	kept, cuts, restored := map[byte]int{}, 0, 0
	wants := map[byte]int{}
	total := func() (n int) {
		for _, k := range kept {
			n += k
		}
		return n
	}
	put := func(id byte) {
		l := linesOf("before{} 1\n", strings.Repeat("port{} 1\n", wants[id]), "after{} 1\n")
		if s.exceeds(store.ID{id}, l) {
			s.prune(stored)
		}
		now := s.cut(store.ID{id}, l)[0]
		if got := l.Samples(1); got != now.kept || now.kept+now.leftOut != wants[id] || l.Samples(0) != 1 || l.Samples(2) != 1 {
			t.Fatalf("%d of %d samples are left in the text, but cut returned %+v: %s", got, wants[id], now, l.Buf)
		}
		stored.Put(store.Object{ID: store.ID{id}}, &store.Lines{Buf: l.Buf, Ends: l.Ends})
		delete(kept, id)
		if room := limit - total(); now.kept != min(room, wants[id]) {
			t.Fatalf("%d of %d samples are kept, with room for %d", now.kept, wants[id], room)
		}
		kept[id] = now.kept
		if now.leftOut > 0 {
			cuts++
		}
	}
	for range 20_000 {
		id := byte(rng.IntN(12))
		if rng.IntN(3) == 0 {
			stored.Delete(store.ID{id})
			delete(kept, id)
			continue
		}
		wants[id] = rng.IntN(9)
		put(id)
		if rng.IntN(10) > 0 {
			continue
		}
		for _, id := range s.restorable(stored) {
			restored++
			put(id[0])
		}
		if counts := s.counts(stored); counts[0].total.kept != total() || total() > limit {
			t.Fatalf("counts returned %+v, want %d kept, and the limit is %d", counts[0].total, total(), limit)
		}
		if len(s.restorable(stored)) > 0 {
			t.Fatal("objects are restorable although all of them were just restored")
		}
	}
	if cuts == 0 || restored == 0 {
		t.Errorf("got %d cuts and %d restored objects, want some of each", cuts, restored)
	}
}

func TestSamplesAreRestoredWhenATenthOfTheLimitIsFree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit   int
		objects []samples
		want    int // objects
	}{
		"nothing is left out":               {100, []samples{{kept: 10}}, 0},
		"less than a tenth is free":         {100, []samples{{kept: 91}, {0, 10}, {0, 10}}, 0},
		"a tenth is free":                   {100, []samples{{kept: 90}, {0, 10}, {0, 10}}, 1},
		"there is room for two":             {100, []samples{{kept: 80}, {0, 10}, {0, 10}, {0, 10}}, 2},
		"less than a tenth, and all fits":   {100, []samples{{kept: 95}, {0, 5}}, 1},
		"less than a tenth, and not enough": {100, []samples{{kept: 95}, {0, 6}}, 0},
		"a small limit with room for one":   {5, []samples{{kept: 4}, {0, 3}}, 1},
		"a small limit without room":        {5, []samples{{kept: 5}, {0, 3}}, 0},
	} {
		s := &seriesLimits{families: []limitedFamily{{limit: c.limit}}, objects: map[store.ID][]samples{}}
		stored := store.New([]store.Family{{Name: "f"}}, nil)
		for i, of := range c.objects {
			id := store.ID{byte(i)}
			stored.Put(store.Object{ID: id}, &store.Lines{Buf: []byte("f 1\n"), Ends: []int{4}})
			s.objects[id] = []samples{of}
			s.families[0].total.add(of, 1)
		}
		found := s.restorable(stored)
		if len(found) != c.want {
			t.Errorf("%s: %d objects are restorable, want %d", name, len(found), c.want)
		}
		for _, id := range found {
			if s.objects[id][0].leftOut == 0 {
				t.Errorf("%s: an object is restorable that lacks no sample", name)
			}
		}
	}
}

// TestKindsWithoutSeriesLimitCostNothing checks that such kinds have no maps.
func TestKindsWithoutSeriesLimitCostNothing(t *testing.T) {
	for _, k := range append(builtin(t, resources.All()), customKind(t, "{uid: [metadata, uid]}")) {
		if newSeriesLimits(k.Renderer) != nil {
			t.Errorf("%s has seriesLimits, want none", k.Name)
		}
	}
}

// TestSelectorsOfAKindAreSent checks that every list and watch has them, in addition to those of the options.
func TestSelectorsOfAKindAreSent(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	asked := map[string]int{}
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/pods") {
			mu.Lock()
			defer mu.Unlock()
			asked[r.URL.Query().Get("labelSelector")+" "+r.URL.Query().Get("fieldSelector")]++
		}
		return false
	})
	selected := portsPod(1, 1)
	selected.Labels["app"], selected.Spec.NodeName = "web", "n1"
	w.put(selected)
	w.put(portsPod(2, 1))
	k := portsKind(t, 100)
	k.LabelSelector, k.FieldSelector = "app=web", "metadata.namespace!=b"
	r := w.start(func(o *Options) { o.Kinds, o.Node = []Kind{k}, "n1" })
	r.assign(0, 1)
	r.waitReady()
	if lines := r.samples(); len(lines) != 3 || !strings.Contains(lines[0], string(selected.UID)) {
		t.Errorf("got exposition %q, want the samples of one pod", lines)
	}
	mu.Lock()
	defer mu.Unlock()
	if n := asked["app=web metadata.namespace!=b,spec.nodeName=n1"]; n < 1 || len(asked) != 1 {
		t.Errorf("got requests by selectors %v, want both selectors in each", asked)
	}
}
