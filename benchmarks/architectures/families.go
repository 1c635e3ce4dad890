package architectures

import (
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// family is a metric family of pods or of jobs. emit is called with a value and the values of labels, in the order of
// labels.
type family struct {
	name   string
	labels []string
	pod    func(p *corev1.Pod, emit func(value float64, labels ...string)) // nil for jobs
	job    func(j *batchv1.Job, emit func(value float64, labels ...string))
}

// names returns the names of all families, to select them in statefleet, which has more.
func names() (all []string) {
	for _, f := range families() {
		all = append(all, f.name)
	}
	return all
}

func families() []family {
	of := func(name string, emit func(*corev1.Pod, func(float64, ...string)), labels ...string) family {
		return family{name: name, labels: append([]string{"namespace", "pod", "uid"}, labels...), pod: func(p *corev1.Pod, to func(float64, ...string)) {
			emit(p, func(value float64, labels ...string) {
				to(value, append([]string{p.Namespace, p.Name, string(p.UID)}, labels...)...)
			})
		}}
	}
	perContainer := func(value func(corev1.ContainerStatus) float64) func(*corev1.Pod, func(float64, ...string)) {
		return func(p *corev1.Pod, emit func(float64, ...string)) {
			for _, c := range p.Status.ContainerStatuses {
				emit(value(c), c.Name)
			}
		}
	}
	ofJob := func(name string, value func(*batchv1.Job) float64) family {
		return family{name: name, labels: []string{"namespace", "job_name"}, job: func(j *batchv1.Job, emit func(float64, ...string)) {
			emit(value(j), j.Namespace, j.Name)
		}}
	}
	return []family{
		of("kube_pod_info", func(p *corev1.Pod, emit func(float64, ...string)) {
			var kind, name string
			if owner := metav1.GetControllerOf(p); owner != nil {
				kind, name = owner.Kind, owner.Name
			}
			emit(1, p.Status.HostIP, p.Status.PodIP, p.Spec.NodeName, kind, name, p.Spec.PriorityClassName,
				strconv.FormatBool(p.Spec.HostNetwork))
		}, "host_ip", "pod_ip", "node", "created_by_kind", "created_by_name", "priority_class", "host_network"),
		of("kube_pod_created", func(p *corev1.Pod, emit func(float64, ...string)) {
			emit(float64(p.CreationTimestamp.Unix()))
		}),
		of("kube_pod_status_phase", func(p *corev1.Pod, emit func(float64, ...string)) {
			for _, phase := range []corev1.PodPhase{
				corev1.PodPending, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown, corev1.PodRunning,
			} {
				emit(truth(p.Status.Phase == phase), string(phase))
			}
		}, "phase"),
		of("kube_pod_container_status_ready", perContainer(func(c corev1.ContainerStatus) float64 { return truth(c.Ready) }), "container"),
		of("kube_pod_container_status_restarts_total", perContainer(func(c corev1.ContainerStatus) float64 { return float64(c.RestartCount) }), "container"),
		ofJob("kube_job_info", func(*batchv1.Job) float64 { return 1 }),
		ofJob("kube_job_created", func(j *batchv1.Job) float64 { return float64(j.CreationTimestamp.Unix()) }),
		ofJob("kube_job_status_active", func(j *batchv1.Job) float64 { return float64(j.Status.Active) }),
		ofJob("kube_job_status_succeeded", func(j *batchv1.Job) float64 { return float64(j.Status.Succeeded) }),
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
