package main

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/resources"
)

// The fleet's own objects in the cluster.
const (
	fleetNamespace = "statefleet"
	fleetName      = "statefleet"
	topologyPath   = "/api/v1/namespaces/" + fleetNamespace + "/configmaps/" + fleetName + "-topology"
)

// cluster is a simulated one in which a fleet can live: it has its StatefulSet, and
// its topology can be written.
type cluster struct{ *simulator.Cluster }

func newCluster(o options) (cluster, error) {
	c := cluster{simulator.New(simulator.Options{Seed: o.seed, ShardSelector: true})}
	spec := generator.Scale(o.pods)
	spec.Seed = o.seed
	if err := c.Populate(spec.Objects()); err != nil {
		return c, err
	}
	n := int32(o.replicas)
	return c, errors.Join(
		c.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: fleetNamespace, Name: fleetName + "-topology"}}),
		c.Put(&appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: fleetNamespace, Name: fleetName}, Spec: appsv1.StatefulSetSpec{Replicas: &n},
		}))
}

// scale sets the number of replicas, as someone does with kubectl.
func (c cluster) scale(replicas int) error {
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: fleetNamespace, Name: fleetName}}
	n := int32(replicas)
	return c.Modify(set, func() {
		set.Spec.Replicas = &n
		set.Generation++ // as API servers do, so that replicas know which of two numbers is the newer
	})
}

// exported is the number of objects that a fleet without further flags holds.
func (c cluster) exported() int {
	n := 0
	for _, k := range resources.All() {
		if k.Default {
			n += len(c.Names(k.Name()))
		}
	}
	return n
}

// handler answers writes of the topology, and passes on all else.
func (c cluster) handler() http.Handler {
	reads := c.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.URL.Path != topologyPath {
			reads.ServeHTTP(w, r)
			return
		}
		var status apierrors.APIStatus
		written, err := c.writeTopology(r)
		switch {
		case errors.As(err, &status):
			s := status.Status()
			answer(w, int(s.Code), &s)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		default:
			answer(w, http.StatusOK, written)
		}
	})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // who has gone needs no answer
}

// writeTopology does a merge patch, or an update of the version that was read.
func (c cluster) writeTopology(r *http.Request) (*corev1.ConfigMap, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var sent corev1.ConfigMap
	if r.Method == http.MethodPatch {
		err = json.Unmarshal(body, &sent)
	} else {
		_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, &sent)
	}
	if err != nil {
		return nil, err
	}
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: fleetNamespace, Name: fleetName + "-topology"}}
	conflict := false
	err = c.Modify(held, func() {
		switch {
		case r.Method == http.MethodPatch && held.Data != nil:
			maps.Copy(held.Data, sent.Data)
		case r.Method == http.MethodPatch || held.ResourceVersion == sent.ResourceVersion:
			held.Data = sent.Data
		default:
			conflict = true
		}
	})
	if conflict {
		return nil, apierrors.NewConflict(corev1.Resource("configmaps"), held.Name, errors.New("another client has written it"))
	}
	return held, err
}
