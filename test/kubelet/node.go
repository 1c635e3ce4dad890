package kubelet

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// bind binds the pod to its node, as the scheduler would.
func (p *pod) bind(ctx context.Context) {
	if p.spec.Spec.NodeName != "" {
		return
	}
	p.spec.Spec.NodeName = p.nodeName()
	bound := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: p.spec.Name, UID: p.spec.UID}, Target: corev1.ObjectReference{Kind: "Node", Name: p.nodeName()}}
	p.retry(ctx, func() error {
		return p.k.o.Client.CoreV1().Pods(p.spec.Namespace).Bind(ctx, bound, metav1.CreateOptions{})
	})
}

// nodeName returns the node that the node affinity of a DaemonSet's pod names, and Options.Node for other pods.
func (p *pod) nodeName() string {
	affinity := p.spec.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return p.k.o.Node
	}
	for _, term := range affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == metav1.ObjectNameField && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return p.k.o.Node
}
