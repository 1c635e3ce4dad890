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

// site is a cluster in which one thing after the other is installed.
type site struct {
	cluster  *controlplane.Cluster
	applier  *manifest.Applier
	warnings *warningList
	nodes    []string
}

func newSite(t *testing.T) *site {
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	s := &site{warnings: &warningList{}}
	s.cluster = controlplane.Start(t, controlplane.Options{})
	installKinds(t, s.cluster)
	if err := seed.All(t.Context(), s.cluster.Config(), 30); err != nil {
		t.Fatal(err)
	}
	s.cluster.StartControllers(t, "statefulset-controller", "daemonset-controller") // not before: they would write statuses, too
	// What the files name, and something in the namespaces that are chosen or left out by some of them.
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
	if s.applier, err = manifest.NewApplier(config); err != nil {
		t.Fatal(err)
	}
	return s
}

// install applies objects, and removes them and what came of them at the end of the test.
func (s *site) install(t *testing.T, objects []*unstructured.Unstructured) *installation {
	t.Helper()
	t.Cleanup(func() { s.remove(t, objects) })
	i := &installation{site: s, kubeconfigs: map[string]string{}}
	for _, object := range objects {
		if _, err := s.applier.Apply(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		i.note(t, object)
	}
	for _, text := range s.warnings.take() {
		t.Errorf("the API server warns: %s", text)
	}
	return i
}

// remove leaves nothing of an installation but namespaces, which other things are in, too.
func (s *site) remove(t *testing.T, objects []*unstructured.Unstructured) {
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

// installation is what the manifests of one variant say.
type installation struct {
	*site
	kubeconfigs map[string]string // by service account
	pods        int
	args        []string // of the StatefulSet's container
	readers     bool     // someone is bound to the role of readers
}

// note takes down what matters of an object that was applied.
func (i *installation) note(t *testing.T, object *unstructured.Unstructured) {
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
		i.readers = i.readers || binding.RoleRef.Name == readerRole
	}
}

func convert(t *testing.T, object *unstructured.Unstructured, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		t.Fatal(err)
	}
}

// has tells whether the program is told something; value is what comes after a flag's equals sign.
func (i *installation) has(flag string) bool { return slices.Contains(i.args, flag) }

func (i *installation) value(flag string) (names []string) {
	for _, arg := range i.args {
		if list, ok := strings.CutPrefix(arg, flag+"="); ok {
			names = strings.Split(list, ",")
		}
	}
	return names
}

// reader is a token of an account that may read. Manifests that bind someone bind monitoring/prometheus-k8s; for others the
// account is bound as the documentation says.
func (i *installation) reader(t *testing.T) string {
	t.Helper()
	const place, name = "monitoring", "prometheus-k8s"
	if !i.readers {
		return i.cluster.BoundToken(t, place, "prometheus", readerRole)
	}
	_, err := i.cluster.Client().CoreV1().ServiceAccounts(place).Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(fmt.Errorf("account of the reader: %w", err))
	}
	return i.cluster.Token(t, place, name)
}
