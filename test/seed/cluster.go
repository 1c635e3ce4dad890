package seed

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (s *seeder) namespaces(ctx context.Context) error {
	for _, name := range []string{Shop, Batch, Limits} {
		namespace := &corev1.Namespace{ObjectMeta: meta("", name)}
		if err := put(ctx, s.client.CoreV1().Namespaces(), namespace); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeder) nodes(ctx context.Context) error {
	for i := range nodeCount {
		if _, err := putStatus(ctx, s.client.CoreV1().Nodes(), node(i)); err != nil {
			return err
		}
	}
	return nil
}

const nodeCount = 4

func nodeName(i int) string { return fmt.Sprintf("node-%d", i%nodeCount) }

// node i; the first is a control-plane node with taints, the last is cordoned and not ready.
func node(i int) *corev1.Node {
	n := &corev1.Node{ObjectMeta: meta("", nodeName(i))}
	n.Labels["topology.kubernetes.io/zone"] = fmt.Sprintf("zone-%d", i%2)
	n.Spec = corev1.NodeSpec{PodCIDR: fmt.Sprintf("10.1.%d.0/24", i), PodCIDRs: []string{fmt.Sprintf("10.1.%d.0/24", i)},
		ProviderID: "cloud:///" + n.Name}
	n.Status = corev1.NodeStatus{
		Capacity:    corev1.ResourceList{"cpu": resource.MustParse("8"), "memory": resource.MustParse("32Gi"), "pods": resource.MustParse("110")},
		Allocatable: corev1.ResourceList{"cpu": resource.MustParse("7800m"), "memory": resource.MustParse("31Gi"), "pods": resource.MustParse("110")},
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.2.0.%d", i+1)}, {Type: corev1.NodeHostName, Address: n.Name},
		},
		NodeInfo: corev1.NodeSystemInfo{KernelVersion: "6.12.0", OSImage: "Some Linux 1", ContainerRuntimeVersion: "containerd://2.1.0",
			KubeletVersion: "v1.37.2", OperatingSystem: "linux", Architecture: "amd64", SystemUUID: fmt.Sprintf("uuid-%d", i)},
		Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: at(1)},
			{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, LastTransitionTime: at(1)},
		},
	}
	switch i {
	case 0:
		n.Labels["node-role.kubernetes.io/control-plane"] = ""
		n.Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
	case nodeCount - 1:
		n.Spec.Unschedulable = true
		n.Status.Conditions[0].Status = corev1.ConditionUnknown
	}
	return n
}

func (s *seeder) limits(ctx context.Context) error {
	limitRange := &corev1.LimitRange{ObjectMeta: meta(Limits, "defaults"), Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{
			Type:           corev1.LimitTypeContainer,
			Default:        corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("256Mi")},
			DefaultRequest: corev1.ResourceList{"cpu": resource.MustParse("100m")},
			Max:            corev1.ResourceList{"cpu": resource.MustParse("2")},
			Min:            corev1.ResourceList{"cpu": resource.MustParse("10m")},
		},
		{Type: corev1.LimitTypePersistentVolumeClaim, Max: corev1.ResourceList{"storage": resource.MustParse("1Ti")}},
	}}}
	if err := put(ctx, s.client.CoreV1().LimitRanges(Limits), limitRange); err != nil {
		return err
	}
	hard := corev1.ResourceList{"requests.cpu": resource.MustParse("20"), "pods": resource.MustParse("50"), "requests.storage": resource.MustParse("500Gi")}
	_, err := putStatus(ctx, s.client.CoreV1().ResourceQuotas(Limits), &corev1.ResourceQuota{
		ObjectMeta: meta(Limits, "quota"),
		Spec:       corev1.ResourceQuotaSpec{Hard: hard},
		Status: corev1.ResourceQuotaStatus{Hard: hard, Used: corev1.ResourceList{
			"requests.cpu": resource.MustParse("2500m"), "pods": resource.MustParse("7"), "requests.storage": resource.MustParse("0"),
		}},
	})
	return err
}

func (s *seeder) services(ctx context.Context) error {
	ports := []corev1.ServicePort{{Name: "http", Port: 80}}
	selector := map[string]string{"app": "web"}
	loadBalancer := &corev1.Service{
		ObjectMeta: meta(Shop, "edge"),
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: ports, Selector: selector,
			ExternalIPs: []string{"192.0.2.7"}, ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{
			{IP: "198.51.100.4"}, {Hostname: "edge.example.org"},
		}}},
	}
	services := s.client.CoreV1().Services(Shop)
	if _, err := putStatus(ctx, services, loadBalancer); err != nil {
		return err
	}
	return put(ctx, services,
		&corev1.Service{ObjectMeta: meta(Shop, "web"), Spec: corev1.ServiceSpec{Ports: ports, Selector: selector}},
		&corev1.Service{ObjectMeta: meta(Shop, "db"), Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: ports, Selector: selector}},
		&corev1.Service{ObjectMeta: meta(Shop, "mail"), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "mail.example.org"}},
	)
}

func (s *seeder) claims(ctx context.Context) error {
	class, size := "fast", corev1.ResourceList{"storage": resource.MustParse("10Gi")}
	for i, phase := range []corev1.PersistentVolumeClaimPhase{corev1.ClaimBound, corev1.ClaimPending, corev1.ClaimLost} {
		claim := &corev1.PersistentVolumeClaim{
			ObjectMeta: meta(Shop, fmt.Sprintf("data-%d", i)),
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				StorageClassName: &class,
				Resources:        corev1.VolumeResourceRequirements{Requests: size},
			},
			Status: corev1.PersistentVolumeClaimStatus{Phase: phase},
		}
		if phase == corev1.ClaimBound {
			claim.Spec.VolumeName = "volume-0"
			claim.Status.AccessModes, claim.Status.Capacity = claim.Spec.AccessModes, size
			claim.Status.Conditions = []corev1.PersistentVolumeClaimCondition{
				{Type: corev1.PersistentVolumeClaimResizing, Status: corev1.ConditionTrue, LastTransitionTime: at(2)},
			}
		}
		if _, err := putStatus(ctx, s.client.CoreV1().PersistentVolumeClaims(Shop), claim); err != nil {
			return err
		}
	}
	return nil
}

func owner(apiVersion, kind string, object metav1.Object) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: object.GetName(), UID: object.GetUID(),
		Controller: &yes, BlockOwnerDeletion: &yes}
}
