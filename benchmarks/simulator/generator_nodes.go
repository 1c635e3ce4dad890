package simulator

import (
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeIdentity is what pods know of their node.
type nodeIdentity struct {
	name, address string
}

// leaseNamespace holds the heartbeats of the nodes.
const leaseNamespace = "kube-node-lease"

func (g *generator) makeNamespaces() {
	for i := range g.spec.Namespaces {
		name := systemNamespace(i)
		if name == "" {
			name = fmt.Sprintf("team-%s-%d", pick(g, "payments", "growth", "platform", "data", "mobile", "search"), i)
		}
		g.namespaces = append(g.namespaces, name)
		namespace := &corev1.Namespace{
			ObjectMeta: g.meta("", name, map[string]string{
				"kubernetes.io/metadata.name": name, "team": fmt.Sprintf("team-%d", i%17),
				"pod-security.kubernetes.io/enforce": "restricted",
			}),
			Spec:   corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
			Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
		}
		g.put(namespace)
		g.put(g.quota(name))
		g.put(g.limits(name))
	}
}

// systemNamespace names the first namespaces; the others have random names.
func systemNamespace(i int) string {
	system := []string{"default", "kube-system", leaseNamespace, "monitoring"}
	if i < len(system) {
		return system[i]
	}
	return ""
}

func (g *generator) makeNodes() {
	var images []corev1.ContainerImage
	for i := range 20 {
		name := "registry.example.com/" + appName(i*7)
		images = append(images, corev1.ContainerImage{
			Names:     []string{name + "@" + g.digest(), fmt.Sprintf("%s:v1.%d.%d", name, i, g.random.IntN(30))},
			SizeBytes: 20<<20 + g.random.Int64N(400<<20),
		})
	}
	for i := range g.spec.Nodes {
		node := nodeIdentity{name: fmt.Sprintf("node-%05d.%s", i, zone(i)), address: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff)}
		g.nodes = append(g.nodes, node)
		made := g.node(i, node, images)
		g.put(made)
		g.put(g.nodeLease(made))
	}
}

func zone(i int) string { return fmt.Sprintf("eu-west-1%c", 'a'+rune(i%3)) }

func (g *generator) node(i int, identity nodeIdentity, images []corev1.ContainerImage) *corev1.Node {
	cores := int64(pick(g, 16, 32, 64))
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(cores, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(cores*4<<30-g.random.Int64N(1<<28), resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(200<<30, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(110, resource.DecimalSI),
		"hugepages-2Mi":                 *resource.NewQuantity(0, resource.BinarySI),
	}
	allocatable := capacity.DeepCopy()
	allocatable[corev1.ResourceCPU] = *resource.NewMilliQuantity(cores*1000-120, resource.DecimalSI)
	node := &corev1.Node{
		ObjectMeta: g.meta("", identity.name, map[string]string{
			"kubernetes.io/hostname": identity.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
			"node.kubernetes.io/instance-type": fmt.Sprintf("m7i.%dxlarge", cores/4),
			"topology.kubernetes.io/region":    "eu-west-1", "topology.kubernetes.io/zone": zone(i),
			"node-role.kubernetes.io/worker": "", "example.com/pool": pick(g, "general", "memory", "batch"),
		}),
		Spec: corev1.NodeSpec{
			PodCIDR: fmt.Sprintf("10.%d.%d.0/24", 128+i>>8, i&0xff), PodCIDRs: []string{fmt.Sprintf("10.%d.%d.0/24", 128+i>>8, i&0xff)},
			ProviderID: fmt.Sprintf("aws:///%s/i-%017x", zone(i), g.random.Uint64()>>4),
		},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: allocatable, Conditions: g.nodeConditions(),
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: identity.address}, {Type: corev1.NodeHostName, Address: identity.name}},
			NodeInfo:  g.nodeInfo(), Images: images,
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
		},
	}
	if g.chance(3) {
		node.Spec.Unschedulable = true
		node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
	}
	node.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("kube-controller-manager", "v1", "", node.CreationTimestamp, ownedFields(node, "spec")),
		managed("kubelet", "v1", "status", g.ago(time.Minute), ownedFields(node, "metadata", "status")),
	}
	return node
}

func (g *generator) nodeConditions() []corev1.NodeCondition {
	var conditions []corev1.NodeCondition
	add := func(typ corev1.NodeConditionType, status corev1.ConditionStatus, reason, message string) {
		conditions = append(conditions, corev1.NodeCondition{
			Type: typ, Status: status, Reason: reason, Message: message,
			LastHeartbeatTime: g.ago(g.within(5 * time.Minute)), LastTransitionTime: g.ago(g.within(48 * time.Hour)),
		})
	}
	add(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory", "kubelet has sufficient memory available")
	add(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure", "kubelet has no disk pressure")
	add(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID", "kubelet has sufficient PID available")
	if g.chance(1) {
		add(corev1.NodeReady, corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status.")
	} else {
		add(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status")
	}
	return conditions
}

func (g *generator) nodeInfo() corev1.NodeSystemInfo {
	return corev1.NodeSystemInfo{
		MachineID: fmt.Sprintf("%016x%016x", g.random.Uint64(), g.random.Uint64()), SystemUUID: string(randomUID(g.random)), BootID: string(randomUID(g.random)),
		KernelVersion: "6.12.41-71.105", OSImage: "Example Linux 2026", ContainerRuntimeVersion: "containerd://2.2.1",
		KubeletVersion: "v1.37.2", OperatingSystem: "linux", Architecture: "amd64",
	}
}

func (g *generator) nodeLease(node *corev1.Node) *coordinationv1.Lease {
	seconds := int32(40)
	renewed := metav1.NewMicroTime(g.ago(g.within(10 * time.Second)).Time)
	lease := &coordinationv1.Lease{
		ObjectMeta: g.meta(leaseNamespace, node.Name, nil),
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &node.Name, LeaseDurationSeconds: &seconds, RenewTime: &renewed},
	}
	lease.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
	return lease
}

// digest is a random sha256 in the form of image references.
func (g *generator) digest() string {
	r := g.random
	return fmt.Sprintf("sha256:%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
}
