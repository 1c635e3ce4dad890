// Package installation creates the objects of a fleet in a simulated cluster, and changes them as kubectl and
// the StatefulSet controller do.
package installation

import (
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/resources"
)

// name is the name of the fleet's objects, and of their namespace.
const name = "statefleet"

// Flags returns the flags of a replica that belongs to the fleet, with the templates of fleet.Place.
func Flags() []string {
	return []string{"--pod=" + name + "-{{.Shard}}", "--pod-namespace=" + name}
}

// Installation is the objects of a fleet in a cluster. Only one goroutine may call its methods.
type Installation struct {
	cluster *simulator.Cluster
	set     *appsv1.StatefulSet
	pods    int
}

// New creates the ConfigMap, the StatefulSet and the pods of a fleet.
func New(cluster *simulator.Cluster, replicas int) (*Installation, error) {
	i := &Installation{cluster: cluster, set: &appsv1.StatefulSet{ObjectMeta: meta(name), Spec: appsv1.StatefulSetSpec{
		Replicas: new(int32(1)), ServiceName: name, PodManagementPolicy: appsv1.ParallelPodManagement,
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
	}}}
	err := errors.Join(cluster.Put(&corev1.ConfigMap{ObjectMeta: meta(name + "-topology")}), cluster.Put(i.set))
	return i, errors.Join(err, i.Scale(replicas))
}

// Scale sets the number of replicas, as kubectl does, and creates pods for them.
func (i *Installation) Scale(replicas int) error {
	err := i.cluster.Modify(i.set, func() {
		i.set.Spec.Replicas = new(int32(replicas))
		i.set.Generation++ // as an API server does
	})
	for ; err == nil && i.pods < replicas; i.pods++ {
		err = i.create(i.pods)
	}
	return err
}

// create creates the pod with an ordinal.
func (i *Installation) create(ordinal int) error {
	pod := i.pod(ordinal)
	pod.Labels = i.set.Spec.Selector.MatchLabels
	pod.OwnerReferences = []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "StatefulSet", Name: name, UID: i.set.UID, Controller: new(true)},
	}
	return i.cluster.Put(pod)
}

// Replace deletes the pod with an ordinal, whose process has ended, and creates a new one.
func (i *Installation) Replace(ordinal int) error {
	if err := i.cluster.Delete(i.pod(ordinal)); err != nil {
		return err
	}
	return i.create(ordinal)
}

// RemovePods deletes the pods whose ordinal is at least from. Call it once their processes have ended.
func (i *Installation) RemovePods(from int) error {
	for ; i.pods > from; i.pods-- {
		if err := i.cluster.Delete(i.pod(i.pods - 1)); err != nil {
			return err
		}
	}
	return nil
}

func (i *Installation) pod(ordinal int) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: meta(fmt.Sprintf("%s-%d", name, ordinal))}
}

func meta(object string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: name, Name: object} }

// Exported returns the number of objects in a cluster that a fleet with default flags exports.
func Exported(cluster *simulator.Cluster) int {
	n := 0
	for _, k := range resources.All() {
		if k.Default {
			n += len(cluster.Names(k.Name()))
		}
	}
	return n
}
