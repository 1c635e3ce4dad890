package generator

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

const appsVersion = "apps/v1"

// withAppliedMetadata adds the metadata that helm, kubectl apply and a controller
// leave in a top-level object. It returns obj.
func (g *generator) withAppliedMetadata(obj simulator.Object, w *workload, revision int) simulator.Object {
	last, _ := json.Marshal(w.template.Spec.Containers) // API objects can always be encoded
	obj.SetGeneration(int64(revision))
	obj.SetAnnotations(map[string]string{
		"deployment.kubernetes.io/revision":                strconv.Itoa(revision),
		"meta.helm.sh/release-name":                        w.name,
		"meta.helm.sh/release-namespace":                   w.namespace,
		"kubectl.kubernetes.io/last-applied-configuration": fmt.Sprintf(`{"kind":%q,"spec":{"containers":%s}}`, w.kind, last),
	})
	spec := g.cachedFieldSet(w.shape, obj, "metadata", "spec")
	status := g.cachedFieldSet(w.shape+" status", obj, "status")
	obj.SetManagedFields([]metav1.ManagedFieldsEntry{
		managed("helm", w.apiVersion, "", obj.GetCreationTimestamp(), spec),
		managed("kube-controller-manager", w.apiVersion, "status", g.ago(g.within(1000*time.Hour)), status),
	})
	return obj
}

// podsLeft returns the number of pods of the spec that are not yet generated.
func (g *generator) podsLeft() int { return max(0, g.spec.pods-g.podsMade) }

func (g *generator) putDaemonSets() {
	onNodes := min(len(g.nodes), g.spec.pods/2/g.spec.daemonSets)
	for i := range g.spec.daemonSets {
		w := g.workload(i, g.namespace(1), fmt.Sprintf("agent-%s-%d", appName(i), i), appsVersion, "DaemonSet")
		all := int32(onNodes)
		set := manifest[*appsv1.DaemonSet](g, g.workloadMeta(w))
		set.Spec.Selector, set.Spec.Template = w.labelSelector(), w.template
		set.Status = appsv1.DaemonSetStatus{
			CurrentNumberScheduled: all, DesiredNumberScheduled: all, NumberReady: all, NumberAvailable: all,
			UpdatedNumberScheduled: all, ObservedGeneration: 1,
		}
		g.put(g.withAppliedMetadata(set, w, 1))
		for _, node := range g.nodes[:onNodes] {
			meta := g.ownedMeta(w, w.name+"-"+g.suffix(), w.ownerReference(set.ObjectMeta))
			meta.GenerateName = w.name + "-"
			g.put(g.pod(w, meta, node, podRunning))
		}
		g.podsMade += onNodes
	}
}

func (g *generator) putStatefulSets() {
	for i := range g.spec.statefulSets {
		w := g.workload(i, g.namespace(i), fmt.Sprintf("%s-db-%d", appName(i), i), appsVersion, "StatefulSet")
		pods := min(3+i%3, g.podsLeft())
		w.replicas = int32(pods)
		g.workloads = append(g.workloads, w)
		revision := w.name + "-" + g.randomText(10)
		set := manifest[*appsv1.StatefulSet](g, g.workloadMeta(w))
		set.Spec.Replicas, set.Spec.Selector, set.Spec.Template = &w.replicas, w.labelSelector(), w.template
		set.Spec.ServiceName = w.name
		set.Status = appsv1.StatefulSetStatus{
			ObservedGeneration: 3, Replicas: w.replicas, ReadyReplicas: w.replicas, CurrentReplicas: w.replicas,
			UpdatedReplicas: w.replicas, AvailableReplicas: w.replicas, CurrentRevision: revision, UpdateRevision: revision,
		}
		g.put(g.withAppliedMetadata(set, w, 3))
		for ordinal := range pods {
			meta := g.ownedMeta(w, numbered(w.name, ordinal), w.ownerReference(set.ObjectMeta))
			meta.GenerateName = w.name + "-"
			meta.Labels = maps.Clone(meta.Labels)
			meta.Labels["apps.kubernetes.io/pod-index"] = strconv.Itoa(ordinal)
			meta.Labels[appsv1.StatefulSetPodNameLabel] = meta.Name
			meta.Labels[appsv1.ControllerRevisionHashLabelKey] = revision
			g.put(g.pod(w, meta, g.randomNode(), podRunning))
		}
		g.podsMade += pods
	}
}

func (g *generator) putReplicationControllers() {
	for i := range g.spec.replicationControllers {
		w := g.workload(i, g.namespace(i+5), fmt.Sprintf("legacy-%s-%d", appName(i), i), "v1", "ReplicationController")
		g.choosePodStates(w, min(2, g.podsLeft()))
		controller := &corev1.ReplicationController{
			ObjectMeta: g.workloadMeta(w),
			Spec:       corev1.ReplicationControllerSpec{Replicas: &w.replicas, Selector: w.selector, Template: &w.template},
			Status: corev1.ReplicationControllerStatus{
				Replicas: w.replicas, FullyLabeledReplicas: w.replicas, ReadyReplicas: w.ready, AvailableReplicas: w.ready,
				ObservedGeneration: 1,
			},
		}
		g.put(g.withAppliedMetadata(controller, w, 1))
		g.putPods(w, w.name, w.ownerReference(controller.ObjectMeta), w.labels)
	}
}

// putDeployments generates Deployments, which share the remaining pods.
func (g *generator) putDeployments() {
	left := g.podsLeft()
	for i := range g.spec.deployments {
		w := g.workload(i, g.namespace(i), numbered(appName(i), i), appsVersion, "Deployment")
		pods := left / g.spec.deployments
		if i < left%g.spec.deployments {
			pods++
		}
		g.choosePodStates(w, pods)
		g.workloads = append(g.workloads, w)
		revision := g.spec.oldReplicaSets + 1
		deployment := g.deployment(w, revision)
		g.put(g.withAppliedMetadata(deployment, w, revision))
		owner := w.ownerReference(deployment.ObjectMeta)
		for old := 1; old < revision; old++ {
			g.put(g.replicaSet(w, owner, old))
		}
		current := g.replicaSet(w, owner, revision)
		current.Spec.Replicas = &w.replicas
		current.Status.Replicas, current.Status.FullyLabeledReplicas = w.replicas, w.replicas
		current.Status.ReadyReplicas, current.Status.AvailableReplicas = w.ready, w.ready
		g.put(current)
		g.putPods(w, current.Name, controllerReference(appsVersion, "ReplicaSet", current.ObjectMeta), current.Labels)
	}
}

func (g *generator) deployment(w *workload, revision int) *appsv1.Deployment {
	d := manifest[*appsv1.Deployment](g, g.workloadMeta(w))
	d.Spec.Replicas, d.Spec.Selector, d.Spec.Template = &w.replicas, w.labelSelector(), w.template
	changed := g.ago(g.within(100 * time.Hour))
	d.Status.ObservedGeneration = int64(revision)
	d.Status.Replicas, d.Status.UpdatedReplicas = w.replicas, w.replicas
	d.Status.ReadyReplicas, d.Status.AvailableReplicas = w.ready, w.ready
	d.Status.UnavailableReplicas = w.replicas - w.ready
	available, progressing := &d.Status.Conditions[0], &d.Status.Conditions[1]
	available.LastUpdateTime, available.LastTransitionTime = changed, changed
	progressing.LastUpdateTime, progressing.LastTransitionTime = changed, d.CreationTimestamp
	return d
}

// replicaSet generates one revision of a Deployment, with zero replicas.
func (g *generator) replicaSet(w *workload, owner metav1.OwnerReference, revision int) *appsv1.ReplicaSet {
	hash := g.randomText(10)
	hashed := func(labels map[string]string) map[string]string {
		labels = maps.Clone(labels)
		labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
		return labels
	}
	set := &appsv1.ReplicaSet{ObjectMeta: g.ownedMeta(w, w.name+"-"+hash, owner)}
	set.Labels = hashed(w.labels)
	set.Annotations = map[string]string{
		"deployment.kubernetes.io/desired-replicas": strconv.Itoa(int(w.replicas)),
		"deployment.kubernetes.io/revision":         strconv.Itoa(revision),
	}
	set.Generation = 1
	set.Spec = appsv1.ReplicaSetSpec{
		Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: hashed(w.selector)}, Template: w.template,
	}
	set.Status = appsv1.ReplicaSetStatus{ObservedGeneration: 1}
	return set
}
