package resources

import (
	"fmt"
	"runtime/debug"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

// The lines of a family are between the end of the previous family and its own end, and each of them is a sample of
// that family.
func TestRenderEndsEveryFamily(t *testing.T) {
	for _, k := range All() {
		r := mustRenderer(t, k, everything(t))
		objects := newRandomObjects(4)
		var l Lines
		for range 10 {
			if err := r.Render(wire.Protobuf, encodings(t, objects.next(t, k))[wire.Protobuf], &l); err != nil {
				t.Fatal(err)
			}
			if len(l.Ends) != len(r.Families()) || l.Ends[len(l.Ends)-1] != len(l.Buf) {
				t.Fatalf("%s: got %d ends %v for %d families and %d bytes", k.Name(), len(l.Ends), l.Ends, len(r.Families()), len(l.Buf))
			}
			page := conformance.NewExposition()
			if err := addLines(&page, r.Families(), l); err != nil {
				t.Fatalf("%s: %v", k.Name(), err)
			}
		}
	}
}

// Data without a usable value costs its sample, not the object.
func TestSkippedSamplesAreCounted(t *testing.T) {
	f := func(resource string, o apiObject, skipped int, line string) {
		t.Helper()
		r := mustRenderer(t, kindsByName()[resource], Filter{})
		var l Lines
		if err := r.Render(wire.Protobuf, encodings(t, o)[wire.Protobuf], &l); err != nil {
			t.Fatal(err)
		}
		if l.Skipped != skipped || !strings.Contains(string(l.Buf), line) {
			t.Errorf("got %d skipped, want %d, and a line with %s in\n%s", l.Skipped, skipped, line, l.Buf)
		}
	}
	one, lots := resource.MustParse("1"), intstr.FromString("lots")
	external := autoscalingv2.MetricSpec{Type: "External", External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "q"}, Target: autoscalingv2.MetricTarget{Value: &one},
	}}
	f("horizontalpodautoscalers", &autoscalingv2.HorizontalPodAutoscaler{
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{Metrics: []autoscalingv2.MetricSpec{{Type: "Object"}, external, external}},
	}, 2, `metric_name="q"`)
	f("horizontalpodautoscalers", &autoscalingv2.HorizontalPodAutoscaler{
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{CurrentMetrics: []autoscalingv2.MetricStatus{{Type: "Pods"}}},
	}, 1, "kube_horizontalpodautoscaler_info")
	var replicas int32 = 3
	f("deployments", &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &replicas, Strategy: appsv1.DeploymentStrategy{
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &lots},
	}}}, 1, "kube_deployment_spec_replicas")
}

// The API promises only that versions are opaque.
func TestResourceVersionIsShownWhenItIsANumber(t *testing.T) {
	family := resourceVersionFamily[appsv1.Deployment](Stable, "m", "deployment")
	f := func(version, want string) {
		t.Helper()
		o := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{ResourceVersion: version}}
		if text, _ := written(func(w *SampleWriter) { family.write(o, w) }); text != want {
			t.Errorf("version %q: got %q, want %q", version, text, want)
		}
	}
	f("42", "m{id=\"x\"} 42\n")
	f("1e3", "m{id=\"x\"} 1000\n")
	f("", "")
	f("abc", "")
	f("NaN", "")
	f("-Inf", "")
	f("1e999", "")
}

// If a family panics for an object, it is left out for that object only, and reported.
func TestPanicCostsOneFamily(t *testing.T) {
	k := NewKind(definition[appsv1.Deployment]{
		resource: appsv1.SchemeGroupVersion.WithResource("deployments"),
		identity: namespaceAndName[appsv1.Deployment]("deployment"),
		families: []family[appsv1.Deployment]{
			gauge(Stable, "before", "Help.", func(_ *appsv1.Deployment, w *SampleWriter) { w.Value(2) }),
			gauge(Stable, "breaks", "Help.", func(d *appsv1.Deployment, w *SampleWriter) {
				w.Value(3)
				w.Int(int64(1 / len(d.Name)))
			}),
			gauge(Stable, "behind", "Help.", func(_ *appsv1.Deployment, w *SampleWriter) { w.Value(4) }),
		},
	})
	r := mustRenderer(t, k, Filter{})
	var l Lines
	if err := r.Render(wire.Protobuf, nil, &l); err != nil {
		t.Fatal(err)
	}
	text := string(l.Buf)
	if !strings.Contains(text, "before{") || strings.Contains(text, "breaks{") || !strings.Contains(text, "behind{") || len(l.Ends) != 3 {
		t.Errorf("got lines %s, ends %v, want those of the other two families", l.Buf, l.Ends)
	}
	if len(l.Failed) != 1 || l.Failed[0].Family != 1 {
		t.Fatalf("got failed families %v, want the second one", l.Failed)
	}
	if f := l.Failed[0]; !strings.Contains(f.Error(), "divide by zero") || !strings.Contains(f.Stack(), "render_test.go:") {
		t.Errorf("got failure %q at\n%s, want a division by zero in this file", f, f.Stack())
	}
	whole := encodings(t, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d"}})
	if err := r.Render(wire.Protobuf, whole[wire.Protobuf], &l); err != nil || len(l.Failed) > 0 || !strings.Contains(string(l.Buf), "breaks{") {
		t.Errorf("next object: error %v, failed families %v, lines %s", err, l.Failed, l.Buf)
	}
}

// If a declaration names a field that does not exist, creating the renderer fails.
func TestWrongFieldNameIsAnError(t *testing.T) {
	k := NewKind(definition[appsv1.Deployment]{
		resource: appsv1.SchemeGroupVersion.WithResource("deployments"), reads: "spec.replicaz",
	})
	if _, err := k.Renderer(Filter{}); err == nil || !strings.Contains(err.Error(), "spec.replicaz") {
		t.Errorf("error %v, want one that names the field", err)
	}
}

// Several goroutines may use one renderer.
func TestRenderIsConcurrent(t *testing.T) {
	k := kindsByName()["jobs"]
	r := mustRenderer(t, k, everything(t))
	objects := newRandomObjects(5)
	var raws, want [][]byte
	for range 20 {
		var l Lines
		raw := encodings(t, objects.next(t, k))[wire.Protobuf]
		if err := r.Render(wire.Protobuf, raw, &l); err != nil {
			t.Fatal(err)
		}
		raws, want = append(raws, raw), append(want, l.Buf)
	}
	done := make(chan error)
	for range 4 {
		go func() {
			var l Lines
			var err error
			for i, raw := range raws {
				if e := r.Render(wire.Protobuf, raw, &l); e != nil || string(l.Buf) != string(want[i]) {
					err = fmt.Errorf("object %d: error %w, lines %s", i, e, l.Buf)
				}
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// FuzzRender passes unchecked bytes to the renderers of all kinds. The result must be an error or valid exposition
// lines. There must be no panic, not even one that Render would recover.
func FuzzRender(f *testing.F) {
	for _, fixture := range readFixtures(f) {
		for _, o := range fixture.objects[:1] {
			f.Add(o.raw[wire.Protobuf], false)
			f.Add(o.raw[wire.JSON], true)
		}
	}
	var renderers []*Renderer
	for _, k := range All() {
		renderers = append(renderers, mustRenderer(f, k, everything(f)))
	}
	f.Fuzz(func(t *testing.T, raw []byte, isJSON bool) {
		enc := wire.Protobuf
		if isJSON {
			enc = wire.JSON
		}
		for _, r := range renderers {
			fuzzOne(t, r, enc, raw)
		}
	})
}

func fuzzOne(t *testing.T, r *Renderer, enc wire.Encoding, raw []byte) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%s: %v\n%s", r.Families()[0].Name, p, debug.Stack())
		}
	}()
	var full, lines Lines
	fullErr := r.render(enc, raw, &scratch{out: SampleWriter{lines: &full}})
	if r.Render(enc, raw, &lines) != nil {
		return // not an object, or one with content that no API server sends, such as groups
	}
	// In protobuf, the generated decoders read past the end of a map entry that is too short. So invalid bytes may
	// decode differently after other bytes were cut.
	if enc == wire.JSON && fullErr == nil && string(lines.Buf) != string(full.Buf) {
		t.Fatalf("masked and complete object differ:\n%s", firstDifference(string(lines.Buf), string(full.Buf)))
	}
	if len(full.Failed)+len(lines.Failed) > 0 {
		t.Fatalf("%s: families %v failed", r.Families()[0].Name, append(full.Failed, lines.Failed...))
	}
	page := conformance.NewExposition()
	if err := addLines(&page, r.Families(), lines); err != nil || len(page.Twice) > 0 {
		t.Fatalf("error %v, duplicate series %v", err, page.Twice)
	}
}
