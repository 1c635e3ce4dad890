package test

import (
	"slices"
	"strings"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// TestKubeconfigIsMounted checks that the file is mounted at the path in the flag, and that a change of it restarts the
// pods.
func TestKubeconfigIsMounted(t *testing.T) {
	all := rendered(t, `{kubeconfig: {enabled: true, secret: Zm9v}}`)
	spec := pod(t, all)
	container := spec.Containers[0]
	mounts := container.VolumeMounts
	if len(mounts) != 1 || !slices.Contains(container.Args, "--kubeconfig="+mounts[0].MountPath+"/config") ||
		mounts[0].Name != spec.Volumes[0].Name {
		t.Fatalf("got arguments %q, mounts %v, volumes %v; want one mount with the file in --kubeconfig",
			container.Args, mounts, spec.Volumes)
	}
	if secret := find[*corev1.Secret](t, all, spec.Volumes[0].Secret.SecretName); string(secret.Data["config"]) != "foo" {
		t.Errorf("got kubeconfig %q, want foo", secret.Data["config"])
	}
	other := rendered(t, `{kubeconfig: {enabled: true, secret: YmFy}}`)
	if a, b := workload(t, all).Spec.Template.Annotations, workload(t, other).Spec.Template.Annotations; len(a) != 1 ||
		a["checksum/kubeconfig"] == b["checksum/kubeconfig"] {
		t.Errorf("got annotations %v with one file and %v with another, want different checksums", a, b)
	}
}

// TestSingleReplicaCanExposeAnotherCluster checks that a single replica with a kubeconfig has no --pod flags, because
// its pod is not in that cluster.
func TestSingleReplicaCanExposeAnotherCluster(t *testing.T) {
	for given, want := range map[string]bool{
		`{replicas: 1, autosharding: {enabled: false}, kubeconfig: {enabled: true, secret: Zm9v}}`: false,
		`{replicas: 1, kubeconfig: {enabled: true, secret: Zm9v}}`:                                 true,
		`{replicas: 1, autosharding: {enabled: false}}`:                                            true,
	} {
		args := arguments(t, rendered(t, given))
		if got := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--pod") }); got != want {
			t.Errorf("%s: got arguments %q, want --pod flags: %t", given, args, want)
		}
	}
}

// TestClusterRoleGathersOthers checks that the bound ClusterRole aggregates those that the values select and the
// chart's own one, whose rules do not change.
func TestClusterRoleGathersOthers(t *testing.T) {
	all := rendered(t, `{rbac: {clusterRoleSelectors: [{matchLabels: {extra: "yes"}}]}}`)
	bound := find[*rbacv1.ClusterRole](t, all, find[*rbacv1.ClusterRoleBinding](t, all, "statefleet").RoleRef.Name)
	own := find[*rbacv1.ClusterRole](t, all, "statefleet-kinds")
	if bound.AggregationRule == nil || len(bound.AggregationRule.ClusterRoleSelectors) != 2 || bound.Rules != nil {
		t.Fatalf("got bound ClusterRole %+v, want an aggregation of two selectors and no rules", bound)
	}
	selectors := bound.AggregationRule.ClusterRoleSelectors
	if !selects(selectors[0].MatchLabels, own.Labels) || selects(selectors[0].MatchLabels, bound.Labels) {
		t.Errorf("selector %v must match the chart's own role with labels %v, and not the bound one with %v",
			selectors[0], own.Labels, bound.Labels)
	}
	equal(t, "the selector of the chart's own role", selectors[0].MatchLabels,
		map[string]string{"statefleet.io/aggregate-to": bound.Name})
	if selectors[1].MatchLabels["extra"] != "yes" {
		t.Errorf("got second selector %v, want extra=yes", selectors[1])
	}
	equal(t, "rights", own.Rules, find[*rbacv1.ClusterRole](t, rendered(t, `{}`), "statefleet").Rules)
}

// TestVerticalPodAutoscalerSetsTheStatefulSet checks that the autoscaler refers to the StatefulSet and its container.
func TestVerticalPodAutoscalerSetsTheStatefulSet(t *testing.T) {
	all := rendered(t, `{verticalPodAutoscaler: {enabled: true, controlledResources: [memory],
		controlledValues: RequestsOnly, minAllowed: {memory: 64Mi},
		maxAllowed: {memory: 4Gi}, updatePolicy: {updateMode: Initial}, recommenders: [{name: own}]}}`)
	spec := find[*verticalPodAutoscaler](t, all, "statefleet").Spec
	equal(t, "target", spec.TargetRef, autoscalingv1.CrossVersionObjectReference{APIVersion: "apps/v1",
		Kind: "StatefulSet", Name: workload(t, all).Name})
	policy := spec.ResourcePolicy.ContainerPolicies[0]
	if policy.ContainerName != pod(t, all).Containers[0].Name || policy.MaxAllowed.Memory().String() != "4Gi" ||
		policy.ControlledValues != "RequestsOnly" {
		t.Errorf("got container policy %+v, want that of the values", policy)
	}
	if spec.UpdatePolicy.UpdateMode != "Initial" || spec.Recommenders[0].Name != "own" {
		t.Errorf("got %+v, want updateMode Initial and the recommender own", spec)
	}
}

// TestReleaseNamespaceIsExposed checks that the namespace of the release is added to those in the values, without
// duplicates.
func TestReleaseNamespaceIsExposed(t *testing.T) {
	for given, want := range map[string]string{
		`{releaseNamespace: true}`:                                        "--namespaces=statefleet",
		`{releaseNamespace: true, namespaces: "a, statefleet"}`:           "--namespaces=a,statefleet",
		`{releaseNamespace: true, namespaces: [a], namespaceOverride: b}`: "--namespaces=a,b",
	} {
		if args := arguments(t, rendered(t, given)); !slices.Contains(args, want) {
			t.Errorf("%s: got arguments %q, want %s among them", given, args, want)
		}
	}
	find[*rbacv1.Role](t, rendered(t, `{releaseNamespace: true, rbac: {useClusterRole: false}}`), "statefleet-objects")
}

// TestTokenIsMountedWhereItIsWanted checks that pod and service account have independent settings.
func TestTokenIsMountedWhereItIsWanted(t *testing.T) {
	for given, want := range map[string][2]bool{
		`{}`: {true, false},
		`{automountServiceAccountToken: false, serviceAccount: {automountServiceAccountToken: true}}`: {false, true},
	} {
		all := rendered(t, given)
		account := find[*corev1.ServiceAccount](t, all, "statefleet")
		got := [2]bool{*pod(t, all).AutomountServiceAccountToken, *account.AutomountServiceAccountToken}
		if got != want {
			t.Errorf("%s: got %v for pod and service account, want %v", given, got, want)
		}
	}
}

// TestRegistryOfKubernetesCountsAsNone checks that registry.k8s.io is ignored, because values that were copied from the
// kube-state-metrics chart contain it.
func TestRegistryOfKubernetesCountsAsNone(t *testing.T) {
	for given, want := range map[string]string{
		`{image: {registry: registry.k8s.io, repository: registry.example/statefleet,
			tag: v1}}`: "registry.example/statefleet:v1",
		`{image: {registry: registry.example, repository: statefleet,
			tag: v1}}`: "registry.example/statefleet:v1",
		`{global: {imageRegistry: a.example}, image: {registry: b.example, repository: team/c,
			tag: v1}}`: "a.example/team/c:v1",
	} {
		if image := pod(t, rendered(t, given)).Containers[0].Image; image != want {
			t.Errorf("%s: got image %s, want %s", given, image, want)
		}
	}
}
