package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/testing/history"
	"github.com/statefleet/statefleet/test/fleet"
)

// step changes one object at random.
func (tr *trial) step() {
	tr.t.Helper()
	tr.steps++
	kind := []string{"pods", "jobs", "configmaps"}[tr.random.IntN(3)]
	key := history.Key{Kind: kind, Namespace: tr.ns, Name: kind[:1] + strconv.Itoa(tr.random.IntN(namesPerKind))}
	now, exists := tr.objects[key]
	var err error
	switch n := tr.random.IntN(10); {
	case exists && n < 2:
		err = tr.remove(key, now)
	case exists && n < 4:
		if err = tr.remove(key, now); err == nil {
			err = tr.put(key, nil)
		}
	default:
		err = tr.put(key, now)
	}
	if err != nil {
		tr.t.Fatalf("%s: %v", key, err)
	}
}

// apiObject is an object of the Kubernetes API.
type apiObject interface {
	metav1.Object
	runtime.Object
	Marshal() ([]byte, error)
}

// api returns a client for the objects of a kind, and a new object.
func (tr *trial) api(kind string) (rest.Interface, apiObject) {
	switch kind {
	case "pods":
		return tr.client.CoreV1().RESTClient(), &corev1.Pod{}
	case "jobs":
		return tr.client.BatchV1().RESTClient(), &batchv1.Job{}
	}
	return tr.client.CoreV1().RESTClient(), &corev1.ConfigMap{}
}

func (tr *trial) put(key history.Key, before apiObject) error {
	o, err := tr.write(key, before)
	if err != nil {
		return err
	}
	tr.objects[key] = o
	if before != nil && before.GetResourceVersion() == o.GetResourceVersion() {
		return nil // the update changed nothing
	}
	return tr.recordVersion(key, o)
}

func (tr *trial) recordVersion(key history.Key, o apiObject) error {
	version, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	if err != nil {
		return err
	}
	raw, err := o.Marshal()
	if err != nil {
		return err
	}
	return tr.history.Put(key, string(o.GetUID()), version, raw)
}

// remove deletes an object. It records the versions up to the deletion as a watch reports them, because a pod is marked
// as being deleted first.
func (tr *trial) remove(key history.Key, last apiObject) error {
	var now int64
	background := metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, PropagationPolicy: &background}
	ctx, cancel := context.WithTimeout(tr.t.Context(), fleet.DefaultTimeout)
	defer cancel()
	api, _ := tr.api(key.Kind)
	err := api.Delete().Namespace(tr.ns).Resource(key.Kind).Name(key.Name).Body(&options).Do(ctx).Error()
	if err != nil {
		return err
	}
	delete(tr.objects, key)
	since := metav1.ListOptions{Watch: true, ResourceVersion: last.GetResourceVersion(), FieldSelector: "metadata.name=" + key.Name}
	events, err := api.Get().Namespace(tr.ns).Resource(key.Kind).VersionedParams(&since, scheme.ParameterCodec).Watch(ctx)
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		o, ok := event.Object.(apiObject)
		switch {
		case !ok:
			return fmt.Errorf("%s: %v", event.Type, event.Object)
		case event.Type == watch.Deleted:
			version, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
			return errors.Join(err, tr.history.Delete(key, version))
		}
		if err := tr.recordVersion(key, o); err != nil {
			return err
		}
	}
	return errors.New("the watch ended before it reported the deletion")
}

// write creates an object, or updates it if before is not nil.
func (tr *trial) write(key history.Key, before apiObject) (apiObject, error) {
	api, o := tr.api(key.Kind)
	request := api.Post()
	if before != nil {
		request, o = api.Put().Name(key.Name), before.DeepCopyObject().(apiObject)
	}
	labels := map[string]string{}
	for range tr.random.IntN(4) {
		labels[string(rune('a'+tr.random.IntN(6)))] = strconv.Itoa(tr.random.IntN(5))
	}
	o.SetName(key.Name)
	o.SetLabels(labels)
	switch o := o.(type) {
	case *corev1.Pod:
		switch {
		case before == nil:
			o.Spec = tr.containers()
		case tr.random.IntN(2) == 0:
			request.SubResource("status")
			o.Status.Phase = []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded}[tr.random.IntN(3)]
		}
	case *batchv1.Job:
		o.Spec.Parallelism = new(tr.random.Int32N(5))
		if before == nil {
			o.Spec.Template.Spec = tr.containers()
		}
	case *corev1.ConfigMap:
		o.Data = map[string]string{"steps": strconv.Itoa(tr.steps)}
	}
	_, written := tr.api(key.Kind)
	return written, request.Namespace(tr.ns).Resource(key.Kind).Body(o).Do(tr.t.Context()).Into(written)
}

// containers returns a pod's spec with one to three containers.
func (tr *trial) containers() corev1.PodSpec {
	spec := corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever}
	for i := range 1 + tr.random.IntN(3) {
		spec.Containers = append(spec.Containers, corev1.Container{Name: "c" + strconv.Itoa(i), Image: "i" + strconv.Itoa(tr.random.IntN(3))})
	}
	return spec
}
