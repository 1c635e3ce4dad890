package resources

import (
	"encoding/json"
	"math/rand"
	"reflect"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/randfill"

	"github.com/statefleet/statefleet/internal/wire"
)

// words are the texts of random objects: those that families look for, and those that need care in an exposition.
var words = []string{
	"", "a", "b.example.com/two", "plain", "Camel-Case", `quote " and \`, "two\nlines", "\xff\xfe", "ünïcode", "42", lastApplied,
	"cpu", "memory", "pods", "storage", "example.com/gpu", "hugepages-2Mi", "node-role.kubernetes.io/worker",
	"*/5 * * * *", "@daily", "Europe/Berlin", "TZ=", "Always", "ClusterIP", "LoadBalancer", "Guaranteed", "NodeLost", "10.0.0.1",
}

// fieldWords are the texts of fields whose values families compare. The key is the field's name in Go, with the name of
// its type if that matters.
var fieldWords = map[string][]string{
	"Status":              {"True", "False", "Unknown", ""},
	"ResourceVersion":     {"42", "9007199254740993", "other"},
	"PodCondition.Type":   {"Ready", "ContainersReady", "Initialized", "PodScheduled", "DisruptionTarget", "PodResizePending", "PodResizeInProgress", "other"},
	"PodCondition.Reason": {"Unschedulable", "SchedulingGated", "other", ""},
	"Type": {
		"Ready", "Available", "Progressing", "Complete", "Failed", "Suspended", "Initialized", "PodScheduled", "ContainersReady",
		"Object", "Pods", "Resource", "ContainerResource", "External", "DisruptionTarget", "InternalIP", "ExternalIP", "Container", "Pod", "LoadBalancer", "Approved", "Denied", "other",
	},
	"Reason": {
		"BackoffLimitExceeded", "Evicted", "Unschedulable", "CrashLoopBackOff", "OOMKilled", "Error", "Completed", "NodeLost",
		"MinimumReplicasAvailable", "SchedulingGated", "other", "",
	},
	"Phase": {"Pending", "Running", "Succeeded", "Failed", "Active", "Terminating", "Bound", "Lost", "Available", "Released", "other"},
}

// randomObjects creates random objects with all kinds of content. The same seed gives the same objects.
type randomObjects struct {
	rand *rand.Rand
	fill *randfill.Filler
	kind schema.GroupVersionKind     // of the last object
	of   schema.GroupVersionResource // of the last object
}

func newRandomObjects(seed int64) *randomObjects {
	r := &randomObjects{rand: rand.New(rand.NewSource(seed))}
	r.fill = randfill.NewWithSeed(seed).NilChance(0.2).NumElements(0, 3).Funcs(
		func(*string, randfill.Continue) {}, // see write
		func(t *metav1.Time, c randfill.Continue) {
			if *t = (metav1.Time{}); c.Intn(5) > 0 {
				t.Time = time.Unix(c.Int63n(1<<33), 0)
			}
		},
		func(t *metav1.MicroTime, c randfill.Continue) {
			t.Time = time.Unix(c.Int63n(1<<33), 1000*c.Int63n(1e6))
		},
		func(q *resource.Quantity, c randfill.Continue) {
			texts := []string{"0", "1", "-3", "100m", "1500u", "1n", "2Gi", "9E", "10E", "123456789012345678901234567890", "0.5"}
			*q = resource.MustParse(texts[c.Intn(len(texts))])
		},
		func(v *intstr.IntOrString, c randfill.Continue) {
			values := []intstr.IntOrString{intstr.FromInt32(c.Int31n(100)), intstr.FromString("25%"), intstr.FromString("lots")}
			*v = values[c.Intn(len(values))]
		},
		func(e *runtime.RawExtension, c randfill.Continue) { *e = runtime.RawExtension{Raw: []byte(`{"a":1}`)} },
		func(f *metav1.FieldsV1, c randfill.Continue) { *f = *metav1.NewFieldsV1(`{"f:a":{}}`) },
	)
	return r
}

// apiObject is the interface of generated API types.
type apiObject interface {
	runtime.Object
	Marshal() ([]byte, error)
}

// next returns a random object of the kind.
func (r *randomObjects) next(t testing.TB, k Kind) apiObject {
	t.Helper()
	if r.of != k.Resource {
		r.kind, r.of = kindOf(t, k.Resource), k.Resource
	}
	o, err := scheme.Scheme.New(r.kind)
	if err != nil {
		t.Fatal(err)
	}
	r.fill.Fill(o)
	r.write(reflect.ValueOf(o).Elem())
	return o.(apiObject)
}

func kindOf(t testing.TB, resource schema.GroupVersionResource) schema.GroupVersionKind {
	t.Helper()
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if plural, _ := meta.UnsafeGuessKindToResource(gvk); plural == resource {
			return gvk
		}
	}
	t.Fatalf("no type for %v", resource)
	return schema.GroupVersionKind{}
}

func (r *randomObjects) pick(from []string) string { return from[r.rand.Intn(len(from))] }

// write replaces every string below v by a random one of the words.
func (r *randomObjects) write(v reflect.Value) {
	switch v.Interface().(type) {
	case metav1.Time, metav1.MicroTime, resource.Quantity, intstr.IntOrString, runtime.RawExtension, metav1.FieldsV1:
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(r.pick(words))
	case reflect.Pointer:
		if !v.IsNil() {
			r.write(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			r.write(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String {
				f.SetString(r.pick(wordsFor(v.Type(), v.Type().Field(i).Name)))
			} else {
				r.write(f)
			}
		}
	case reflect.Map:
		r.writeMap(v)
	}
}

func wordsFor(t reflect.Type, field string) []string {
	for _, name := range []string{t.Name() + "." + field, field} {
		if special := fieldWords[name]; special != nil {
			return special
		}
	}
	return words
}

func (r *randomObjects) writeMap(v reflect.Value) {
	if v.IsNil() {
		return
	}
	values := v.MapRange()
	entries := reflect.MakeMap(v.Type())
	for values.Next() {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		value.Set(values.Value())
		r.write(key)
		r.write(value)
		entries.SetMapIndex(key, value)
	}
	v.Set(entries)
}

// encodings returns the object in both encodings, as an API server sends it.
func encodings(t testing.TB, o apiObject) (raw [2][]byte) {
	t.Helper()
	var err error
	if raw[wire.Protobuf], err = o.Marshal(); err != nil {
		t.Fatal(err)
	}
	if raw[wire.JSON], err = json.Marshal(o); err != nil {
		t.Fatal(err)
	}
	return raw
}
