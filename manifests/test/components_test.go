package test

import (
	"errors"
	"fmt"
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

// holds returns an error if a build does not do what a component promises.
func holds(t *testing.T, component string, all objects) error {
	t.Helper()
	set := workload(t, all)
	container := set.Spec.Template.Spec.Containers[0]
	switch component {
	case "single":
		if *set.Spec.Replicas != 1 {
			return fmt.Errorf("got %d replicas, want 1", *set.Spec.Replicas)
		}
	case "standby":
		memory := container.Resources.Limits.Memory().String()
		if !slices.Contains(container.Args, "--shard.standby") || memory != "1Gi" || container.ReadinessProbe.PeriodSeconds != 2 || *set.Spec.Replicas < 2 {
			return fmt.Errorf("got %d replicas, arguments %q, memory limit %s; want 2 or more, standby, 1Gi, readiness each 2 s",
				*set.Spec.Replicas, container.Args, memory)
		}
	case "saved-state", "saved-state-volume":
		return savesState(set, component == "saved-state-volume")
	case "daemonset":
		return splitsPods(t, all)
	case "namespaced":
		return readsNoNamespaceButDefault(t, all)
	case "all-kinds", "without-secrets":
		granted, exposes := grantedKinds(all), exposed(container.Args)
		if !slices.Equal(granted, exposes) || slices.Contains(exposes, "secrets") == (component == "without-secrets") {
			return fmt.Errorf("grants %q, but exposes %q", granted, exposes)
		}
	case "own-namespace":
		for _, object := range all {
			if n, ok := object.(*corev1.Namespace); ok && n.Name == set.Namespace {
				return nil
			}
		}
		return errors.New("the Namespace of the StatefulSet is missing")
	case "network-policy":
		return admitsMonitoring(t, all)
	case "prometheus-operator":
		monitor := find[*monitoringv1.PodMonitor](t, all, "statefleet")
		for name, template := range podTemplates(all) {
			if !selects(monitor.Spec.Selector.MatchLabels, template.Labels) || monitor.Namespace != set.Namespace {
				return fmt.Errorf("the PodMonitor does not select %s", name)
			}
		}
	case "auth-filter":
		return checksCallers(all)
	default:
		t.Fatalf("the test does not know what the component %s promises", component)
	}
	return nil
}

// savesState returns an error unless the saved state is in a volume, and only there. With lasting, the volume must be a
// claim that outlives the pod, and else an emptyDir.
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
			return errors.New("the claims of removed replicas are not deleted")
		}
	}
	if !slices.Equal(folders, []string{folder}) || !slices.Equal(mounted, []string{"state"}) || !slices.Equal(volumes, mounted) || len(claims) > 0 {
		return fmt.Errorf("got directories %q, mounts %q, volumes %q, wrong volumes %q", folders, mounted, volumes, claims)
	}
	return nil
}

// grantedKinds returns the kinds that the ClusterRole of the fleet grants.
func grantedKinds(all objects) []string {
	for _, object := range all {
		if role, ok := object.(*rbacv1.ClusterRole); ok && role.Name == "statefleet" {
			return listed(role.Rules)
		}
	}
	return nil
}

// podTemplates returns the pod template of each workload, by its kind and name.
func podTemplates(all objects) map[string]corev1.PodTemplateSpec {
	templates := map[string]corev1.PodTemplateSpec{}
	for _, object := range all {
		switch o := object.(type) {
		case *appsv1.StatefulSet:
			templates["StatefulSet "+o.Name] = o.Spec.Template
		case *appsv1.DaemonSet:
			templates["DaemonSet "+o.Name] = o.Spec.Template
		}
	}
	return templates
}

// splitsPods returns an error unless the DaemonSet exposes the pods with a node and the StatefulSet everything else,
// and neither selects the pods of the other.
func splitsPods(t *testing.T, all objects) error {
	t.Helper()
	nodes := find[*appsv1.DaemonSet](t, all, "statefleet-node")
	rest := workload(t, all)
	ofNode, ofRest := nodes.Spec.Template.Labels, rest.Spec.Template.Labels
	args := rest.Spec.Template.Spec.Containers[0].Args
	switch own := nodes.Spec.Template.Spec.Containers[0]; {
	case !slices.Contains(own.Args, "--resources=pods") || !slices.Contains(own.Args, "--node=$(NODE_NAME)"):
		return fmt.Errorf("DaemonSet: got arguments %q, want --resources=pods and --node", own.Args)
	case !slices.Contains(args, "--track-unscheduled-pods"):
		return fmt.Errorf("StatefulSet: got arguments %q, want --track-unscheduled-pods", args)
	case slices.Contains(args, "--shard.standby") != slices.Contains(own.Args, "--shard.standby"):
		return errors.New("DaemonSet and StatefulSet differ in --shard.standby")
	case *rest.Spec.Replicas != 1:
		return fmt.Errorf("got %d replicas, want 1, so that both agree on the number of shards", *rest.Spec.Replicas)
	case own.Image != rest.Spec.Template.Spec.Containers[0].Image:
		return fmt.Errorf("the DaemonSet has image %s, want that of the StatefulSet", own.Image)
	case nodes.Namespace != rest.Namespace:
		return fmt.Errorf("the DaemonSet is in namespace %s, want that of the StatefulSet", nodes.Namespace)
	case selects(nodes.Spec.Selector.MatchLabels, ofRest) || selects(rest.Spec.Selector.MatchLabels, ofNode):
		return errors.New("DaemonSet or StatefulSet selects the pods of the other")
	case !selects(nodes.Spec.Selector.MatchLabels, ofNode) || !selects(rest.Spec.Selector.MatchLabels, ofRest):
		return errors.New("DaemonSet or StatefulSet does not select its own pods")
	}
	budget := find[*policyv1.PodDisruptionBudget](t, all, "statefleet").Spec.Selector.MatchLabels
	if selects(budget, ofNode) || !selects(budget, ofRest) {
		return fmt.Errorf("the PodDisruptionBudget selects %v, want the pods of the StatefulSet only", budget)
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
	args := arguments(t, all)
	granted, exposes := listed(find[*rbacv1.Role](t, all, "statefleet-objects").Rules), exposed(args)
	if !slices.Contains(args, "--namespaces=default") || !slices.Equal(granted, exposes) {
		return fmt.Errorf("grants %q, but exposes %q in the arguments %q", granted, exposes, args)
	}
	return nil
}

func admitsMonitoring(t *testing.T, all objects) error {
	t.Helper()
	policy := find[*networkingv1.NetworkPolicy](t, all, "statefleet")
	for name, template := range podTemplates(all) {
		if !selects(policy.Spec.PodSelector.MatchLabels, template.Labels) {
			return fmt.Errorf("the NetworkPolicy does not select %s", name)
		}
	}
	from := policy.Spec.Ingress
	if len(from) != 1 || len(from[0].From) != 1 || len(from[0].Ports) != 2 || from[0].From[0].PodSelector != nil ||
		from[0].From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" {
		return fmt.Errorf("the NetworkPolicy admits %+v, want the namespace monitoring on 2 ports", from)
	}
	if slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
		return errors.New("the NetworkPolicy restricts egress, so the fleet cannot reach the API server")
	}
	return nil
}

// checksCallers returns an error unless every workload authorizes callers and may create reviews, and every PodMonitor
// sends a token.
func checksCallers(all objects) error {
	for name, template := range podTemplates(all) {
		spec := template.Spec
		if !slices.Contains(spec.Containers[0].Args, "--auth-filter") || !slices.Contains(spec.Containers[0].Args, "--auth-filter.path-prefix=/statefleet") {
			return fmt.Errorf("%s lacks the flags of the auth filter", name)
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

// clusterVerbs returns the verbs that an account has on a resource in the whole cluster.
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

// senseless returns the pairs of components that manifests/README.md advises against.
func senseless(t *testing.T) [][2]string {
	t.Helper()
	var pairs [][2]string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([a-z-]+)` \\| .+ \\|$").FindAllStringSubmatch(readFile(t, "../README.md"), -1) {
		pairs = append(pairs, [2]string{row[1], row[2]})
	}
	return pairs
}

// pairs returns the pairs of components that can be combined.
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

// TestComponentsCombine checks that each component keeps its promises alone, in pairs in both orders (auth-filter only
// last), and in a common combination of three. Each pair that the README advises against must fail in at least one
// order.
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
			t.Errorf("the README advises against %s with %s, but both orders work", pair[0], pair[1])
		}
	}
}

// TestAuthFilterIsListedLast checks that the build fails if auth-filter precedes a component whose pods or monitors it
// must change.
func TestAuthFilterIsListedLast(t *testing.T) {
	for _, c := range []string{"daemonset", "prometheus-operator"} {
		if _, err := kustomize(t, withComponents("", "auth-filter", c)); err == nil || !strings.Contains(err.Error(), "testing value /metadata/name failed") {
			t.Errorf("auth-filter before %s: got error %v, want a failed test of /metadata/name", c, err)
		}
	}
}

// TestComponentsLeaveOtherObjectsAlone checks that components add no labels to other objects of the user's
// kustomization.
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
			t.Errorf("%s: got namespace %q, labels %v; want none", c, mine.Namespace, mine.Labels)
		}
	}
}

// TestObjectsHaveTheRecommendedLabels checks that all objects have the labels name, component and part-of, and those of
// the base also version. The selector and the labels of pods must not change, because selectors are immutable.
func TestObjectsHaveTheRecommendedLabels(t *testing.T) {
	for _, c := range append(components(t), "") {
		chosen := []string{c}
		if c == "" {
			chosen = nil
		}
		all := buildWith(t, chosen...)
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
		set := workload(t, all)
		want := map[string]string{"app.kubernetes.io/name": "statefleet"}
		equal(t, "selector", set.Spec.Selector.MatchLabels, want)
		equal(t, "labels of pods", set.Spec.Template.Labels, want)
	}
}
