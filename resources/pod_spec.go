package resources

import (
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// podSpecFamilies are the families of the pod's spec.
func podSpecFamilies() []family[corev1.Pod] {
	return []family[corev1.Pod]{
		gauge(Alpha, "kube_pod_overhead_cpu_cores", "CPU that the pod takes beside that of its containers, in cores.", func(p *corev1.Pod, w *SampleWriter) {
			if q, ok := p.Spec.Overhead[corev1.ResourceCPU]; ok {
				w.Value(milliValue(q))
			}
		}),
		gauge(Alpha, "kube_pod_overhead_memory_bytes", "Memory that the pod takes beside that of its containers, in bytes.", func(p *corev1.Pod, w *SampleWriter) {
			if q, ok := p.Spec.Overhead[corev1.ResourceMemory]; ok {
				w.Value(wholeValue(q))
			}
		}),
		ownerFamily[corev1.Pod](Stable, "kube_pod_owner", "pod"),
		gauge(Alpha, "kube_pod_resourceclaim_info", "Always 1; names a resource claim of the pod, the object that it stands for and the template of that.", podResourceClaims),
		gauge(Stable, "kube_pod_restart_policy", "Always 1; names the restart policy of the pod.", func(p *corev1.Pod, w *SampleWriter) {
			w.Sample(1, "type", string(p.Spec.RestartPolicy))
		}),
		gauge(Alpha, "kube_pod_runtimeclass_name_info", "Always 1; names the runtime class of the pod.", func(p *corev1.Pod, w *SampleWriter) {
			if p.Spec.RuntimeClassName != nil {
				w.Sample(1, "runtimeclass_name", *p.Spec.RuntimeClassName)
			}
		}),
		gauge(Stable, "kube_pod_spec_volumes_persistentvolumeclaims_info", "Always 1; names a volume of the pod and its persistent volume claim.", func(p *corev1.Pod, w *SampleWriter) {
			podClaims(p, w, func(bool) float64 { return 1 })
		}),
		gauge(Stable, "kube_pod_spec_volumes_persistentvolumeclaims_readonly", "Whether the pod mounts the volume of the claim read-only, 1 or 0.", func(p *corev1.Pod, w *SampleWriter) {
			podClaims(p, w, boolValue)
		}),
	}
}

// podPlacementFamilies are the families about where the pod may run and with which service account.
func podPlacementFamilies() []family[corev1.Pod] {
	return []family[corev1.Pod]{
		gauge(Alpha, "kube_pod_tolerations", "Always 1; names a toleration of the pod.", podTolerations),
		optIn(withFields("spec.nodeSelector", gauge(Alpha, "kube_pod_nodeselectors", "Always 1; gives the pod's node selector as nodeselector_ labels.", func(p *corev1.Pod, w *SampleWriter) {
			w.mapSample("nodeselector_", p.Spec.NodeSelector, allowAll)
		}))),
		gauge(Alpha, "kube_pod_service_account", "Always 1; names the service account of the pod.", func(p *corev1.Pod, w *SampleWriter) {
			w.Sample(1, "service_account", p.Spec.ServiceAccountName)
		}),
		gauge(Alpha, "kube_pod_scheduler", "Always 1; names the scheduler that places the pod.", func(p *corev1.Pod, w *SampleWriter) {
			w.Sample(1, "name", p.Spec.SchedulerName)
		}),
	}
}

func podInfo(p *corev1.Pod, w *SampleWriter) {
	var kind, name string
	for i := range p.OwnerReferences {
		if ref := &p.OwnerReferences[i]; isController(*ref) {
			kind, name = ref.Kind, ref.Name
			break
		}
	}
	w.Sample(1,
		"host_ip", p.Status.HostIP,
		"pod_ip", p.Status.PodIP,
		"node", p.Spec.NodeName,
		"created_by_kind", kind,
		"created_by_name", name,
		"priority_class", p.Spec.PriorityClassName,
		"host_network", strconv.FormatBool(p.Spec.HostNetwork))
}

func podIPs(p *corev1.Pod, w *SampleWriter) {
	for i := range p.Status.PodIPs {
		ip := p.Status.PodIPs[i].IP
		addr, err := netip.ParseAddr(ip)
		switch {
		case err != nil || addr.Zone() != "":
			w.Skip()
		case addr.Is4() || addr.Is4In6():
			w.UniqueSample(1, "ip", ip, "ip_family", "4")
		default:
			w.UniqueSample(1, "ip", ip, "ip_family", "6")
		}
	}
}

func podResourceClaims(p *corev1.Pod, w *SampleWriter) {
	for _, c := range p.Spec.ResourceClaims {
		if c.ResourceClaimName == nil && c.ResourceClaimTemplateName == nil {
			continue
		}
		claim := c.ResourceClaimName
		if claim == nil {
			claim = generatedClaim(p, c.Name)
		}
		w.UniqueSample(1,
			"claim_name", c.Name,
			"resourceclaim_name", ptr.Deref(claim, ""),
			"resourceclaim_template_name", ptr.Deref(c.ResourceClaimTemplateName, ""))
	}
}

// generatedClaim returns the name of the claim that was created from a template, or nil if there is none yet.
func generatedClaim(p *corev1.Pod, name string) *string {
	for i := range p.Status.ResourceClaimStatuses {
		if s := &p.Status.ResourceClaimStatuses[i]; s.Name == name {
			return s.ResourceClaimName
		}
	}
	return nil
}

// podClaims appends a sample for each volume that is a persistent volume claim. The name of an ephemeral volume's claim
// follows from a rule (KEP-1698), not from a field.
func podClaims(p *corev1.Pod, w *SampleWriter, value func(readOnly bool) float64) {
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		switch {
		case v.PersistentVolumeClaim != nil:
			w.UniqueSample(value(v.PersistentVolumeClaim.ReadOnly),
				"volume", v.Name, "persistentvolumeclaim", v.PersistentVolumeClaim.ClaimName, "ephemeral", "false")
		case v.Ephemeral != nil:
			w.UniqueSample(value(false),
				"volume", v.Name, "persistentvolumeclaim", p.Name+"-"+v.Name, "ephemeral", "true")
		}
	}
}

// podTolerations appends each toleration once, because controllers add tolerations that a pod already has.
func podTolerations(p *corev1.Pod, w *SampleWriter) {
	for _, t := range p.Spec.Tolerations {
		w.SampleIfNew(1, "key", t.Key, "operator", string(t.Operator), "value", t.Value, "effect", string(t.Effect),
			"toleration_seconds", optionalNumber(t.TolerationSeconds))
	}
}
