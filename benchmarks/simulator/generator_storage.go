package simulator

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// storageClass names the i-th class, "standard" first.
func storageClass(i int) string {
	names := []string{"standard", "fast", "archive", "shared"}
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("class-%d", i)
}

const storageDriver = "ebs.csi.example.com"

func (g *generator) makeStorage() {
	for i := range g.spec.StorageClasses {
		reclaim, binding := corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingWaitForFirstConsumer
		class := &storagev1.StorageClass{
			ObjectMeta: g.meta("", storageClass(i), nil), Provisioner: storageDriver, ReclaimPolicy: &reclaim, VolumeBindingMode: &binding,
			Parameters: map[string]string{"type": "gp3"},
		}
		if i == 0 {
			class.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
		}
		g.put(class)
	}
	for i := range g.spec.Claims {
		g.putClaim(i)
	}
}

// putClaim makes a claim, its volume and the attachment of that. One claim in
// thirty still waits, with a volume that is for no one yet.
func (g *generator) putClaim(i int) {
	class := storageClass(i % max(1, g.spec.StorageClasses))
	size := corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(int64(10+i%90)<<30, resource.BinarySI)}
	modes, mode := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, corev1.PersistentVolumeFilesystem
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: g.meta(g.namespace(i), fmt.Sprintf("data-%s-db-%d-0", appName(i), i), map[string]string{"app.kubernetes.io/name": appName(i)}),
		Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: modes, StorageClassName: &class, VolumeMode: &mode, Resources: corev1.VolumeResourceRequirements{Requests: size}},
		Status:     corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
	name := "pvc-" + string(claim.UID)
	volume := &corev1.PersistentVolume{
		ObjectMeta: g.meta("", name, nil),
		Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: modes, PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete, StorageClassName: class, VolumeMode: &mode,
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: storageDriver, VolumeHandle: fmt.Sprintf("vol-%017x", g.random.Uint64()>>4), FSType: "ext4"}},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable},
	}
	if i%30 != 29 {
		claim.Spec.VolumeName = name
		claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, AccessModes: modes, Capacity: size}
		volume.Spec.ClaimRef = &corev1.ObjectReference{Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID}
		volume.Status.Phase = corev1.VolumeBound
	}
	claim.ManagedFields = []metav1.ManagedFieldsEntry{managed("kube-controller-manager", "v1", "", claim.CreationTimestamp, ownedFields(claim, "metadata", "spec"))}
	g.put(claim)
	g.put(volume)
	g.put(&storagev1.VolumeAttachment{
		ObjectMeta: g.meta("", fmt.Sprintf("csi-%016x%016x", g.random.Uint64(), g.random.Uint64()), nil),
		Spec:       storagev1.VolumeAttachmentSpec{Attacher: storageDriver, NodeName: g.anyNode().name, Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &name}},
		Status:     storagev1.VolumeAttachmentStatus{Attached: i%30 != 29},
	})
}
