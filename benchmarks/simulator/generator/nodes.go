package generator

import (
	"fmt"
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeIdentity is the part of a node that its pods refer to.
type nodeIdentity struct {
	name, address string
}

// leaseNamespace is the namespace of the nodes' Leases.
const leaseNamespace = "kube-node-lease"

func (g *generator) putNodes() {
	var images []corev1.ContainerImage
	for i := range 20 {
		name := "registry.example.com/" + appName(i*7)
		images = append(images, corev1.ContainerImage{
			Names:     []string{name + "@sha256:" + g.randomHex(4), fmt.Sprintf("%s:v1.%d.%d", name, i, g.random.IntN(30))},
			SizeBytes: 20<<20 + g.random.Int64N(400<<20),
		})
	}
	for i := range g.spec.Nodes {
		name, address := fmt.Sprintf("node-%05d.%s", i, zone(i)), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff)
		identity := nodeIdentity{name: name, address: address}
		g.nodes = append(g.nodes, identity)
		node := g.node(i, identity, images)
		g.put(node)
		g.put(g.nodeLease(node))
	}
}

func (g *generator) node(i int, identity nodeIdentity, images []corev1.ContainerImage) *corev1.Node {
	cores := int64(pick(g, 16, 32, 64))
	size := cpuAndMemory(cores*1000, cores*4<<30-g.random.Int64N(1<<28))
	node := manifest[*corev1.Node](g, g.meta("", identity.name, map[string]string{
		"kubernetes.io/hostname": identity.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		"node.kubernetes.io/instance-type": fmt.Sprintf("m7i.%dxlarge", cores/4),
		"topology.kubernetes.io/region":    "eu-west-1", "topology.kubernetes.io/zone": zone(i),
		"node-role.kubernetes.io/worker": "", "example.com/pool": pick(g, "general", "memory", "batch"),
	}))
	podCIDR := fmt.Sprintf("10.%d.%d.0/24", 128+i>>8, i&0xff)
	node.Spec.PodCIDR, node.Spec.PodCIDRs = podCIDR, []string{podCIDR}
	node.Spec.ProviderID = fmt.Sprintf("aws:///%s/i-%017x", zone(i), g.random.Uint64()>>4)
	status := &node.Status
	maps.Copy(status.Capacity, size)
	status.Allocatable = status.Capacity.DeepCopy()
	status.Allocatable[corev1.ResourceCPU] = *resource.NewMilliQuantity(cores*1000-120, resource.DecimalSI)
	for j := range status.Conditions {
		c := &status.Conditions[j]
		if c.Type == corev1.NodeReady && g.chance(1) {
			c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status."
		}
		c.LastHeartbeatTime, c.LastTransitionTime = g.ago(g.within(5*time.Minute)), g.ago(g.within(48*time.Hour))
	}
	status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: identity.address}, {Type: corev1.NodeHostName, Address: identity.name},
	}
	status.NodeInfo.MachineID = g.randomHex(2)
	status.NodeInfo.SystemUUID, status.NodeInfo.BootID = string(g.uid()), string(g.uid())
	status.Images = images
	if g.chance(3) {
		node.Spec.Unschedulable = true
		node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
	}
	node.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("kube-controller-manager", "v1", "", node.CreationTimestamp, fieldSet(node, "spec")),
		managed("kubelet", "v1", "status", g.ago(time.Minute), fieldSet(node, "metadata", "status")),
	}
	return node
}

func (g *generator) nodeLease(node *corev1.Node) *coordinationv1.Lease {
	renewed := metav1.NewMicroTime(g.ago(g.within(10 * time.Second)).Time)
	lease := manifest[*coordinationv1.Lease](g, g.meta(leaseNamespace, node.Name, nil))
	lease.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
	lease.Spec.HolderIdentity, lease.Spec.RenewTime = &node.Name, &renewed
	return lease
}

// putNamespaces generates the system namespaces first, then those of teams. Each has
// a ResourceQuota and a LimitRange.
func (g *generator) putNamespaces() {
	names := []string{"default", "kube-system", leaseNamespace, "monitoring"}
	for i := range g.spec.namespaces {
		if i >= len(names) {
			product := pick(g, "payments", "growth", "platform", "data", "mobile", "search")
			names = append(names, fmt.Sprintf("team-%s-%d", product, i))
		}
		g.namespaces = names[:i+1]
		g.put(manifest[*corev1.Namespace](g, g.meta("", names[i], map[string]string{
			"kubernetes.io/metadata.name": names[i], "team": team(i), "pod-security.kubernetes.io/enforce": "restricted",
		})))
		g.put(g.quota(names[i]))
		g.put(manifest[*corev1.LimitRange](g, g.meta(names[i], "defaults", nil)))
	}
}

func (g *generator) quota(namespace string) *corev1.ResourceQuota {
	used := corev1.ResourceList{
		corev1.ResourcePods:           *resource.NewQuantity(g.random.Int64N(500), resource.DecimalSI),
		corev1.ResourceRequestsCPU:    *resource.NewMilliQuantity(g.random.Int64N(400_000), resource.DecimalSI),
		corev1.ResourceRequestsMemory: *resource.NewQuantity(g.random.Int64N(1<<40), resource.BinarySI),
	}
	quota := manifest[*corev1.ResourceQuota](g, g.meta(namespace, "compute", nil))
	quota.Status.Used = used
	return quota
}
