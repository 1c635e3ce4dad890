package simulator

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestScaleIsTheDocumentedMix(t *testing.T) {
	s := Scale(20_000)
	if s.Pods != 20_000 || s.Jobs != 2_000 || s.Nodes != 500 || s.Total() != 57_000 {
		t.Errorf("20k: %d pods, %d jobs, %d nodes, %d objects", s.Pods, s.Jobs, s.Nodes, s.Total())
	}
	if five := Scale(100_000); five.Pods != 5*s.Pods || five.Jobs != 5*s.Jobs || five.Nodes != 5*s.Nodes {
		t.Errorf("100k is not five times 20k: %+v", five)
	}
}

// encoded is everything a spec generates, by kind.
func encoded(t *testing.T, s Spec) map[string][][]byte {
	t.Helper()
	c := New(Options{})
	all := map[string][][]byte{}
	for obj := range s.Objects() {
		collection, err := c.collectionOf(obj)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := obj.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		all[collection.kind.Resource] = append(all[collection.kind.Resource], raw)
	}
	return all
}

func TestGeneratorIsDeterministic(t *testing.T) {
	s := Scale(200)
	s.Seed = 7
	first, again := encoded(t, s), encoded(t, s)
	s.Seed = 8
	other := encoded(t, s)
	for resource, objects := range first {
		if !slices.EqualFunc(objects, again[resource], bytes.Equal) {
			t.Errorf("%s differ between two runs of one seed", resource)
		}
		if slices.EqualFunc(objects, other[resource], bytes.Equal) {
			t.Errorf("%s are the same for two seeds", resource)
		}
	}
}

func TestGeneratorMakesWhatTheSpecCounts(t *testing.T) {
	for _, pods := range []int{0, 1, 50, 700} {
		s := Scale(pods)
		c := New(Options{})
		if err := c.Populate(s); err != nil {
			t.Fatal(err)
		}
		if c.Len() != s.Total() {
			t.Errorf("%d pods: %d objects, want %d", pods, c.Len(), s.Total())
		}
		if n := len(c.Names("pods")); n != s.Pods+s.Jobs {
			t.Errorf("%d pods of workloads and %d of jobs: %d", s.Pods, s.Jobs, n)
		}
	}
}

func TestGeneratorMakesEveryKind(t *testing.T) {
	c := New(Options{})
	if err := c.Populate(Scale(100)); err != nil {
		t.Fatal(err)
	}
	for _, kind := range Kinds() {
		if len(c.Names(kind.Resource)) == 0 {
			t.Errorf("no %s", kind.Resource)
		}
	}
}

func TestGeneratorStopsWhenAsked(t *testing.T) {
	n := 0
	for range Scale(100).Objects() {
		if n++; n == 10 {
			break
		}
	}
	if n != 10 {
		t.Errorf("%d objects", n)
	}
}

func TestGeneratedObjectsHaveUniqueV4UIDsAndOwnersThatExist(t *testing.T) {
	v4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[types.UID]string{}
	for obj := range Scale(400).Objects() {
		if uid := obj.GetUID(); !v4.MatchString(string(uid)) || seen[uid] != "" {
			t.Fatalf("uid %q of %T %s, seen at %q", uid, obj, obj.GetName(), seen[uid])
		}
		seen[obj.GetUID()] = obj.GetName()
		for _, owner := range obj.GetOwnerReferences() {
			if seen[owner.UID] != owner.Name {
				t.Errorf("%T %s is owned by %s %s, which is not there", obj, obj.GetName(), owner.Kind, owner.Name)
			}
		}
	}
}

// A cluster that gives uids is populated with the same seed most of the time.
func TestClusterGivesNoUIDOfWhatWasGenerated(t *testing.T) {
	s := Scale(100)
	s.Seed = 7
	c := New(Options{Seed: s.Seed})
	generated := map[types.UID]string{}
	for obj := range s.Objects() {
		generated[obj.GetUID()] = obj.GetName()
	}
	for range 20 * len(generated) { // each object took a few numbers in addition to its uid
		if uid := c.newUID(); generated[uid] != "" {
			t.Fatalf("%s has uid %s already", generated[uid], uid)
		}
	}
}

func TestGeneratedPodsAreOfRealisticSize(t *testing.T) {
	var pods, asProtobuf, asJSON int
	for obj := range Scale(1000).Objects() {
		p, ok := obj.(*corev1.Pod)
		if !ok {
			continue
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		pods, asProtobuf, asJSON = pods+1, asProtobuf+p.Size(), asJSON+len(text)
		for _, entry := range p.ManagedFields {
			if !json.Valid(entry.FieldsV1.GetRawBytes()) {
				t.Fatalf("managedFields of %s are not JSON: %s", p.Name, entry.FieldsV1.GetRawString())
			}
		}
	}
	asProtobuf, asJSON = asProtobuf/pods, asJSON/pods
	t.Logf("a pod has %d bytes of protobuf, %d of JSON", asProtobuf, asJSON)
	if asProtobuf < 6_300 || asProtobuf > 7_700 || asJSON < 9_000 || asJSON > 11_500 {
		t.Errorf("a pod has %d bytes of protobuf and %d of JSON, want about 7,000 and 10,000", asProtobuf, asJSON)
	}
}
