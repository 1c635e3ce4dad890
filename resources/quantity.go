package resources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// unitOfResource returns the unit label of a resource of containers and nodes; "" for names without a meaning in
// Kubernetes.
func unitOfResource(name corev1.ResourceName) string {
	switch name {
	case corev1.ResourceCPU:
		return "core"
	case corev1.ResourceMemory, corev1.ResourceStorage, corev1.ResourceEphemeralStorage:
		return "byte"
	}
	s := string(name)
	switch {
	case strings.HasPrefix(s, corev1.ResourceHugePagesPrefix), strings.HasPrefix(s, corev1.ResourceAttachableVolumesPrefix):
		return "byte"
	case strings.HasPrefix(s, corev1.DefaultResourceRequestsPrefix):
		return "" // the name of an extended resource in a quota
	case strings.Contains(s, "/") && !strings.Contains(s, corev1.ResourceDefaultNamespacePrefix):
		return "integer"
	}
	return ""
}

// resourceLabel returns the value of the resource label: characters that a label name cannot contain become
// underscores.
func resourceLabel(name corev1.ResourceName) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, string(name))
}

// milliValue is the quantity rounded up to 1/1000, or to a whole number if it is too large for that precision.
func milliValue(q resource.Quantity) float64 {
	if whole := q.Value(); whole > resource.MaxMilliValue {
		return float64(whole)
	}
	return float64(q.MilliValue()) / 1000
}

// wholeValue is the quantity rounded up to a whole number.
func wholeValue(q resource.Quantity) float64 { return float64(q.Value()) }

// amounts appends the amounts of the resources that containers can have, cores with a precision of 1/1000. The labels
// resource and unit follow the given ones.
func (w *SampleWriter) amounts(list corev1.ResourceList, labels ...string) {
	var buf [8]string
	for name, quantity := range sorted(w, list) {
		unit := unitOfResource(name)
		if unit == "" {
			continue
		}
		amount := wholeValue(quantity)
		if unit == "core" {
			amount = milliValue(quantity)
		}
		w.UniqueSample(amount, append(append(buf[:0], labels...), "resource", resourceLabel(name), "unit", unit)...)
	}
}
