package simulator

import "time"

// Spec says how many objects of each kind a generated cluster has. A count of
// zero leaves the kind out.
type Spec struct {
	// Seed makes clusters differ in names, uids and states.
	Seed uint64
	// Now is the time that ages are counted back from. Default: noon of
	// 2026-01-01 UTC. Clusters that are to look alive take time.Now.
	Now time.Time

	Namespaces, Nodes int
	// Pods are those of Deployments, StatefulSets, DaemonSets and
	// ReplicationControllers together. Each DaemonSet has a pod on each node,
	// unless those would be more than half of all; the Deployments share what
	// the others leave. Jobs have one more pod each.
	Pods, Jobs int

	CronJobs, DaemonSets, Deployments, ReplicationControllers, StatefulSets int
	// OldReplicaSets is how many each Deployment keeps beside the current one.
	OldReplicaSets int

	// Services have an EndpointSlice and an Endpoints object each.
	Services, Ingresses, IngressClasses, NetworkPolicies int
	ConfigMaps, Secrets, ServiceAccounts                 int
	// Claims are PersistentVolumeClaims, each with a PersistentVolume and a
	// VolumeAttachment.
	Claims, StorageClasses                                 int
	HorizontalPodAutoscalers, PodDisruptionBudgets         int
	Roles, RoleBindings, ClusterRoles, ClusterRoleBindings int
	MutatingWebhooks, ValidatingWebhooks                   int
	MutatingAdmissionPolicies, ValidatingAdmissionPolicies int // with a binding each
	CertificateSigningRequests                             int
	// Each namespace has a ResourceQuota and a LimitRange, each node a Lease.
}

// Scale is the usual mix for a cluster of so many pods: at 20,000 it has 2,000
// Jobs with a pod each, 500 nodes and 57,000 objects in all.
func Scale(pods int) Spec {
	of := func(per20k int) int {
		const reference = 20_000
		return max(1, (per20k*pods+reference/2)/reference)
	}
	return Spec{
		Pods:       pods,
		Jobs:       of(2_000),
		Nodes:      of(500),
		Namespaces: of(100),

		CronJobs: of(200), DaemonSets: 8, Deployments: of(2_000), ReplicationControllers: of(40), StatefulSets: of(300),
		OldReplicaSets: 2,

		Services: of(2_600), Ingresses: of(600), IngressClasses: 2, NetworkPolicies: of(400),
		ConfigMaps: of(3_700), Secrets: of(3_662), ServiceAccounts: of(1_000),
		Claims: of(1_200), StorageClasses: 4,
		HorizontalPodAutoscalers: of(500), PodDisruptionBudgets: of(800),
		Roles: of(300), RoleBindings: of(500), ClusterRoles: of(100), ClusterRoleBindings: of(100),
		MutatingWebhooks: 10, ValidatingWebhooks: 10, MutatingAdmissionPolicies: 2, ValidatingAdmissionPolicies: 5,
		CertificateSigningRequests: of(50),
	}
}

// Total is the number of objects.
func (s Spec) Total() int {
	perNamespace := s.Namespaces * 3
	perNode := s.Nodes * 2
	workloads := s.Pods + 2*s.Jobs + s.CronJobs + s.DaemonSets + s.Deployments*(2+s.OldReplicaSets) + s.ReplicationControllers + s.StatefulSets
	network := 3*s.Services + s.Ingresses + s.IngressClasses + s.NetworkPolicies
	config := s.ConfigMaps + s.Secrets + s.ServiceAccounts
	storage := 3*s.Claims + s.StorageClasses
	policies := s.HorizontalPodAutoscalers + s.PodDisruptionBudgets
	access := s.Roles + s.RoleBindings + s.ClusterRoles + s.ClusterRoleBindings + s.CertificateSigningRequests
	admission := s.MutatingWebhooks + s.ValidatingWebhooks + 2*(s.MutatingAdmissionPolicies+s.ValidatingAdmissionPolicies)
	return perNamespace + perNode + workloads + network + config + storage + policies + access + admission
}
