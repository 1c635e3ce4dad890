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

// newPods returns an empty sample of pods.
func newPods(t *testing.T) *Sample {
	t.Helper()
	all := resources.All()
	pods := all[slices.IndexFunc(all, func(k resources.Kind) bool { return k.Name() == "pods" })]
	renderer, err := pods.Renderer(resources.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return NewSample(renderer, containerFamilies()...)
}

// addPod adds a pod with so many containers.
func addPod(t *testing.T, s *Sample, name string, containers int) {
	t.Helper()
	statuses := strings.TrimSuffix(strings.Repeat(`{"name":"c","image":"i"},`, containers), ",")
	pod := fmt.Sprintf(`{"metadata":{"uid":%q,"namespace":"n","name":%q},"status":{"containerStatuses":[%s]}}`, name, name, statuses)
	if err := s.Add(wire.JSON, []byte(pod)); err != nil {
		t.Fatal(err)
	}
}

// However many objects of a namespace are looked at, they stand for those it has.
func TestNamespacesWeighWhatTheyHave(t *testing.T) {
	few, many, both := newPods(t), newPods(t), newPods(t)
	addPod(t, few, "a", 1)
	addPod(t, many, "b", 4)
	few.Represent(1)
	many.Represent(1)
	addPod(t, both, "a", 1)
	both.Represent(900)
	both.Represent(50) // a namespace of which nothing could be rendered
	addPod(t, both, "b", 4)
	both.Represent(100)
	got, a, b := both.Size(), few.Size(), many.Size()
	if both.Len() != 2 {
		t.Errorf("%d objects, want 2", both.Len())
	}
	for what, c := range map[string][3]float64{
		"containers": {both.Marked(), few.Marked(), many.Marked()},
		"series":     {got.Series, a.Series, b.Series},
		"text":       {got.Text, a.Text, b.Text},
	} {
		if want := 0.9*c[1] + 0.1*c[2]; math.Abs(c[0]-want) > 1e-6 {
			t.Errorf("%s: %v, want %v", what, c[0], want)
		}
	}
	if got.Gzip <= 0 || got.Gzip >= 0.9*a.Gzip+0.1*b.Gzip {
		t.Errorf("%v bytes packed: no less than two pages, %v and %v", got.Gzip, a.Gzip, b.Gzip)
	}
}

// A page holds the objects of many namespaces, and is packed as one.
func TestSmallNamespacesArePackedTogether(t *testing.T) {
	one, each := newPods(t), newPods(t)
	for i := range 100 {
		name := fmt.Sprint("pod-", i)
		addPod(t, one, name, 1)
		addPod(t, each, name, 1)
		each.Represent(7)
	}
	one.Represent(700)
	if got, want := each.Size(), one.Size(); got != want {
		t.Errorf("a hundred namespaces: %+v, want %+v", got, want)
	}
}

// A pod that asks for more than its limit is refused.
func TestRequestsStayWithinTheLimit(t *testing.T) {
	for _, test := range []struct {
		need, limit int64 // MiB
		want        string
	}{
		{70, 0, "96Mi"}, {70, 90, "90Mi"}, {70, 512, "96Mi"}, {600, 0, "608Mi"},
	} {
		r := Replica{Memory: float64(test.need << 20), CPU: 0.12}
		if cpu, memory := r.Requests(test.limit << 20); cpu != "150m" || memory != test.want {
			t.Errorf("%d MiB with a limit of %d: %s and %s, want %s", test.need, test.limit, cpu, memory, test.want)
		}
	}
}
