package resources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func nodes() Kind {
	return NewKind(definition[corev1.Node]{
		resource: corev1.SchemeGroupVersion.WithResource("nodes"),
		identity: nameOnly[corev1.Node]("node"),
		reads: `spec.providerID spec.podCIDR spec.podCIDRs spec.unschedulable spec.taints.key spec.taints.value spec.taints.effect
			status.allocatable status.capacity status.conditions.type status.conditions.status status.addresses
			status.nodeInfo.kernelVersion status.nodeInfo.osImage status.nodeInfo.containerRuntimeVersion
			status.nodeInfo.kubeletVersion status.nodeInfo.systemUUID`,
		families: []family[corev1.Node]{
			annotationsFamily[corev1.Node](Alpha, "kube_node_annotations", "node"),
			createdFamily[corev1.Node](Stable, "kube_node_created", "node"),
			deletionFamily[corev1.Node](Alpha, "kube_node_deletion_timestamp", "node"),
			gauge(Stable, "kube_node_info", "Always 1; gives the node's versions, identifiers and internal address.", nodeInfo),
			labelsFamily[corev1.Node](Stable, "kube_node_labels", "node"),
			withFields("metadata.labels", gauge(Alpha, "kube_node_role", "Always 1; names a role that the node has by its labels.", nodeRoles)),
			gauge(Alpha, "kube_node_spec_pod_cidrs", "Always 1; names a range of addresses for the node's pods.", func(n *corev1.Node, w *SampleWriter) { uniqueEach(w, "pod_cidr", n.Spec.PodCIDRs) }),
			gauge(Stable, "kube_node_spec_taint", "Always 1; names a taint of the node.", func(n *corev1.Node, w *SampleWriter) {
				for _, t := range n.Spec.Taints {
					w.UniqueSample(1, "key", t.Key, "value", t.Value, "effect", string(t.Effect))
				}
			}),
			gauge(Stable, "kube_node_spec_unschedulable", "Whether the node is closed to new pods, 1 or 0.", func(n *corev1.Node, w *SampleWriter) { w.Bool(n.Spec.Unschedulable) }),
			withUnit(unitByLabel("unit"), gauge(Stable, "kube_node_status_allocatable", "Amount of a resource that the node has for pods, in the unit that its label names.", func(n *corev1.Node, w *SampleWriter) { nodeResources(w, n.Status.Allocatable) })),
			withUnit(unitByLabel("unit"), gauge(Stable, "kube_node_status_capacity", "Amount of a resource that the node has in total, in the unit that its label names.", func(n *corev1.Node, w *SampleWriter) { nodeResources(w, n.Status.Capacity) })),
			gauge(Stable, "kube_node_status_condition", "Conditions of the node, 1 for the status that each has.", func(n *corev1.Node, w *SampleWriter) {
				for _, c := range n.Status.Conditions {
					w.conditionStatus(c.Status, "status", "condition", string(c.Type))
				}
			}),
			gauge(Alpha, "kube_node_status_addresses", "Always 1; names an address of the node and its type.", func(n *corev1.Node, w *SampleWriter) {
				for _, a := range n.Status.Addresses {
					w.UniqueSample(1, "type", string(a.Type), "address", a.Address)
				}
			}),
		},
	})
}

func nodeInfo(n *corev1.Node, w *SampleWriter) {
	var internalIP string
	for i := range n.Status.Addresses {
		if a := &n.Status.Addresses[i]; a.Type == corev1.NodeInternalIP {
			internalIP = a.Address // existing queries expect the last one
		}
	}
	info := &n.Status.NodeInfo
	w.Sample(1,
		"kernel_version", info.KernelVersion,
		"os_image", info.OSImage,
		"container_runtime_version", info.ContainerRuntimeVersion,
		"kubelet_version", info.KubeletVersion,
		"kubeproxy_version", "deprecated",
		"provider_id", n.Spec.ProviderID,
		"pod_cidr", n.Spec.PodCIDR,
		"system_uuid", info.SystemUUID,
		"internal_ip", internalIP)
}

// nodeRolePrefix is the prefix of the labels that define the roles of a node, as in kubectl.
const nodeRolePrefix = "node-role.kubernetes.io/"

func nodeRoles(n *corev1.Node, w *SampleWriter) {
	for key := range sorted(w, n.Labels) {
		if role, ok := strings.CutPrefix(key, nodeRolePrefix); ok {
			w.UniqueSample(1, "role", role)
		}
	}
}

// nodeResources appends all amounts with a precision of 1/1000, unlike the amounts of containers.
func nodeResources(w *SampleWriter, list corev1.ResourceList) {
	for name, quantity := range sorted(w, list) {
		unit := unitOfResource(name)
		if name == corev1.ResourcePods {
			unit = "integer"
		}
		if unit != "" {
			w.UniqueSample(milliValue(quantity), "resource", resourceLabel(name), "unit", unit)
		}
	}
}
