package capacity

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// newPodSample returns an empty sample of pods.
func newPodSample(t *testing.T) *sample {
	t.Helper()
	all := resources.All()
	pods := all[slices.IndexFunc(all, func(k resources.Kind) bool { return k.Name() == "pods" })]
	renderer, err := pods.Renderer(resources.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return newSample(renderer)
}

// addPod adds a pod with a number of containers.
func addPod(t *testing.T, s *sample, name string, containers int) {
	t.Helper()
	statuses := strings.TrimSuffix(strings.Repeat(`{"name":"c","image":"i"},`, containers), ",")
	pod := fmt.Sprintf(`{"metadata":{"uid":%q,"namespace":"n","name":%q},"status":{"containerStatuses":[%s]}}`, name, name, statuses)
	if err := s.add(wire.JSON, []byte(pod)); err != nil {
		t.Fatal(err)
	}
}

// Means are weighted by the population of each namespace, not by the number of its sampled objects.
func TestNamespacesAreWeightedByPopulation(t *testing.T) {
	few, many, both := newPodSample(t), newPodSample(t), newPodSample(t)
	addPod(t, few, "a", 1)
	addPod(t, many, "b", 4)
	few.setPopulation(1)
	many.setPopulation(1)
	addPod(t, both, "a", 1)
	both.setPopulation(900)
	both.setPopulation(50) // a namespace whose objects could not be rendered
	addPod(t, both, "b", 4)
	both.setPopulation(100)
	got, a, b := both.size(), few.size(), many.size()
	if both.objects != 2 {
		t.Errorf("got %d objects, want 2", both.objects)
	}
	for what, c := range map[string][3]float64{
		"containers": {both.containers(), few.containers(), many.containers()},
		"series":     {got.Series, a.Series, b.Series},
		"text":       {got.Text, a.Text, b.Text},
	} {
		if want := 0.9*c[1] + 0.1*c[2]; math.Abs(c[0]-want) > 1e-6 {
			t.Errorf("%s: got %v, want %v", what, c[0], want)
		}
	}
	if got.Gzip <= 0 || got.Gzip >= 0.9*a.Gzip+0.1*b.Gzip {
		t.Errorf("got %v bytes compressed together, want less than the mean of %v and %v separately",
			got.Gzip, a.Gzip, b.Gzip)
	}
}

// A block holds objects of many namespaces.
func TestSmallNamespacesAreCompressedTogether(t *testing.T) {
	one, each := newPodSample(t), newPodSample(t)
	for i := range 100 {
		name := fmt.Sprint("pod-", i)
		addPod(t, one, name, 1)
		addPod(t, each, name, 1)
		each.setPopulation(7)
	}
	one.setPopulation(700)
	if got, want := each.size(), one.size(); got != want {
		t.Errorf("a hundred namespaces: got %+v, want %+v", got, want)
	}
}

// Kubernetes rejects a pod that requests more than its limit.
func TestRequestsStayWithinTheLimit(t *testing.T) {
	for _, test := range []struct {
		need, limit int64 // MiB
		want        string
	}{
		{70, 0, "96Mi"}, {70, 90, "90Mi"}, {70, 512, "96Mi"}, {600, 0, "608Mi"},
	} {
		r := Replica{Memory: float64(test.need << 20), CPU: 0.12}
		if cpu, memory := r.Requests(test.limit << 20); cpu != "150m" || memory != test.want {
			t.Errorf("%d MiB with a limit of %d: got %s and %s, want 150m and %s",
				test.need, test.limit, cpu, memory, test.want)
		}
	}
}
