package resources

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// podWorkload names the workload as a user knows it: the Deployment instead of its ReplicaSet, and the CronJob instead
// of its Job.
func podWorkload(p *corev1.Pod, w *SampleWriter) {
	kind, name := "Pod", p.Name
	var ownerKind, ownerName string
	for i := range p.OwnerReferences {
		if ref := &p.OwnerReferences[i]; isController(*ref) {
			ownerKind, ownerName = ref.Kind, ref.Name
			kind, name = workloadOf(ownerKind, ownerName, p.Labels[appsv1.DefaultDeploymentUniqueLabelKey])
			break
		}
	}
	w.Sample(1, "workload_kind", kind, "workload_name", name, "owner_kind", ownerKind, "owner_name", ownerName)
}

// workloadOf derives the owner of a pod's controller from the pod alone. A Deployment names a ReplicaSet by the hash of
// the template, which is a label of the pods. A CronJob names a Job by the minute for which it was scheduled.
func workloadOf(kind, name, templateHash string) (workloadKind, workloadName string) {
	switch kind {
	case "ReplicaSet":
		if rest, ok := strings.CutSuffix(name, templateHash); ok && templateHash != "" {
			if deployment, ok := strings.CutSuffix(rest, "-"); ok && deployment != "" {
				return "Deployment", deployment
			}
		}
	case "Job":
		if i := strings.LastIndexByte(name, '-'); i > 0 && isMinute(name[i+1:]) {
			return "CronJob", name[:i]
		}
	}
	return kind, name
}

// minuteDigits is the number of digits that the minutes since 1970 have had since 1989. A user chose a number with
// fewer digits.
const minuteDigits = 8

func isMinute(s string) bool {
	return len(s) >= minuteDigits && strings.Trim(s, "0123456789") == ""
}
