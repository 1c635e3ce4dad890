// Package seed fills a cluster with objects of every kind that the exporter knows, with complete specs and with statuses,
// as an API server with all its validation accepts them. No controller needs to run, and none should: it would undo the
// statuses.
package seed

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Namespaces of the seeded objects. Limits holds the LimitRange and the ResourceQuota, where they limit nothing else.
const (
	Shop   = "shop"
	Batch  = "batch"
	Limits = "limits"
)

// All creates the whole set, with the given number of pods in addition to those that other objects need.
func All(ctx context.Context, client kubernetes.Interface, pods int) error {
	s := seeder{client: client}
	for _, step := range []struct {
		what string
		make func(context.Context) error
	}{
		{"namespaces", s.namespaces},
		{"nodes", s.nodes},
		{"limits", s.limits},
		{"services", s.services},
		{"volume claims", s.claims},
		{"deployments", s.deployments},
		{"stateful sets", s.statefulSets},
		{"daemon sets", s.daemonSets},
		{"replication controllers", s.replicationControllers},
		{"autoscalers", s.autoscalers},
		{"jobs", s.jobs},
		{"pods", func(ctx context.Context) error { return s.pods(ctx, pods) }},
	} {
		if err := step.make(ctx); err != nil {
			return fmt.Errorf("seeding %s: %w", step.what, err)
		}
	}
	return nil
}

// seeder remembers the owners of objects that come later.
type seeder struct {
	client     kubernetes.Interface
	replicaSet metav1.OwnerReference
	job        metav1.OwnerReference
}

type creator[T any] interface {
	Create(ctx context.Context, object T, opts metav1.CreateOptions) (T, error)
}

type statusUpdater[T any] interface {
	creator[T]
	UpdateStatus(ctx context.Context, object T, opts metav1.UpdateOptions) (T, error)
}

// put creates objects that have no status, or none worth setting.
func put[T any](ctx context.Context, client creator[T], objects ...T) error {
	for _, object := range objects {
		if _, err := client.Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// putStatus creates an object and then sets its status through the subresource, which is the only way that counts.
func putStatus[T metav1.Object](ctx context.Context, client statusUpdater[T], object T) (T, error) {
	made, err := client.Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return made, err
	}
	object.SetResourceVersion(made.GetResourceVersion())
	object.SetUID(made.GetUID())
	made, err = client.UpdateStatus(ctx, object, metav1.UpdateOptions{})
	if err != nil {
		return made, fmt.Errorf("status of %s: %w", object.GetName(), err)
	}
	return made, nil
}

// meta names an object and gives it labels and annotations like those of real ones.
func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace:   namespace,
		Name:        name,
		Labels:      map[string]string{"app.kubernetes.io/name": name},
		Annotations: map[string]string{"example.org/owner": "team-" + name},
	}
}

// at is a fixed time of day, some minutes after a fixed start: values on the page must not depend on when the test runs.
func at(minutes int) metav1.Time {
	return metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute))
}

func after(minutes int) *metav1.Time {
	t := at(minutes)
	return &t
}
