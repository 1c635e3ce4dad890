package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
	"github.com/statefleet/statefleet/test/seed"
)

// sharedCluster is a cluster in which variants of the manifests are installed one after the other.
type sharedCluster struct {
	cluster  *controlplane.Cluster
	applier  *manifest.Applier
	warnings *warningList
	nodes    []string
}

func newSharedCluster(t *testing.T) *sharedCluster {
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	s := &sharedCluster{warnings: &warningList{}}
	s.cluster = controlplane.Start(t, controlplane.Options{})
	installKinds(t, s.cluster, map[string]string{
		"PodMonitor": monitoringGroup, "ServiceMonitor": monitoringGroup, "PrometheusRule": monitoringGroup, "Widget": "example.org",
	})
	widget := &unstructured.Unstructured{Object: map[string]any{ // the values of the chart expose its kind
		"apiVersion": "example.org/v1", "kind": "Widget", "metadata": map[string]any{"namespace": "default", "name": "one"},
		"status": map[string]any{"ready": true},
	}}
	fleet.Eventually(t, "the new kinds are discovered", func(ctx context.Context) error {
		_, err := newApplier(t, s.cluster.Config()).Apply(ctx, widget)
		return err
	})
	if err := seed.All(t.Context(), s.cluster.Config(), 30); err != nil {
		t.Fatal(err)
	}
	s.cluster.StartControllers(t, "statefulset-controller", "daemonset-controller") // after seeding, because controllers would change the seeded statuses
	// The namespaces that the files name, each with a Service, because some files select or exclude namespaces.
	for _, name := range []string{namespace, "monitoring", "observability", "team-a", "team-b", "a", "b", "kube-node-lease"} {
		object := ownNamespace(name)
		if name != namespace {
			object.Labels = nil
		}
		_, err := s.cluster.Client().CoreV1().Namespaces().Create(t.Context(), object, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "there"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
		if _, err = s.cluster.Client().CoreV1().Services(name).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	nodes, err := s.cluster.Client().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.Items {
		s.nodes = append(s.nodes, node.Name)
	}
	config := rest.CopyConfig(s.cluster.Config())
	config.WarningHandlerWithContext = s.warnings
	s.applier = newApplier(t, config)
	return s
}

// install applies objects. It removes them, and what controllers created from them, at the end of the test.
func (s *sharedCluster) install(t *testing.T, objects []*unstructured.Unstructured) *installation {
	t.Helper()
	t.Cleanup(func() { s.remove(t, objects) })
	i := &installation{sharedCluster: s, kubeconfigs: map[string]string{}}
	for _, object := range objects {
		if _, err := s.applier.Apply(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		i.inspect(t, object)
	}
	for _, text := range s.warnings.take() {
		t.Errorf("the API server returned a warning, want none: %s", text)
	}
	return i
}

// remove removes an installation, except for namespaces, which also contain other objects.
func (s *sharedCluster) remove(t *testing.T, objects []*unstructured.Unstructured) {
	ctx := context.WithoutCancel(t.Context())
	for _, object := range slices.Backward(objects) {
		if object.GetKind() == "Namespace" {
			continue
		}
		if err := s.applier.Delete(ctx, object); err != nil {
			t.Error(err)
		}
	}
	now := int64(0)
	client, all := s.cluster.Client(), metav1.ListOptions{LabelSelector: fleetPods}
	err := client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, all)
	if err == nil {
		err = client.AppsV1().ControllerRevisions(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, all)
	}
	if err != nil {
		t.Error(err)
	}
}

// fleetPods selects the pods of all manifests.
const fleetPods = "app.kubernetes.io/name=" + setName

// installation holds what the test needs to know of the manifests of one variant.
type installation struct {
	*sharedCluster
	kubeconfigs  map[string]string // by service account
	pods         int
	args         []string // of the StatefulSet's container
	readersBound bool     // the manifests bind an account to readerRole
}

// inspect records what the test needs to know of an applied object.
func (i *installation) inspect(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	switch object.GetKind() {
	case "ServiceAccount":
		i.kubeconfigs[object.GetName()] = i.cluster.Kubeconfig(t, i.cluster.Token(t, object.GetNamespace(), object.GetName()))
	case "StatefulSet":
		var set appsv1.StatefulSet
		convert(t, object, &set)
		if replicas := set.Spec.Replicas; replicas != nil { // else an autoscaler sets them
			i.pods += int(*replicas)
		}
		i.args = set.Spec.Template.Spec.Containers[0].Args
	case "DaemonSet":
		i.pods += len(i.nodes)
	case "ClusterRoleBinding":
		var binding rbacv1.ClusterRoleBinding
		convert(t, object, &binding)
		i.readersBound = i.readersBound || binding.RoleRef.Name == readerRole
	}
}

func convert(t *testing.T, object *unstructured.Unstructured, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		t.Fatal(err)
	}
}

// hasFlag reports whether the arguments of the StatefulSet's container contain a flag without a value.
func (i *installation) hasFlag(flag string) bool { return slices.Contains(i.args, flag) }

// flagValues returns the values of a flag, which are separated by commas; nil if the flag is not set.
func (i *installation) flagValues(flag string) (names []string) {
	for _, arg := range i.args {
		if list, ok := strings.CutPrefix(arg, flag+"="); ok {
			names = strings.Split(list, ",")
		}
	}
	return names
}

// readerToken returns the token of an account that may read the expositions. Manifests that bind an account bind
// monitoring/prometheus-k8s; for others, readerToken binds an account as the documentation describes.
func (i *installation) readerToken(t *testing.T) string {
	t.Helper()
	const ns, name = "monitoring", "prometheus-k8s"
	if !i.readersBound {
		return i.cluster.BoundToken(t, ns, "prometheus", readerRole)
	}
	_, err := i.cluster.Client().CoreV1().ServiceAccounts(ns).Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(fmt.Errorf("creating the account of the reader: %w", err))
	}
	return i.cluster.Token(t, ns, name)
}
