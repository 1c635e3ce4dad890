package simulator

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// workload is what the pods of one controller have in common.
type workload struct {
	namespace, name string
	apiVersion      string
	kind            string
	selector        map[string]string
	labels          map[string]string // of the pods as well, with the selector
	template        corev1.PodTemplateSpec
	replicas, ready int32
	states          []podState // of the pods

	shape   string          // workloads of one shape set the same fields
	podSpec *corev1.PodSpec // of all pods, from the first one made
}

func (g *generator) workload(i int, namespace, name, apiVersion, kind string) *workload {
	selector := map[string]string{"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name + "-prod"}
	labels := map[string]string{
		"app.kubernetes.io/version":    fmt.Sprintf("v%d.%d.%d", 1+i%4, i%23, i%11),
		"app.kubernetes.io/component":  pick(g, "api", "worker", "frontend", "cache"),
		"app.kubernetes.io/part-of":    appName(i % 20),
		"app.kubernetes.io/managed-by": "Helm",
		"team":                         fmt.Sprintf("team-%d", i%17),
	}
	maps.Copy(labels, selector)
	w := &workload{namespace: namespace, name: name, apiVersion: apiVersion, kind: kind, selector: selector, labels: labels}
	w.shape = fmt.Sprintf("%s %d", kind, i%templateShapes)
	w.template = g.template(i, w)
	return w
}

// labelSelector is the workload's spec.selector.
func (w *workload) labelSelector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: w.selector}
}

// owned is the metadata of something that owner controls.
func (g *generator) owned(w *workload, name string, owner metav1.OwnerReference) metav1.ObjectMeta {
	meta := g.meta(w.namespace, name, w.labels)
	meta.OwnerReferences = []metav1.OwnerReference{owner}
	return meta
}

func controlledBy(apiVersion, kind string, meta metav1.ObjectMeta) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: meta.Name, UID: meta.UID, Controller: &yes, BlockOwnerDeletion: &yes}
}

// templateShapes is after how many templates the containers and their fields
// repeat: the least common multiple of the moduli below.
const templateShapes = 20

func (g *generator) template(i int, w *workload) corev1.PodTemplateSpec {
	grace, uid, yes := int64(30), int64(10001), true
	spec := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: w.labels, Annotations: map[string]string{
			"checksum/config":                   fmt.Sprintf("%016x%016x", g.random.Uint64(), g.random.Uint64()),
			"prometheus.io/scrape":              "true",
			"kubectl.kubernetes.io/restartedAt": g.ago(g.within(1000 * time.Hour)).UTC().Format("2006-01-02T15:04:05Z"),
		}},
		Spec: corev1.PodSpec{
			Containers:                    []corev1.Container{g.appContainer(i, w)},
			Volumes:                       volumes(w),
			RestartPolicy:                 corev1.RestartPolicyAlways,
			TerminationGracePeriodSeconds: &grace,
			DNSPolicy:                     corev1.DNSClusterFirst,
			ServiceAccountName:            w.name,
			DeprecatedServiceAccount:      w.name,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsUser: &uid, RunAsGroup: &uid, RunAsNonRoot: &yes, FSGroup: &uid,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
			SchedulerName:    corev1.DefaultSchedulerName,
		},
	}
	if i%5 == 0 {
		spec.Spec.InitContainers = []corev1.Container{g.initContainer(i, w)}
	}
	if i%4 > 0 {
		spec.Spec.Containers = append(spec.Spec.Containers, g.sidecar(i))
	}
	return spec
}

func image(i int) string {
	return fmt.Sprintf("registry.example.com/%s:v%d.%d.%d", appName(i), 1+i%4, i%23, i%11)
}

func (g *generator) appContainer(i int, w *workload) corev1.Container {
	return corev1.Container{
		Name:  "app",
		Image: image(i),
		Args:  []string{"serve", "--config=/etc/app/config.yaml", "--log.format=json", fmt.Sprintf("--workers=%d", 2+i%7)},
		Ports: []corev1.ContainerPort{
			{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}, {Name: "grpc", ContainerPort: 9090, Protocol: corev1.ProtocolTCP},
		},
		Env:       environment(w, 2+i%5),
		Resources: g.resources(i, 500, 1<<30),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: "/etc/app", ReadOnly: true}, {Name: "cache", MountPath: "/var/cache/app"},
		},
		LivenessProbe:            probe("/healthz", 10, 10),
		ReadinessProbe:           probe("/readyz", 5, 5),
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		SecurityContext:          restricted(),
	}
}

func (g *generator) sidecar(i int) corev1.Container {
	return corev1.Container{
		Name:                     "mesh-proxy",
		Image:                    "registry.example.com/mesh/proxy:1.31.2",
		Args:                     []string{"proxy", "sidecar", "--concurrency=2", "--drain-seconds=45"},
		Ports:                    []corev1.ContainerPort{{Name: "mesh-metrics", ContainerPort: 15090, Protocol: corev1.ProtocolTCP}},
		Env:                      []corev1.EnvVar{fromField("POD_NAME", "metadata.name")},
		Resources:                g.resources(i+3, 100, 128<<20),
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		SecurityContext:          restricted(),
	}
}

func (g *generator) initContainer(i int, w *workload) corev1.Container {
	return corev1.Container{
		Name: "migrate", Image: image(i), Args: []string{"migrate", "--wait"}, Env: environment(w, 2),
		Resources:                g.resources(i+1, 50, 64<<20),
		VolumeMounts:             []corev1.VolumeMount{{Name: "config", MountPath: "/etc/app", ReadOnly: true}},
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		SecurityContext:          restricted(),
	}
}

// environment has n plain variables, one in four of them from a secret.
func environment(w *workload, n int) []corev1.EnvVar {
	names := []string{"LOG_LEVEL", "DATABASE_URL", "CACHE_ADDRESS", "QUEUE_TOPIC", "FEATURE_FLAGS_URL", "TRACE_ENDPOINT", "REGION", "MAX_CONNECTIONS", "RETRY_BUDGET", "API_TOKEN"}
	env := []corev1.EnvVar{fromField("POD_NAMESPACE", "metadata.namespace")}
	for i := range n {
		v := corev1.EnvVar{Name: names[i%len(names)], Value: fmt.Sprintf("%s-%d.%s.svc:443", w.name, i, w.namespace)}
		if i%4 == 1 {
			v.Value, v.ValueFrom = "", &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: w.name}, Key: names[i%len(names)],
			}}
		}
		env = append(env, v)
	}
	return env
}

func fromField(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
}

func (g *generator) resources(i int, milliCPU, memory int64) corev1.ResourceRequirements {
	factor := int64(1 + i%4)
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewMilliQuantity(milliCPU*factor/2, resource.DecimalSI),
			corev1.ResourceMemory: *resource.NewQuantity(memory*factor/2, resource.BinarySI),
		},
		Limits: corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewMilliQuantity(milliCPU*factor, resource.DecimalSI),
			corev1.ResourceMemory: *resource.NewQuantity(memory*factor, resource.BinarySI),
		},
	}
}

func probe(path string, delay, period int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http"), Scheme: corev1.URISchemeHTTP}},
		InitialDelaySeconds: delay, TimeoutSeconds: 2, PeriodSeconds: period, SuccessThreshold: 1, FailureThreshold: 3,
	}
}

func restricted() *corev1.SecurityContext {
	no, yes := false, true
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
	}
}

func volumes(w *workload) []corev1.Volume {
	mode := int32(420)
	return []corev1.Volume{
		{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: w.name}, DefaultMode: &mode}}},
		{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
}

// admitted is the template's spec with what admission adds to each pod: a
// token, tolerations and a priority.
func (w *workload) admitted() corev1.PodSpec {
	spec := w.template.Spec
	const token = "kube-api-access"
	mounted := func(containers []corev1.Container) []corev1.Container {
		containers = slices.Clone(containers)
		for i := range containers {
			containers[i].VolumeMounts = append(slices.Clone(containers[i].VolumeMounts),
				corev1.VolumeMount{Name: token, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true})
		}
		return containers
	}
	spec.InitContainers, spec.Containers = mounted(spec.InitContainers), mounted(spec.Containers)
	mode, expiry := int32(420), int64(3607)
	spec.Volumes = append(slices.Clone(spec.Volumes), corev1.Volume{
		Name: token, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{DefaultMode: &mode, Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: &expiry, Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}, Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
		}}},
	})
	priority, preempt, links, grace := int32(0), corev1.PreemptLowerPriority, true, int64(300)
	spec.Priority, spec.PreemptionPolicy, spec.EnableServiceLinks = &priority, &preempt, &links
	spec.Tolerations = []corev1.Toleration{
		{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &grace},
		{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &grace},
	}
	return spec
}
