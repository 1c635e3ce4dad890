package generator

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// workload has the common properties of the pods of one controller.
type workload struct {
	namespace, name string
	apiVersion      string
	kind            string
	selector        map[string]string
	labels          map[string]string // of the controller and its pods; they include the selector
	template        corev1.PodTemplateSpec
	replicas, ready int32
	states          []podState // of the pods

	shape   string          // workloads of one shape set the same fields
	podSpec *corev1.PodSpec // of all pods, computed for the first one
}

func (g *generator) workload(i int, namespace, name, apiVersion, kind string) *workload {
	selector := map[string]string{"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name + "-prod"}
	labels := map[string]string{
		"app.kubernetes.io/version":    version(i),
		"app.kubernetes.io/component":  pick(g, "api", "worker", "frontend", "cache"),
		"app.kubernetes.io/part-of":    appName(i % 20),
		"app.kubernetes.io/managed-by": "Helm",
		"team":                         team(i),
	}
	maps.Copy(labels, selector)
	w := &workload{
		namespace: namespace, name: name, apiVersion: apiVersion, kind: kind, selector: selector, labels: labels,
		shape: fmt.Sprintf("%s %d", kind, i%templateShapes),
	}
	w.template = g.template(i, w)
	return w
}

// labelSelector returns the workload's spec.selector.
func (w *workload) labelSelector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: w.selector}
}

func (g *generator) workloadMeta(w *workload) metav1.ObjectMeta {
	return g.meta(w.namespace, w.name, w.labels)
}

// ownedMeta returns the metadata of an object that owner controls.
func (g *generator) ownedMeta(w *workload, name string, owner metav1.OwnerReference) metav1.ObjectMeta {
	meta := g.meta(w.namespace, name, w.labels)
	meta.OwnerReferences = []metav1.OwnerReference{owner}
	return meta
}

// ownerReference returns a reference to the workload's controller, which has the given
// metadata.
func (w *workload) ownerReference(meta metav1.ObjectMeta) metav1.OwnerReference {
	return controllerReference(w.apiVersion, w.kind, meta)
}

func controllerReference(apiVersion, kind string, meta metav1.ObjectMeta) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: apiVersion, Kind: kind, Name: meta.Name, UID: meta.UID,
		Controller: new(true), BlockOwnerDeletion: new(true),
	}
}

// templateShapes is the period after which templates set the same fields again: the
// least common multiple of the moduli below that add or remove fields.
const templateShapes = 20

func (g *generator) template(i int, w *workload) corev1.PodTemplateSpec {
	template := manifest[*corev1.PodTemplate](g, metav1.ObjectMeta{}).Template
	template.Labels = w.labels
	template.Annotations["checksum/config"] = g.randomHex(2)
	restarted := g.ago(g.within(1000 * time.Hour)).UTC().Format("2006-01-02T15:04:05Z")
	template.Annotations["kubectl.kubernetes.io/restartedAt"] = restarted
	spec := &template.Spec
	spec.ServiceAccountName, spec.DeprecatedServiceAccount = w.name, w.name
	spec.Volumes[0].ConfigMap.Name = w.name

	app, sidecar, init := &spec.Containers[0], &spec.Containers[1], &spec.InitContainers[0]
	app.Image = fmt.Sprintf("registry.example.com/%s:%s", appName(i), version(i))
	app.Args = append(app.Args, fmt.Sprintf("--workers=%d", 2+i%7))
	app.Env = environment(w, 2+i%5)
	app.Resources = resources(i, 500, 1<<30)
	sidecar.Resources = resources(i+3, 100, 128<<20)
	init.Image = app.Image
	init.Env = environment(w, 2)
	init.Resources = resources(i+1, 50, 64<<20)
	if i%5 != 0 {
		spec.InitContainers = nil
	}
	if i%4 == 0 {
		spec.Containers = spec.Containers[:1]
	}
	return template
}

// environment returns POD_NAMESPACE and n further variables, one in four of them from a
// secret.
func environment(w *workload, n int) []corev1.EnvVar {
	names := []string{
		"LOG_LEVEL", "DATABASE_URL", "CACHE_ADDRESS", "QUEUE_TOPIC", "FEATURE_FLAGS_URL",
		"TRACE_ENDPOINT", "REGION", "MAX_CONNECTIONS", "RETRY_BUDGET", "API_TOKEN",
	}
	field := &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}
	env := []corev1.EnvVar{{Name: "POD_NAMESPACE", ValueFrom: &corev1.EnvVarSource{FieldRef: field}}}
	for i := range n {
		v := corev1.EnvVar{Name: names[i%len(names)], Value: fmt.Sprintf("%s-%d.%s.svc:443", w.name, i, w.namespace)}
		if i%4 == 1 {
			key := &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: w.name}, Key: v.Name}
			v.Value, v.ValueFrom = "", &corev1.EnvVarSource{SecretKeyRef: key}
		}
		env = append(env, v)
	}
	return env
}

func resources(i int, milliCPU, memory int64) corev1.ResourceRequirements {
	factor := int64(1 + i%4)
	return corev1.ResourceRequirements{
		Requests: cpuAndMemory(milliCPU*factor/2, memory*factor/2), Limits: cpuAndMemory(milliCPU*factor, memory*factor),
	}
}

func cpuAndMemory(milliCPU, memory int64) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(milliCPU, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
	}
}

// admittedPodSpec returns the template's spec with the fields that admission adds to
// each pod: a token, tolerations and a priority.
func (g *generator) admittedPodSpec(w *workload) corev1.PodSpec {
	spec, added := w.template.Spec, manifest[*corev1.Pod](g, metav1.ObjectMeta{}).Spec
	for _, containers := range []*[]corev1.Container{&spec.InitContainers, &spec.Containers} {
		*containers = slices.Clone(*containers)
		for i := range *containers {
			c := &(*containers)[i]
			c.VolumeMounts = slices.Concat(c.VolumeMounts, added.Containers[0].VolumeMounts)
		}
	}
	spec.Volumes = slices.Concat(spec.Volumes, added.Volumes)
	spec.Priority, spec.PreemptionPolicy = added.Priority, added.PreemptionPolicy
	spec.EnableServiceLinks, spec.Tolerations = added.EnableServiceLinks, added.Tolerations
	return spec
}
