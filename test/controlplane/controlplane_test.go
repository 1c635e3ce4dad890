package controlplane_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/statefleet/statefleet/test/controlplane"
)

const lowerHalf = "shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCluster tests the whole package on one cluster.
func TestCluster(t *testing.T) {
	cluster := controlplane.Start(t, controlplane.Options{Sharding: true})
	t.Run("VersionIsKubernetes", func(t *testing.T) {
		version, err := cluster.Client().Discovery().ServerVersion()
		if err != nil || version.GitVersion != controlplane.Version {
			t.Fatalf("got version %v, error %v; want %s", version, err, controlplane.Version)
		}
	})
	t.Run("TokenHasOnlyTheRightsOfItsRole", func(t *testing.T) { testToken(t, cluster) })
	t.Run("GateFollowsTheRestart", func(t *testing.T) { testGate(t, cluster) })
	t.Run("ControllersReconcile", func(t *testing.T) { testControllers(t, cluster) })
}

func testToken(t *testing.T, cluster *controlplane.Cluster) {
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "only-pods"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}},
	}
	if _, err := cluster.Client().RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(cluster.ConfigFor(cluster.BoundToken(t, "default", "reader", role.Name)))
	if err != nil {
		t.Fatal(err)
	}
	err = poll(t, func(ctx context.Context) bool {
		_, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
		return err == nil
	})
	if err != nil {
		t.Fatalf("the token cannot list pods: %v", err)
	}
	if _, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Fatalf("list of nodes: got error %v, want Forbidden", err)
	}
}

func testGate(t *testing.T, cluster *controlplane.Cluster) {
	for range 32 {
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "gate-"}}
		if _, err := cluster.Client().CoreV1().ConfigMaps("default").Create(t.Context(), config, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	on := listLowerHalf(t, cluster)
	if on.ShardInfo == nil || len(on.Items) == 0 || len(on.Items) == 32 {
		t.Fatalf("gate on: got shardInfo %v and %d of 32 objects, want some but not all", on.ShardInfo, len(on.Items))
	}
	if err := cluster.SetSharding(false); err != nil {
		t.Fatal(err)
	}
	off := listLowerHalf(t, cluster)
	if off.ShardInfo != nil || len(off.Items) != 32 {
		t.Fatalf("gate off: got shardInfo %v and %d objects, want none and all 32", off.ShardInfo, len(off.Items))
	}
}

func listLowerHalf(t *testing.T, cluster *controlplane.Cluster) *corev1.ConfigMapList {
	t.Helper()
	list, err := cluster.Client().CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{ShardSelector: lowerHalf})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func testControllers(t *testing.T, cluster *controlplane.Cluster) {
	stop := cluster.StartControllers(t, "replicaset-controller")
	defer stop()
	replicas, labels := int32(2), map[string]string{"app": "reconciled"}
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "reconciled"},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
			},
		},
	}
	if _, err := cluster.Client().AppsV1().ReplicaSets("default").Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	err := poll(t, func(ctx context.Context) bool {
		pods, err := cluster.Client().CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=reconciled"})
		return err == nil && len(pods.Items) == 2
	})
	if err != nil {
		t.Fatalf("the controller did not create two pods: %v", err)
	}
}

func poll(t *testing.T, done func(ctx context.Context) bool) error {
	return wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) { return done(ctx), nil })
}
