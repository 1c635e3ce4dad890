package replica

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// mixinMetrics are the metrics that the rules and dashboards of kubernetes-mixin read, with the
// labels they need. A label may have the value that they select.
const mixinMetrics = `
kube_pod_info namespace pod node host_network="false"
kube_pod_owner namespace pod owner_kind owner_name
kube_pod_status_phase namespace pod phase
kube_pod_status_ready namespace pod condition="true"
kube_pod_container_status_waiting_reason namespace pod container reason
kube_pod_container_resource_requests namespace pod container node resource="cpu"
kube_pod_container_resource_requests namespace pod container node resource="memory"
kube_pod_container_resource_limits namespace pod container node resource="cpu"
kube_pod_container_resource_limits namespace pod container node resource="memory"
kube_pod_container_info namespace pod container container_id
kube_replicaset_owner namespace replicaset owner_kind owner_name
kube_job_owner namespace job_name owner_kind owner_name
kube_job_failed namespace job_name
kube_job_status_active namespace job_name
kube_job_status_start_time namespace job_name
kube_deployment_spec_replicas namespace deployment
kube_deployment_metadata_generation namespace deployment
kube_deployment_status_observed_generation namespace deployment
kube_deployment_status_replicas_available namespace deployment
kube_deployment_status_replicas_updated namespace deployment
kube_deployment_status_condition namespace deployment condition="Progressing" status="false"
kube_statefulset_replicas namespace statefulset
kube_statefulset_metadata_generation namespace statefulset
kube_statefulset_status_observed_generation namespace statefulset
kube_statefulset_status_replicas_ready namespace statefulset
kube_statefulset_status_replicas_updated namespace statefulset
kube_statefulset_status_current_revision namespace statefulset revision
kube_statefulset_status_update_revision namespace statefulset revision
kube_daemonset_status_current_number_scheduled namespace daemonset
kube_daemonset_status_desired_number_scheduled namespace daemonset
kube_daemonset_status_number_misscheduled namespace daemonset
kube_daemonset_status_updated_number_scheduled namespace daemonset
kube_daemonset_status_number_available namespace daemonset
kube_horizontalpodautoscaler_spec_min_replicas namespace horizontalpodautoscaler
kube_horizontalpodautoscaler_spec_max_replicas namespace horizontalpodautoscaler
kube_horizontalpodautoscaler_status_current_replicas namespace horizontalpodautoscaler
kube_horizontalpodautoscaler_status_desired_replicas namespace horizontalpodautoscaler
kube_poddisruptionbudget_status_current_healthy namespace poddisruptionbudget
kube_poddisruptionbudget_status_desired_healthy namespace poddisruptionbudget
kube_node_info node
kube_node_role node role="control-plane"
kube_node_spec_unschedulable node
kube_node_spec_taint node key value effect
kube_node_status_condition node condition="Ready" status="true"
kube_node_status_allocatable node resource="cpu"
kube_node_status_allocatable node resource="memory"
kube_node_status_allocatable node resource="pods"
kube_node_status_capacity node resource="pods"
kube_namespace_status_phase namespace phase
kube_resourcequota namespace resourcequota resource type="hard"
kube_resourcequota namespace resourcequota resource type="used"
kube_persistentvolume_status_phase persistentvolume phase
kube_persistentvolumeclaim_access_mode namespace persistentvolumeclaim access_mode
`

// TestKubernetesMixinFindsItsMetrics looks for the metrics of kubernetes-mixin in the exposition of
// a whole cluster.
func TestKubernetesMixinFindsItsMetrics(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.Populate(generator.Scale(400).Objects()); err != nil {
		t.Fatal(err)
	}
	w.put(&corev1.Node{ // like a managed cluster, the simulated one has no nodes of a control plane
		ObjectMeta: metav1.ObjectMeta{Name: "cp-0", UID: "cp-0", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}},
	})
	r := w.start(nil)
	r.assign(0, 1)
	r.waitReady()
	byName := map[string][]string{}
	for _, line := range r.samples() {
		name, _, _ := strings.Cut(line, "{")
		byName[name] = append(byName[name], line)
	}
	for metric := range strings.Lines(strings.TrimSpace(mixinMetrics)) {
		words := strings.Fields(metric)
		if !hasSample(byName[words[0]], words[1:]) {
			t.Errorf("no sample of %s with %s", words[0], strings.Join(words[1:], ", "))
		}
	}
}

// hasSample reports whether one of the lines has all the labels.
func hasSample(lines, labels []string) bool {
	for _, line := range lines {
		all := true
		for _, l := range labels {
			if !strings.Contains(l, "=") {
				l += "="
			}
			all = all && (strings.Contains(line, "{"+l) || strings.Contains(line, ","+l))
		}
		if all {
			return true
		}
	}
	return false
}
