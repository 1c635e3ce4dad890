package test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// holds returns why a build does not do what a component promises.
func holds(t *testing.T, component string, all objects) error {
	t.Helper()
	set := find[*appsv1.StatefulSet](t, all, "statefleet")
	container := set.Spec.Template.Spec.Containers[0]
	switch component {
	case "single":
		if *set.Spec.Replicas != 1 {
			return fmt.Errorf("%d replicas", *set.Spec.Replicas)
		}
	case "standby":
		memory := container.Resources.Limits.Memory().String()
		if !slices.Contains(container.Args, "--shard.standby") || memory != "1Gi" || container.ReadinessProbe.PeriodSeconds != 2 || *set.Spec.Replicas < 2 {
			return fmt.Errorf("%d replicas, arguments %q, memory %s", *set.Spec.Replicas, container.Args, memory)
		}
	case "saved-state", "saved-state-volume":
		return savesState(set, component == "saved-state-volume")
	case "daemonset":
		return sharesOut(t, all)
	case "namespaced":
		return readsNoNamespaceButDefault(t, all)
	case "all-kinds", "without-secrets":
		granted, exposes := grantedKinds(all), exposed(container.Args)
		if !slices.Equal(granted, exposes) || slices.Contains(exposes, "secrets") == (component == "without-secrets") {
			return fmt.Errorf("grants %q, exposes %q", granted, exposes)
		}
	case "own-namespace":
		for _, object := range all {
			if n, ok := object.(*corev1.Namespace); ok && n.Name == set.Namespace {
				return nil
			}
		}
		return errors.New("no Namespace of the StatefulSet")
	case "network-policy":
		return admitsMonitoring(t, all)
	case "prometheus-operator":
		monitor := find[*monitoringv1.PodMonitor](t, all, "statefleet")
		for name, labels := range podLabels(all) {
			if !selects(monitor.Spec.Selector.MatchLabels, labels) || monitor.Namespace != set.Namespace {
				return fmt.Errorf("the PodMonitor does not select %s", name)
			}
		}
	case "auth-filter":
		return checksCallers(all)
	default:
		t.Fatalf("no one has said what the component %s promises", component)
	}
	return nil
}

// savesState: the only directory for the state is that of the volume, which lasts as long as the pod, or longer.
func savesState(set *appsv1.StatefulSet, lasting bool) error {
	spec := set.Spec.Template.Spec
	const flag, folder = "--store.snapshot-dir=", "/var/lib/statefleet"
	var folders, mounted, volumes, claims []string
	for _, arg := range spec.Containers[0].Args {
		if value, ok := strings.CutPrefix(arg, flag); ok {
			folders = append(folders, value)
		}
	}
	for _, m := range spec.Containers[0].VolumeMounts {
		if m.MountPath == folder && !m.ReadOnly {
			mounted = append(mounted, m.Name)
		}
	}
	for _, v := range spec.Volumes {
		if v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil {
			volumes = append(volumes, v.Name)
		}
	}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		claims = append(claims, claim.Name)
	}
	if lasting {
		volumes, claims = claims, volumes
		if p := set.Spec.PersistentVolumeClaimRetentionPolicy; p == nil || p.WhenScaled != appsv1.DeletePersistentVolumeClaimRetentionPolicyType {
			return errors.New("claims of replicas that are scaled away stay")
		}
	}
	if !slices.Equal(folders, []string{folder}) || !slices.Equal(mounted, []string{"state"}) || !slices.Equal(volumes, mounted) || len(claims) > 0 {
		return fmt.Errorf("directories %q, mounted %q, volumes %q, others %q", folders, mounted, volumes, claims)
	}
	return nil
}

// grantedKinds are the kinds that the ClusterRole lets be listed, without those that only ask who calls.
func grantedKinds(all objects) []string {
	for _, object := range all {
		if role, ok := object.(*rbacv1.ClusterRole); ok && role.Name == "statefleet" {
			return listed(role.Rules)
		}
	}
	return nil
}

// podLabels are the labels of the pods of each workload.
func podLabels(all objects) map[string]map[string]string {
	labels := map[string]map[string]string{}
	for _, object := range all {
		switch o := object.(type) {
		case *appsv1.StatefulSet:
			labels["StatefulSet "+o.Name] = o.Spec.Template.Labels
		case *appsv1.DaemonSet:
			labels["DaemonSet "+o.Name] = o.Spec.Template.Labels
		}
	}
	return labels
}

// sharesOut: each pod with a node belongs to the node, all else to the StatefulSet, and neither selects the other's
// pods.
func sharesOut(t *testing.T, all objects) error {
	t.Helper()
	nodes := find[*appsv1.DaemonSet](t, all, "statefleet-node")
	rest := find[*appsv1.StatefulSet](t, all, "statefleet")
	ofNode, ofRest := nodes.Spec.Template.Labels, rest.Spec.Template.Labels
	args := rest.Spec.Template.Spec.Containers[0].Args
	switch own := nodes.Spec.Template.Spec.Containers[0]; {
	case !slices.Contains(own.Args, "--resources=pods") || !slices.Contains(own.Args, "--node=$(NODE_NAME)"):
		return fmt.Errorf("arguments of the DaemonSet: %q", own.Args)
	case !slices.Contains(args, "--track-unscheduled-pods"):
		return fmt.Errorf("arguments of the StatefulSet: %q", args)
	case slices.Contains(args, "--shard.standby") != slices.Contains(own.Args, "--shard.standby"):
		return errors.New("pods of the DaemonSet do not stand by")
	case *rest.Spec.Replicas != 1:
		return fmt.Errorf("%d replicas, so DaemonSet and StatefulSet disagree on the number of shards", *rest.Spec.Replicas)
	case own.Image != rest.Spec.Template.Spec.Containers[0].Image:
		return fmt.Errorf("the DaemonSet runs %s", own.Image)
	case nodes.Namespace != rest.Namespace:
		return fmt.Errorf("the DaemonSet is in %s", nodes.Namespace)
	case selects(nodes.Spec.Selector.MatchLabels, ofRest) || selects(rest.Spec.Selector.MatchLabels, ofNode):
		return errors.New("one selects the other's pods")
	case !selects(nodes.Spec.Selector.MatchLabels, ofNode) || !selects(rest.Spec.Selector.MatchLabels, ofRest):
		return errors.New("one does not select its own pods")
	}
	budget := find[*policyv1.PodDisruptionBudget](t, all, "statefleet").Spec.Selector.MatchLabels
	if selects(budget, ofNode) || !selects(budget, ofRest) {
		return fmt.Errorf("the PodDisruptionBudget selects %v, which must be the pods of the StatefulSet only", budget)
	}
	return nil
}

func readsNoNamespaceButDefault(t *testing.T, all objects) error {
	t.Helper()
	for _, object := range all {
		role, ok := object.(*rbacv1.ClusterRole)
		if ok && slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Verbs, "list") }) {
			return fmt.Errorf("ClusterRole %s reads all namespaces", role.Name)
		}
	}
	args := pod(t, all).Containers[0].Args
	granted, exposes := listed(find[*rbacv1.Role](t, all, "statefleet-objects").Rules), exposed(args)
	if !slices.Contains(args, "--namespaces=default") || !slices.Equal(granted, exposes) {
		return fmt.Errorf("grants %q, exposes %q", granted, exposes)
	}
	return nil
}

func admitsMonitoring(t *testing.T, all objects) error {
	t.Helper()
	policy := find[*networkingv1.NetworkPolicy](t, all, "statefleet")
	for name, labels := range podLabels(all) {
		if !selects(policy.Spec.PodSelector.MatchLabels, labels) {
			return fmt.Errorf("the NetworkPolicy does not select %s", name)
		}
	}
	from := policy.Spec.Ingress
	if len(from) != 1 || len(from[0].From) != 1 || len(from[0].Ports) != 2 || from[0].From[0].PodSelector != nil ||
		from[0].From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" {
		return fmt.Errorf("the NetworkPolicy admits %+v", from)
	}
	if slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
		return errors.New("the NetworkPolicy keeps the fleet from the API server")
	}
	return nil
}

// checksCallers: every workload checks callers and may ask the API server about them, and a PodMonitor sends a token.
func checksCallers(all objects) error {
	specs := map[string]corev1.PodSpec{}
	podSpecs(specs, "", all)
	for name, spec := range specs {
		if !slices.Contains(spec.Containers[0].Args, "--auth-filter") || !slices.Contains(spec.Containers[0].Args, "--auth-filter.path-prefix=/statefleet") {
			return fmt.Errorf("%s does not check callers", name)
		}
		for _, resource := range []string{"tokenreviews", "subjectaccessreviews"} {
			if !slices.Contains(clusterVerbs(all, spec.ServiceAccountName, resource), "create") {
				return fmt.Errorf("%s may not create %s", name, resource)
			}
		}
	}
	for _, object := range all {
		monitor, ok := object.(*monitoringv1.PodMonitor)
		if !ok {
			continue
		}
		for _, endpoint := range monitor.Spec.PodMetricsEndpoints {
			if endpoint.Authorization == nil || endpoint.Authorization.Credentials.Name != "statefleet-scrape-token" || endpoint.Authorization.Type != "Bearer" {
				return errors.New("the PodMonitor sends no token")
			}
		}
	}
	return nil
}

// clusterVerbs are what an account may do to a resource in the whole cluster.
func clusterVerbs(all objects, account, resource string) (verbs []string) {
	for _, object := range all {
		binding, ok := object.(*rbacv1.ClusterRoleBinding)
		if !ok || !slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool { return s.Name == account }) {
			continue
		}
		for _, object := range all {
			if role, ok := object.(*rbacv1.ClusterRole); ok && role.Name == binding.RoleRef.Name {
				for _, rule := range role.Rules {
					if slices.Contains(rule.Resources, resource) {
						verbs = append(verbs, rule.Verbs...)
					}
				}
			}
		}
	}
	return verbs
}

// senseless are the pairs of components that manifests/README.md advises against.
func senseless(t *testing.T) [][2]string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var pairs [][2]string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([a-z-]+)` \\| .+ \\|$").FindAllStringSubmatch(string(text), -1) {
		pairs = append(pairs, [2]string{row[1], row[2]})
	}
	return pairs
}

// pairs are the pairs of components that go together.
func pairs(t *testing.T) (all [][2]string) {
	t.Helper()
	names, against := components(t), senseless(t)
	for i, a := range names {
		for _, b := range names[i+1:] {
			if !slices.Contains(against, [2]string{a, b}) && !slices.Contains(against, [2]string{b, a}) {
				all = append(all, [2]string{a, b})
			}
		}
	}
	return all
}

// TestComponentsCombine: each alone, each pair in both orders, and three that are often wanted together. With each
// other, all do what they promise alone. Pairs that the README advises against are in one of these ways broken.
func TestComponentsCombine(t *testing.T) {
	together := func(chosen ...string) error {
		all, err := kustomize(t, withComponents("", chosen...))
		for _, c := range chosen {
			if err == nil {
				err = holds(t, c, all)
			}
		}
		if err == nil {
			err = checkSubjects(all)
		}
		return err
	}
	right := [][]string{{"standby", "prometheus-operator", "auth-filter"}}
	for _, c := range components(t) {
		right = append(right, []string{c})
	}
	for _, pair := range pairs(t) {
		right = append(right, pair[:])
		if pair[1] != "auth-filter" {
			right = append(right, []string{pair[1], pair[0]})
		}
	}
	for _, chosen := range right {
		if err := together(chosen...); err != nil {
			t.Errorf("%s: %v", strings.Join(chosen, ", "), err)
		}
	}
	for _, pair := range senseless(t) {
		if together(pair[0], pair[1]) == nil && together(pair[1], pair[0]) == nil {
			t.Errorf("the README advises against %s with %s, which works", pair[0], pair[1])
		}
	}
}

// TestAuthFilterIsListedLast: before a component whose pods or monitors it has to change, it would not reach them.
func TestAuthFilterIsListedLast(t *testing.T) {
	for _, c := range []string{"daemonset", "prometheus-operator"} {
		if _, err := kustomize(t, withComponents("", "auth-filter", c)); err == nil || !strings.Contains(err.Error(), "testing value /metadata/name failed") {
			t.Errorf("auth-filter before %s: error %v", c, err)
		}
	}
}

// TestComponentsLeaveOtherObjectsAlone: what else is in the user's kustomization gets no label of ours.
func TestComponentsLeaveOtherObjectsAlone(t *testing.T) {
	const own = "configMapGenerator:\n  - {name: mine, literals: [a=b], options: {disableNameSuffixHash: true}}\n"
	for _, c := range components(t) {
		fleet := withComponents("", c)
		fleet.text = strings.Replace(fleet.text, "resources: [", "resources: [../mine, ", 1)
		all, err := kustomize(t, layer{"mine", own}, fleet)
		if err != nil {
			t.Fatal(err)
		}
		if mine := find[*corev1.ConfigMap](t, all, "mine"); len(mine.Labels) > 0 || mine.Namespace != "" {
			t.Errorf("%s: namespace %q, labels %v", c, mine.Namespace, mine.Labels)
		}
	}
}

// TestObjectsHaveTheRecommendedLabels: all of ours have name, component and part-of, those of the base the version as
// well. The labels of pods and the selectors are what they were: a selector cannot be changed once it exists.
func TestObjectsHaveTheRecommendedLabels(t *testing.T) {
	for _, c := range append(components(t), "") {
		chosen := []string{c}
		if c == "" {
			chosen = nil
		}
		all, err := kustomize(t, withComponents("", chosen...))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range all {
			o := accessor(t, object)
			for _, label := range []string{"name", "component", "part-of"} {
				if o.GetLabels()["app.kubernetes.io/"+label] == "" {
					t.Errorf("%q: %T %s has no label %s", c, object, o.GetName(), label)
				}
			}
			if c == "" && o.GetLabels()["app.kubernetes.io/version"] == "" {
				t.Errorf("base: %T %s has no label version", object, o.GetName())
			}
		}
		if c == "daemonset" {
			continue
		}
		set := find[*appsv1.StatefulSet](t, all, "statefleet")
		want := map[string]string{"app.kubernetes.io/name": "statefleet"}
		equal(t, "selector", set.Spec.Selector.MatchLabels, want)
		equal(t, "labels of pods", set.Spec.Template.Labels, want)
	}
}
