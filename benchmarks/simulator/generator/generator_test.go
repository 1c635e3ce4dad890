package generator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	exported "github.com/statefleet/statefleet/resources"
)

func TestScaleIsTheDocumentedMix(t *testing.T) {
	s := Scale(20_000)
	if s.pods != 20_000 || s.Jobs != 2_000 || s.Nodes != 500 || total(s) != 57_000 {
		t.Errorf("20k: got %d pods, %d Jobs, %d nodes, %d objects, want 20000, 2000, 500, 57000",
			s.pods, s.Jobs, s.Nodes, total(s))
	}
	if five := Scale(100_000); five.pods != 5*s.pods || five.Jobs != 5*s.Jobs || five.Nodes != 5*s.Nodes {
		t.Errorf("100k: got %+v, want five times 20k", five)
	}
}

// total returns the number of objects of a spec.
func total(s Spec) int {
	perNamespace := s.namespaces * 3
	perNode := s.Nodes * 2
	workloads := s.pods + 2*s.Jobs + s.cronJobs + s.daemonSets + s.deployments*(2+s.oldReplicaSets) +
		s.replicationControllers + s.statefulSets
	network := 3*s.services + s.ingresses + s.ingressClasses + s.networkPolicies
	config := s.configMaps + s.secrets + s.serviceAccounts
	storage := 3*s.claims + s.storageClasses
	policies := s.horizontalPodAutoscalers + s.podDisruptionBudgets
	access := s.roles + s.roleBindings + s.clusterRoles + s.clusterRoleBindings + s.certificateSigningRequests
	admission := s.mutatingWebhooks + s.validatingWebhooks + 2*(s.mutatingAdmissionPolicies+s.validatingAdmissionPolicies)
	return perNamespace + perNode + workloads + network + config + storage + policies + access + admission
}

// populated returns a cluster with the objects of a spec.
func populated(t *testing.T, s Spec) *simulator.Cluster {
	t.Helper()
	c := simulator.New(simulator.Options{})
	if err := c.Populate(s.Objects()); err != nil {
		t.Fatal(err)
	}
	return c
}

// encodeAll encodes all objects of a spec, by Go type.
func encodeAll(t *testing.T, s Spec) map[string][][]byte {
	t.Helper()
	all := map[string][][]byte{}
	for obj := range s.Objects() {
		raw, err := obj.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		kind := fmt.Sprintf("%T", obj)
		all[kind] = append(all[kind], raw)
	}
	return all
}

// readAll returns all objects of a cluster, by resource and name.
func readAll(t *testing.T, c *simulator.Cluster) map[string]simulator.Object {
	t.Helper()
	all := map[string]simulator.Object{}
	for _, kind := range simulator.Kinds() {
		for _, name := range c.Names(kind.Resource) {
			obj, err := kind.New()
			if err != nil {
				t.Fatal(err)
			}
			obj.SetNamespace(name.Namespace)
			obj.SetName(name.Name)
			if err := c.Get(obj); err != nil {
				t.Fatal(err)
			}
			all[kind.Resource+" "+name.String()] = obj
		}
	}
	return all
}

func TestEveryManifestIsRead(t *testing.T) {
	objects, err := readManifests()
	if want := strings.Count(manifests, "\nkind: "); err != nil || len(objects) != want {
		t.Errorf("read %d of %d manifests, error %v", len(objects), want, err)
	}
}

func TestGeneratorIsDeterministic(t *testing.T) {
	s := Scale(200)
	s.Seed = 7
	first, again := encodeAll(t, s), encodeAll(t, s)
	s.Seed = 8
	other := encodeAll(t, s)
	for resource, objects := range first {
		if !slices.EqualFunc(objects, again[resource], bytes.Equal) {
			t.Errorf("%s differ between two runs with the same seed", resource)
		}
		if slices.EqualFunc(objects, other[resource], bytes.Equal) {
			t.Errorf("%s are the same with two seeds", resource)
		}
	}
}

func TestGeneratorMakesWhatTheSpecCounts(t *testing.T) {
	for _, pods := range []int{0, 1, 50, 700} {
		s := Scale(pods)
		c := populated(t, s)
		if c.Len() != total(s) {
			t.Errorf("%d pods: got %d objects, want %d", pods, c.Len(), total(s))
		}
		if n := len(c.Names("pods")); n != s.pods+s.Jobs {
			t.Errorf("%d pods of workloads and %d of Jobs: got %d pods", s.pods, s.Jobs, n)
		}
	}
}

// TestGeneratorMakesEveryDefaultKind checks kinds that are on by default. Of the others, the usual mix has those of
// kube-state-metrics, which TestGeneratorMakesWhatTheSpecCounts counts.
func TestGeneratorMakesEveryDefaultKind(t *testing.T) {
	c := populated(t, Scale(100))
	for _, kind := range exported.All() {
		if kind.Default && len(c.Names(kind.Name())) == 0 {
			t.Errorf("%s: got no object, want some, because the kind is on by default", kind.Name())
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
		t.Errorf("got %d objects, want 10", n)
	}
}

func TestGeneratedObjectsHaveUniqueV4UIDsAndOwnersThatExist(t *testing.T) {
	v4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[types.UID]string{}
	for obj := range Scale(400).Objects() {
		if uid := obj.GetUID(); !v4.MatchString(string(uid)) || seen[uid] != "" {
			t.Fatalf("UID %q of %T %s: want a version 4 UUID that is not used by %q", uid, obj, obj.GetName(), seen[uid])
		}
		seen[obj.GetUID()] = obj.GetName()
		for _, owner := range obj.GetOwnerReferences() {
			if seen[owner.UID] != owner.Name {
				t.Errorf("%T %s is owned by %s %s, which was not generated", obj, obj.GetName(), owner.Kind, owner.Name)
			}
		}
	}
}

// A cluster assigns UIDs, and most callers use the same seed for it and for the objects in it.
func TestClusterGivesNoUIDThatWasGenerated(t *testing.T) {
	s := Scale(100)
	s.Seed = 7
	c := simulator.New(simulator.Options{Seed: s.Seed})
	generated := map[types.UID]string{}
	for obj := range s.Objects() {
		generated[obj.GetUID()] = obj.GetName()
	}
	for i := range 20 * len(generated) { // each object consumed a few random numbers in addition to its UID
		obj := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(i)}}
		if err := c.Put(obj); err != nil {
			t.Fatal(err)
		}
		if name := generated[obj.UID]; name != "" {
			t.Fatalf("cluster assigned UID %s, which the generated %s has", obj.UID, name)
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
				t.Fatalf("managedFields of %s are not valid JSON: %s", p.Name, entry.FieldsV1.GetRawString())
			}
		}
	}
	asProtobuf, asJSON = asProtobuf/pods, asJSON/pods
	t.Logf("average pod: %d bytes of protobuf, %d of JSON", asProtobuf, asJSON)
	if asProtobuf < 6_300 || asProtobuf > 7_700 || asJSON < 9_000 || asJSON > 11_500 {
		t.Errorf("average pod: got %d bytes of protobuf and %d of JSON, want about 7,000 and 10,000", asProtobuf, asJSON)
	}
}
