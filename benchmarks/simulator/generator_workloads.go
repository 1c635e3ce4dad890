package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const appsVersion = "apps/v1"

// applied adds what kubectl apply and a controller leave in the metadata of a
// top-level object.
func (g *generator) applied(meta *metav1.ObjectMeta, w *workload, revision int, obj Object) {
	last, err := json.Marshal(w.template.Spec.Containers)
	if err != nil {
		last = nil
	}
	meta.Generation = int64(revision)
	meta.Annotations = map[string]string{
		"deployment.kubernetes.io/revision":                strconv.Itoa(revision),
		"meta.helm.sh/release-name":                        w.name,
		"meta.helm.sh/release-namespace":                   w.namespace,
		"kubectl.kubernetes.io/last-applied-configuration": fmt.Sprintf(`{"kind":%q,"spec":{"containers":%s}}`, w.kind, last),
	}
	setFields := g.fields(w.shape, func() *metav1.FieldsV1 { return ownedFields(obj, "metadata", "spec") })
	statusFields := g.fields(w.shape+" status", func() *metav1.FieldsV1 { return ownedFields(obj, "status") })
	meta.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("helm", w.apiVersion, "", meta.CreationTimestamp, setFields),
		managed("kube-controller-manager", w.apiVersion, "status", g.ago(g.within(1000*time.Hour)), statusFields),
	}
}

func (g *generator) makeDaemonSets() {
	if g.spec.DaemonSets == 0 {
		return
	}
	onNodes := min(len(g.nodes), g.spec.Pods/2/g.spec.DaemonSets)
	for i := range g.spec.DaemonSets {
		w := g.workload(i, g.namespace(1), fmt.Sprintf("agent-%s-%d", appName(i), i), appsVersion, "DaemonSet")
		set := &appsv1.DaemonSet{
			ObjectMeta: g.meta(w.namespace, w.name, w.labels),
			Spec:       appsv1.DaemonSetSpec{Selector: w.labelSelector(), Template: w.template, UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType}},
		}
		all := int32(onNodes)
		set.Status = appsv1.DaemonSetStatus{
			CurrentNumberScheduled: all, DesiredNumberScheduled: all, NumberReady: all, NumberAvailable: all, UpdatedNumberScheduled: all, ObservedGeneration: 1,
		}
		g.applied(&set.ObjectMeta, w, 1, set)
		g.put(set)
		owner := controlledBy(appsVersion, "DaemonSet", set.ObjectMeta)
		for _, node := range g.nodes[:onNodes] {
			meta := g.owned(w, w.name+"-"+g.suffix(), owner)
			meta.GenerateName = w.name + "-"
			g.put(g.pod(w, meta, node, podRunning))
		}
		g.podsMade += onNodes
	}
}

func (g *generator) makeStatefulSets() {
	for i := range g.spec.StatefulSets {
		w := g.workload(i, g.namespace(i), fmt.Sprintf("%s-db-%d", appName(i), i), appsVersion, "StatefulSet")
		n := min(3+i%3, max(0, g.spec.Pods-g.podsMade))
		w.replicas = int32(n)
		g.workloads = append(g.workloads, w)
		revision := w.name + "-" + randomSuffix(g.random, 10)
		set := &appsv1.StatefulSet{
			ObjectMeta: g.meta(w.namespace, w.name, w.labels),
			Spec: appsv1.StatefulSetSpec{
				Replicas: &w.replicas, Selector: w.labelSelector(), Template: w.template, ServiceName: w.name, PodManagementPolicy: appsv1.OrderedReadyPodManagement,
				PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
					WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType, WhenScaled: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
				},
			},
			Status: appsv1.StatefulSetStatus{
				ObservedGeneration: 3, Replicas: w.replicas, ReadyReplicas: w.replicas, CurrentReplicas: w.replicas, UpdatedReplicas: w.replicas,
				AvailableReplicas: w.replicas, CurrentRevision: revision, UpdateRevision: revision,
			},
		}
		g.applied(&set.ObjectMeta, w, 3, set)
		g.put(set)
		owner := controlledBy(appsVersion, "StatefulSet", set.ObjectMeta)
		for ordinal := range n {
			meta := g.owned(w, fmt.Sprintf("%s-%d", w.name, ordinal), owner)
			meta.GenerateName = w.name + "-"
			meta.Labels = maps.Clone(meta.Labels)
			meta.Labels["apps.kubernetes.io/pod-index"] = strconv.Itoa(ordinal)
			meta.Labels[appsv1.StatefulSetPodNameLabel], meta.Labels[appsv1.ControllerRevisionHashLabelKey] = meta.Name, revision
			g.put(g.pod(w, meta, g.anyNode(), podRunning))
		}
		g.podsMade += n
	}
}

func (g *generator) makeReplicationControllers() {
	for i := range g.spec.ReplicationControllers {
		w := g.workload(i, g.namespace(i+5), fmt.Sprintf("legacy-%s-%d", appName(i), i), "v1", "ReplicationController")
		g.plan(w, min(2, max(0, g.spec.Pods-g.podsMade)))
		controller := &corev1.ReplicationController{
			ObjectMeta: g.meta(w.namespace, w.name, w.labels),
			Spec:       corev1.ReplicationControllerSpec{Replicas: &w.replicas, Selector: w.selector, Template: &w.template},
			Status: corev1.ReplicationControllerStatus{
				Replicas: w.replicas, FullyLabeledReplicas: w.replicas, ReadyReplicas: w.ready, AvailableReplicas: w.ready, ObservedGeneration: 1,
			},
		}
		g.applied(&controller.ObjectMeta, w, 1, controller)
		g.put(controller)
		g.replicaPods(w, w.name, controlledBy("v1", "ReplicationController", controller.ObjectMeta), w.labels)
	}
}

func (g *generator) makeDeployments() {
	left := max(0, g.spec.Pods-g.podsMade)
	if g.spec.Deployments == 0 {
		g.bare(left)
		return
	}
	for i := range g.spec.Deployments {
		w := g.workload(i, g.namespace(i), fmt.Sprintf("%s-%d", appName(i), i), appsVersion, "Deployment")
		g.plan(w, share(left, g.spec.Deployments, i))
		g.workloads = append(g.workloads, w)
		revision := g.spec.OldReplicaSets + 1
		deployment := g.deployment(w, revision)
		g.put(deployment)
		owner := controlledBy(appsVersion, "Deployment", deployment.ObjectMeta)
		for old := 1; old < revision; old++ {
			g.put(g.replicaSet(w, owner, old))
		}
		current := g.replicaSet(w, owner, revision)
		current.Spec.Replicas = &w.replicas
		current.Status.Replicas, current.Status.FullyLabeledReplicas = w.replicas, w.replicas
		current.Status.ReadyReplicas, current.Status.AvailableReplicas = w.ready, w.ready
		g.put(current)
		g.replicaPods(w, current.Name, controlledBy(appsVersion, "ReplicaSet", current.ObjectMeta), current.Labels)
	}
}

func (g *generator) deployment(w *workload, revision int) *appsv1.Deployment {
	history, deadline := int32(10), int32(600)
	surge, unavailable := intstr.FromString("25%"), intstr.FromInt32(1)
	d := &appsv1.Deployment{
		ObjectMeta: g.meta(w.namespace, w.name, w.labels),
		Spec: appsv1.DeploymentSpec{
			Replicas: &w.replicas, Selector: w.labelSelector(), Template: w.template, RevisionHistoryLimit: &history, ProgressDeadlineSeconds: &deadline,
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable},
			},
		},
	}
	changed := g.ago(g.within(100 * time.Hour))
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: int64(revision), Replicas: w.replicas, UpdatedReplicas: w.replicas, ReadyReplicas: w.ready, AvailableReplicas: w.ready,
		UnavailableReplicas: w.replicas - w.ready,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable", Message: "Deployment has minimum availability.", LastUpdateTime: changed, LastTransitionTime: changed},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable", Message: "ReplicaSet has successfully progressed.", LastUpdateTime: changed, LastTransitionTime: d.CreationTimestamp},
		},
	}
	g.applied(&d.ObjectMeta, w, revision, d)
	return d
}

// replicaSet makes one revision of a Deployment, scaled to nothing.
func (g *generator) replicaSet(w *workload, owner metav1.OwnerReference, revision int) *appsv1.ReplicaSet {
	hash := randomSuffix(g.random, 10)
	none := int32(0)
	set := &appsv1.ReplicaSet{ObjectMeta: g.owned(w, w.name+"-"+hash, owner)}
	set.Labels = maps.Clone(w.labels)
	set.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	selector := maps.Clone(w.selector)
	selector[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	set.Annotations = map[string]string{
		"deployment.kubernetes.io/desired-replicas": strconv.Itoa(int(w.replicas)), "deployment.kubernetes.io/revision": strconv.Itoa(revision),
	}
	set.Generation = 1
	set.Spec = appsv1.ReplicaSetSpec{Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: selector}, Template: w.template}
	set.Status = appsv1.ReplicaSetStatus{ObservedGeneration: 1}
	return set
}

// bare makes pods that nothing owns.
func (g *generator) bare(n int) {
	for i := range n {
		w := g.workload(i, g.namespace(i), fmt.Sprintf("bare-%s-%d", appName(i), i), "v1", "Pod")
		g.put(g.pod(w, g.meta(w.namespace, w.name, w.labels), g.anyNode(), podRunning))
	}
	g.podsMade += n
}
