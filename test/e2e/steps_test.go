package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

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
	Marshal() ([]byte, error)
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
	since := metav1.ListOptions{ResourceVersion: last.GetResourceVersion(), FieldSelector: "metadata.name=" + key.Name}
	var events watch.Interface
	var err error
	switch key.Kind {
	case "pods":
		pods := tr.client.CoreV1().Pods(tr.ns)
		err = pods.Delete(ctx, key.Name, options)
		events = orEmptyWatch(pods.Watch(ctx, since))
	case "jobs":
		jobs := tr.client.BatchV1().Jobs(tr.ns)
		err = jobs.Delete(ctx, key.Name, options)
		events = orEmptyWatch(jobs.Watch(ctx, since))
	default:
		maps := tr.client.CoreV1().ConfigMaps(tr.ns)
		err = maps.Delete(ctx, key.Name, options)
		events = orEmptyWatch(maps.Watch(ctx, since))
	}
	if err != nil {
		return err
	}
	delete(tr.objects, key)
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

// orEmptyWatch returns w, or a watch without events if there is an error.
func orEmptyWatch(w watch.Interface, err error) watch.Interface {
	if err != nil {
		return watch.NewEmptyWatch()
	}
	return w
}

// write creates an object, or updates it if before is not nil.
func (tr *trial) write(key history.Key, before apiObject) (apiObject, error) {
	ctx := tr.t.Context()
	meta := metav1.ObjectMeta{Namespace: tr.ns, Name: key.Name}
	if before != nil {
		meta.ResourceVersion = before.GetResourceVersion()
	}
	for range tr.random.IntN(4) {
		metav1.SetMetaDataLabel(&meta, string(rune('a'+tr.random.IntN(6))), strconv.Itoa(tr.random.IntN(5)))
	}
	switch key.Kind {
	case "pods":
		pods := tr.client.CoreV1().Pods(tr.ns)
		if pod, ok := before.(*corev1.Pod); ok {
			pod = pod.DeepCopy()
			pod.Labels = meta.Labels
			if tr.random.IntN(2) == 0 {
				return asAPIObject(pods.Update(ctx, pod, metav1.UpdateOptions{}))
			}
			pod.Status.Phase = []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded}[tr.random.IntN(3)]
			return asAPIObject(pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}))
		}
		return asAPIObject(pods.Create(ctx, &corev1.Pod{ObjectMeta: meta, Spec: tr.containers()}, metav1.CreateOptions{}))
	case "jobs":
		jobs := tr.client.BatchV1().Jobs(tr.ns)
		parallelism := tr.random.Int32N(5)
		if job, ok := before.(*batchv1.Job); ok {
			job = job.DeepCopy()
			job.Labels, job.Spec.Parallelism = meta.Labels, &parallelism
			return asAPIObject(jobs.Update(ctx, job, metav1.UpdateOptions{}))
		}
		job := &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Parallelism: &parallelism, Template: corev1.PodTemplateSpec{Spec: tr.containers()}}}
		return asAPIObject(jobs.Create(ctx, job, metav1.CreateOptions{}))
	}
	maps := tr.client.CoreV1().ConfigMaps(tr.ns)
	configMap := &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"steps": strconv.Itoa(tr.steps)}}
	if before != nil {
		return asAPIObject(maps.Update(ctx, configMap, metav1.UpdateOptions{}))
	}
	return asAPIObject(maps.Create(ctx, configMap, metav1.CreateOptions{}))
}

// asAPIObject converts the result of a typed client.
func asAPIObject[T apiObject](o T, err error) (apiObject, error) { return o, err }

// containers returns a pod's spec with one to three containers.
func (tr *trial) containers() corev1.PodSpec {
	spec := corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever}
	for i := range 1 + tr.random.IntN(3) {
		spec.Containers = append(spec.Containers, corev1.Container{Name: "c" + strconv.Itoa(i), Image: "i" + strconv.Itoa(tr.random.IntN(3))})
	}
	return spec
}
