package resources

import corev1 "k8s.io/api/core/v1"

func serviceAccounts() Kind {
	return NewKind(definition[corev1.ServiceAccount]{
		resource: corev1.SchemeGroupVersion.WithResource("serviceaccounts"),
		optional: true,
		identity: namespaceNameUID[corev1.ServiceAccount]("serviceaccount"),
		reads:    `automountServiceAccountToken secrets.name imagePullSecrets.name`,
		families: []family[corev1.ServiceAccount]{
			gauge(Alpha, "kube_serviceaccount_info", "Always 1; says whether pods get a token of the service account automatically.", func(a *corev1.ServiceAccount, w *SampleWriter) {
				w.Sample(1, "automount_token", optionalBool(a.AutomountServiceAccountToken))
			}),
			createdFamily[corev1.ServiceAccount](Alpha, "kube_serviceaccount_created", "service account"),
			deletionFamily[corev1.ServiceAccount](Alpha, "kube_serviceaccount_deleted", "service account"),
			gauge(Alpha, "kube_serviceaccount_secret", "Always 1; names a secret that the service account's pods may use.", func(a *corev1.ServiceAccount, w *SampleWriter) {
				for i := range a.Secrets {
					w.UniqueSample(1, "name", a.Secrets[i].Name)
				}
			}),
			gauge(Alpha, "kube_serviceaccount_image_pull_secret", "Always 1; names a secret with which the service account's pods pull images.", func(a *corev1.ServiceAccount, w *SampleWriter) {
				for i := range a.ImagePullSecrets {
					w.UniqueSample(1, "name", a.ImagePullSecrets[i].Name)
				}
			}),
			annotationsFamily[corev1.ServiceAccount](Alpha, "kube_serviceaccount_annotations", "service account"),
			labelsFamily[corev1.ServiceAccount](Alpha, "kube_serviceaccount_labels", "service account"),
		},
	})
}
