package main

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// name of the fleet's objects, and of their namespace.
const name = "statefleet"

// stage keeps the fleet's own objects in the simulated cluster, as an installation and the StatefulSet's controller do.
type stage struct {
	cluster    *simulator.Cluster
	generation int64     // of the StatefulSet
	set        types.UID // of the StatefulSet
	pods       int
}

// newStage installs a fleet without replicas.
func newStage(cluster *simulator.Cluster) (*stage, error) {
	s := &stage{cluster: cluster}
	return s, cluster.Put(&corev1.ConfigMap{ObjectMeta: meta(name + "-topology")})
}

// scale sets the number of replicas, and makes the pods that there are then.
func (s *stage) scale(replicas int) error {
	n, labels := int32(replicas), map[string]string{"app": name}
	s.generation++
	set := &appsv1.StatefulSet{ObjectMeta: meta(name), Spec: appsv1.StatefulSetSpec{
		Replicas: &n, ServiceName: name, PodManagementPolicy: appsv1.ParallelPodManagement, Selector: &metav1.LabelSelector{MatchLabels: labels},
	}}
	set.Generation = s.generation
	if err := s.cluster.Put(set); err != nil {
		return err
	}
	s.set = set.UID
	for ; s.pods < replicas; s.pods++ {
		pod := &corev1.Pod{ObjectMeta: meta(podName(s.pods))}
		yes := true
		pod.Labels = labels
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: name, UID: s.set, Controller: &yes}}
		if err := s.cluster.Put(pod); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the pods from an ordinal on, when their processes have ended.
func (s *stage) remove(from int) error {
	for ; s.pods > from; s.pods-- {
		if err := s.cluster.Delete(&corev1.Pod{ObjectMeta: meta(podName(s.pods - 1))}); err != nil {
			return err
		}
	}
	return nil
}

func podName(ordinal int) string { return fmt.Sprintf("%s-%d", name, ordinal) }

func meta(object string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: name, Name: object} }
