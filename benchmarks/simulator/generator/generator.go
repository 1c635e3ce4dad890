// Package generator generates the objects of a realistic cluster, and changes them
// steadily, for the simulated API server.
//
// A Spec holds the number of objects of each kind; Scale returns the usual mix for
// a number of pods. A Churn runs Jobs, updates the status of pods and renews leases.
// A Touch changes a share of all objects once. All random choices follow from a
// seed: the same seed results in the same objects on every machine.
package generator

import (
	"bytes"
	_ "embed" // manifests.yaml
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// Spec holds the numbers of objects of a generated cluster. Scale returns one.
type Spec struct {
	// Seed determines names, UIDs and states.
	Seed uint64
	// Now is the time relative to which objects have an age. Default: noon of
	// 2026-01-01 UTC. For realistic ages, use time.Now.
	Now time.Time

	// Nodes is the number of nodes. Each has a Lease.
	Nodes int
	// Jobs is the number of Jobs. Each has one pod.
	Jobs int

	pods       int // of all workloads except Jobs; Deployments share those that other workloads leave
	namespaces int // each with a ResourceQuota and a LimitRange

	cronJobs, daemonSets, deployments, replicationControllers, statefulSets int

	oldReplicaSets int // of each Deployment, in addition to the current one

	services, ingresses, ingressClasses, networkPolicies   int // each service with an EndpointSlice and an Endpoints
	configMaps, secrets, serviceAccounts                   int
	claims, storageClasses                                 int // each claim with a volume and a VolumeAttachment
	horizontalPodAutoscalers, podDisruptionBudgets         int
	roles, roleBindings, clusterRoles, clusterRoleBindings int
	mutatingWebhooks, validatingWebhooks                   int
	mutatingAdmissionPolicies, validatingAdmissionPolicies int // each with a binding
	certificateSigningRequests                             int
}

// Scale returns the usual mix for a number of pods. With 20,000 pods, it has 2,000
// Jobs with one more pod each, 500 nodes, and 57,000 objects in total.
func Scale(pods int) Spec {
	of := func(per20k int) int {
		const reference = 20_000
		return max(1, (per20k*pods+reference/2)/reference)
	}
	return Spec{
		Nodes: of(500), Jobs: of(2_000), pods: pods, namespaces: of(100),
		cronJobs: of(200), daemonSets: 8, deployments: of(2_000), replicationControllers: of(40), statefulSets: of(300),
		oldReplicaSets: 2,
		services:       of(2_600), ingresses: of(600), ingressClasses: 2, networkPolicies: of(400),
		configMaps: of(3_700), secrets: of(3_662), serviceAccounts: of(1_000), claims: of(1_200), storageClasses: 4,
		horizontalPodAutoscalers: of(500), podDisruptionBudgets: of(800),
		roles: of(300), roleBindings: of(500), clusterRoles: of(100), clusterRoleBindings: of(100),
		mutatingWebhooks: 10, validatingWebhooks: 10, mutatingAdmissionPolicies: 2, validatingAdmissionPolicies: 5,
		certificateSigningRequests: of(50),
	}
}

// NewCluster returns a simulated cluster with the usual mix for a number of pods.
// The seed of the options also determines the objects.
func NewCluster(pods int, options simulator.Options) (*simulator.Cluster, error) {
	spec := Scale(pods)
	spec.Seed = options.Seed
	cluster := simulator.New(options)
	return cluster, cluster.Populate(spec.Objects())
}

// Objects generates the cluster. Owners come before the objects that they own. The
// same Spec results in the same objects, byte for byte. Objects share maps and
// slices with one another: encode or deep-copy them before you change one.
func (s Spec) Objects() iter.Seq[simulator.Object] {
	return func(yield func(simulator.Object) bool) {
		g := newGenerator(s, yield)
		for _, step := range []func(){
			g.putNamespaces, g.putNodes, g.putStorage, g.putRBAC, g.putAdmission,
			g.putDaemonSets, g.putStatefulSets, g.putReplicationControllers, g.putDeployments, g.putCronJobs, g.putJobs,
			g.putServices, g.putNetwork, g.putConfig, g.putPolicies, g.putSigningRequests,
		} {
			if step(); g.stopped {
				return
			}
		}
	}
}

// generator generates the objects of one Spec.
type generator struct {
	spec       Spec
	random     *rand.Rand
	yield      func(simulator.Object) bool
	stopped    bool
	namespaces []string
	nodes      []nodeIdentity
	podsMade   int // of spec.pods
	addresses  uint32
	workloads  []*workload // that services, autoscalers and budgets select
	cronJobs   []metav1.ObjectMeta
	suffixes   uint64

	manifests map[reflect.Type]runtime.Object
	fieldSets map[string]*metav1.FieldsV1 // by shape
}

func newGenerator(s Spec, yield func(simulator.Object) bool) *generator {
	if s.Now.IsZero() {
		s.Now = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)
	}
	random := rand.New(rand.NewPCG(s.Seed, 0x5eed))
	manifests, _ := readManifests() // a test ensures that there is no error
	return &generator{
		spec: s, random: random, yield: yield, suffixes: random.Uint64N(1 << 32),
		manifests: manifests, fieldSets: map[string]*metav1.FieldsV1{},
	}
}

func (g *generator) put(obj simulator.Object) {
	if !g.stopped {
		g.stopped = !g.yield(obj)
	}
}

func (g *generator) putEach(n int, generate func(i int) simulator.Object) {
	for i := range n {
		g.put(generate(i))
	}
}

// meta returns the metadata that every object has. Ages are up to 90 days.
func (g *generator) meta(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	const oldest = 90 * 24 * time.Hour
	return metav1.ObjectMeta{
		Namespace:         namespace,
		Name:              name,
		UID:               g.uid(),
		CreationTimestamp: g.ago(g.within(oldest)),
		Labels:            labels,
	}
}

// uid returns a version 4 UUID, like the UIDs of API objects.
func (g *generator) uid() types.UID {
	// There is no error, because the reader has the 16 bytes that are needed.
	id, _ := uuid.NewRandomFromReader(bytes.NewReader(g.randomBytes(16)))
	return types.UID(id.String())
}

func (g *generator) randomBytes(n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		b = binary.BigEndian.AppendUint64(b, g.random.Uint64())
	}
	return b
}

// ago returns the time d before the spec's, in whole seconds like the API.
func (g *generator) ago(d time.Duration) metav1.Time {
	return metav1.NewTime(g.spec.Now.Add(-d).Truncate(time.Second))
}

// after returns the time d after t, but not a time in the future.
func (g *generator) after(t metav1.Time, d time.Duration) metav1.Time {
	if later := t.Add(d); later.Before(g.spec.Now) {
		return metav1.NewTime(later)
	}
	return g.ago(0)
}

// within returns a random duration below limit.
func (g *generator) within(limit time.Duration) time.Duration {
	return time.Duration(g.random.Int64N(int64(limit)))
}

// chance returns true with a probability in percent.
func (g *generator) chance(percent int) bool { return g.random.IntN(100) < percent }

// pick returns one of the values at random.
func pick[T any](g *generator, from ...T) T { return from[g.random.IntN(len(from))] }

func (g *generator) namespace(i int) string {
	if len(g.namespaces) == 0 {
		return "default"
	}
	return g.namespaces[i%len(g.namespaces)]
}

// appName returns the name of the i-th application.
func appName(i int) string {
	subjects := []string{
		"billing", "checkout", "search", "profile", "inventory", "shipping", "catalog", "pricing", "session", "notification",
		"reporting", "gateway", "ledger", "fraud", "media", "recommendation", "identity", "audit", "support", "analytics",
	}
	parts := []string{"api", "worker", "frontend", "consumer", "cache", "sync", "scheduler", "proxy"}
	name := subjects[i%len(subjects)] + "-" + parts[i/len(subjects)%len(parts)]
	if round := i / (len(subjects) * len(parts)); round > 0 {
		name = numbered(name, round)
	}
	return name
}

func numbered(name string, i int) string { return fmt.Sprintf("%s-%d", name, i) }

func version(i int) string { return fmt.Sprintf("v%d.%d.%d", 1+i%4, i%23, i%11) }

func team(i int) string { return fmt.Sprintf("team-%d", i%17) }

func zone(i int) string { return fmt.Sprintf("eu-west-1%c", 'a'+rune(i%3)) }

// suffixAlphabet has the characters of names that Kubernetes generates: no vowels and no
// characters that look alike.
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789"

// suffix returns the suffix of a generated name. It repeats after 14 million calls.
func (g *generator) suffix() string {
	g.suffixes++
	const step = 7_919_393 // shares no factor with the number of suffixes
	n := g.suffixes * step
	text := make([]byte, 5)
	for i := range text {
		text[i] = suffixAlphabet[n%uint64(len(suffixAlphabet))]
		n /= uint64(len(suffixAlphabet))
	}
	return string(text)
}

// randomText returns n letters and digits.
func (g *generator) randomText(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = suffixAlphabet[g.random.IntN(len(suffixAlphabet))]
	}
	return string(text)
}

// randomHex returns 16*n hexadecimal digits.
func (g *generator) randomHex(n int) string { return fmt.Sprintf("%x", g.randomBytes(8*n)) }

// address returns the next address of the pod network.
func (g *generator) address() string {
	g.addresses++
	n := g.addresses
	return fmt.Sprintf("10.%d.%d.%d", 128+(n>>16)&0x7f, n>>8&0xff, n&0xff)
}

//go:embed manifests.yaml
var manifests string

// readManifests decodes the manifests, by Go type.
func readManifests() (map[reflect.Type]runtime.Object, error) {
	objects := map[reflect.Type]runtime.Object{}
	for text := range strings.SplitSeq(manifests, "\n---\n") {
		obj, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(text), nil, nil)
		if err != nil {
			return objects, err
		}
		obj.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
		objects[reflect.TypeOf(obj)] = obj
	}
	return objects, nil
}

// manifest returns a copy of the manifest of T, with the given metadata.
func manifest[T simulator.Object](g *generator, meta metav1.ObjectMeta) T {
	obj := g.manifests[reflect.TypeFor[T]()].DeepCopyObject().(T)
	*any(obj).(metav1.ObjectMetaAccessor).GetObjectMeta().(*metav1.ObjectMeta) = meta
	return obj
}
