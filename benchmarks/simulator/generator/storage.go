package generator

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

func storageClass(i int) string { return []string{"standard", "fast", "archive", "shared"}[i] }

func (g *generator) putStorage() {
	g.putEach(g.spec.storageClasses, func(i int) simulator.Object {
		class := manifest[*storagev1.StorageClass](g, g.meta("", storageClass(i), nil))
		if i == 0 {
			class.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
		}
		return class
	})
	for i := range g.spec.claims {
		g.putClaim(i)
	}
}

// putClaim generates a claim, its volume and the volume's attachment. One claim in
// thirty is pending, and its volume is not bound.
func (g *generator) putClaim(i int) {
	class := storageClass(i % g.spec.storageClasses)
	size := corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(int64(10+i%90)<<30, resource.BinarySI)}
	labels := map[string]string{"app.kubernetes.io/name": appName(i)}
	meta := g.meta(g.namespace(i), fmt.Sprintf("data-%s-db-%d-0", appName(i), i), labels)
	claim := manifest[*corev1.PersistentVolumeClaim](g, meta)
	claim.Spec.StorageClassName, claim.Spec.Resources.Requests = &class, size
	name := "pvc-" + string(claim.UID)
	volume := manifest[*corev1.PersistentVolume](g, g.meta("", name, nil))
	volume.Spec.StorageClassName, volume.Spec.Capacity = class, size
	volume.Spec.CSI.VolumeHandle = fmt.Sprintf("vol-%017x", g.random.Uint64()>>4)
	bound := i%30 != 29
	if bound {
		claim.Spec.VolumeName = name
		claim.Status.Phase, claim.Status.AccessModes, claim.Status.Capacity = corev1.ClaimBound, claim.Spec.AccessModes, size
		volume.Spec.ClaimRef = &corev1.ObjectReference{
			Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
		}
		volume.Status.Phase = corev1.VolumeBound
	}
	claim.ManagedFields = managedFieldsOf("kube-controller-manager", "v1", claim.CreationTimestamp, claim)
	g.put(claim)
	g.put(volume)
	attachment := manifest[*storagev1.VolumeAttachment](g, g.meta("", "csi-"+g.randomHex(2), nil))
	attachment.Spec.NodeName, attachment.Spec.Source.PersistentVolumeName = g.randomNode().name, &name
	attachment.Status.Attached = bound
	g.put(attachment)
}
