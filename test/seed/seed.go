// Package seed fills a cluster with objects of the kinds that Kinds returns. The objects have complete specs and
// statuses, and pass the validation of a real API server. No controller may run, because it would change the statuses.
package seed

import (
	"context"
	_ "embed" // of the objects
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/test/manifest"
)

// Namespaces of the seeded objects. The LimitRange and the ResourceQuota are in a third one, where they limit nothing.
const (
	Shop  = "shop"
	Batch = "batch"
)

// objects is the file with the objects of All.
const objects = "test/seed/objects.yaml"

// nodeCount is the number of Nodes in it.
const nodeCount = 4

var (
	//go:embed pod.yaml
	pod []byte
	//go:embed job.yaml
	job []byte
)

// All creates the objects of objects.yaml, and the given number of pods that belong to its ReplicaSet.
func All(ctx context.Context, config *rest.Config, pods int) error {
	applier, err := manifest.NewApplier(config)
	if err != nil {
		return err
	}
	all, err := manifest.Read(objects)
	if err != nil {
		return err
	}
	for i := range pods {
		pod := NewPod(fmt.Sprintf("web-%04d", i), i)
		pod.Kind, pod.APIVersion = "Pod", "v1"
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", APIVersion: "apps/v1", Name: "web-7d9f",
			Controller: new(true), BlockOwnerDeletion: new(true)}}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pod)
		if err != nil {
			return err
		}
		all = append(all, &unstructured.Unstructured{Object: content})
	}
	uids := map[string]types.UID{} // of the created objects, by kind and name
	for _, o := range all {
		owners := o.GetOwnerReferences()
		for i := range owners {
			owners[i].UID = uids[owners[i].Kind+" "+owners[i].Name]
		}
		o.SetOwnerReferences(owners)
		created, err := applier.Create(ctx, o)
		if err != nil {
			return err
		}
		uids[o.GetKind()+" "+o.GetName()] = created.GetUID()
	}
	return nil
}

// Kinds returns the kinds of which All creates objects, sorted by group and resource.
func Kinds() []schema.GroupVersionResource {
	all, err := manifest.Read(objects)
	if err != nil {
		return nil // All returns the error
	}
	var kinds []schema.GroupVersionResource
	for _, o := range all {
		kind, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b schema.GroupVersionResource) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(kinds)
}

// NewPod returns a pod in namespace Shop. With increasing i, it is in turn running, waiting, evicted and crashed. One
// annotation needs escaping.
func NewPod(name string, i int) *corev1.Pod {
	p := &corev1.Pod{}
	mustDecode(pod, p)
	p.Name, p.Spec.NodeName = name, fmt.Sprintf("node-%d", i%nodeCount)
	s := &p.Status
	s.PodIP = fmt.Sprintf("10.1.%d.%d", i/200, i%200+1)
	s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	main := &s.ContainerStatuses[0]
	began, state := s.StartTime, corev1.ContainerState{}
	switch i % 4 {
	case 0:
		return p
	case 1:
		s.Phase = corev1.PodPending
		state.Waiting = &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}
	case 2:
		s.Phase, s.Reason = corev1.PodFailed, "Evicted"
		state.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", StartedAt: *began, FinishedAt: *began}
	case 3:
		state.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
		main.RestartCount = 12
		main.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", StartedAt: *began, FinishedAt: *began}
	}
	main.State, main.Ready = state, false
	if i%4 != 3 {
		s.Conditions[1].Status = corev1.ConditionFalse
	}
	return p
}

// PutPod creates a pod with its status.
func PutPod(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) (*corev1.Pod, error) {
	pods := client.CoreV1().Pods(pod.Namespace)
	created, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		return created, err
	}
	created.Status = pod.Status
	return pods.UpdateStatus(ctx, created, metav1.UpdateOptions{})
}

// NewJob returns a job in namespace Batch that no controller has processed.
func NewJob(name string) *batchv1.Job {
	j := &batchv1.Job{}
	mustDecode(job, j)
	j.Name = name
	return j
}

// mustDecode decodes an embedded object.
func mustDecode(text []byte, into runtime.Object) {
	if err := runtime.DecodeInto(scheme.Codecs.UniversalDeserializer(), text, into); err != nil {
		panic(err) //nolint:forbidigo // an embedded object is invalid
	}
}
