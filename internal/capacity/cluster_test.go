package capacity

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// sampleOf is a sample of a pod with so many containers.
func sampleOf(t *testing.T, containers int) *Sample {
	t.Helper()
	all := resources.All()
	pods := all[slices.IndexFunc(all, func(k resources.Kind) bool { return k.Name() == "pods" })]
	renderer, err := pods.Renderer(resources.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSample(renderer, containerFamilies()...)
	statuses := strings.TrimSuffix(strings.Repeat(`{"name":"c","image":"i"},`, containers), ",")
	if err := s.Add(wire.JSON, []byte(`{"metadata":{"uid":"u","namespace":"n","name":"p"},"status":{"containerStatuses":[`+statuses+`]}}`)); err != nil {
		t.Fatal(err)
	}
	return s
}

// However many objects of a namespace are looked at, they stand for those it has.
func TestNamespacesWeighWhatTheyHave(t *testing.T) {
	few, many := sampleOf(t, 1), sampleOf(t, 4)
	var k Kind
	k.weigh(few, 1)
	k.weigh(many, 100.0/1000)
	if want := 0.9*few.Marked() + 0.1*many.Marked(); k.Sampled != 2 || math.Abs(k.Containers-want) > 1e-9 {
		t.Errorf("%d objects with %v containers, want 2 with %v", k.Sampled, k.Containers, want)
	}
	a, b := few.Size(), many.Size()
	for what, size := range map[string]func(Size) float64{
		"series": func(s Size) float64 { return s.Series }, "text": func(s Size) float64 { return s.Text },
		"gzip": func(s Size) float64 { return s.Gzip }, "memory": func(s Size) float64 { return s.Memory },
	} {
		if got, want := size(k.Size), 0.9*size(a)+0.1*size(b); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
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
