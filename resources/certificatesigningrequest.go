package resources

import certificatesv1 "k8s.io/api/certificates/v1"

func certificateSigningRequests() Kind {
	return NewKind(definition[certificatesv1.CertificateSigningRequest]{
		resource: certificatesv1.SchemeGroupVersion.WithResource("certificatesigningrequests"),
		identity: identity[certificatesv1.CertificateSigningRequest]{set: func(r *certificatesv1.CertificateSigningRequest, w *SampleWriter) {
			w.setIdentity("certificatesigningrequest", r.Name, "signer_name", r.Spec.SignerName)
		}},
		reads: `spec.signerName status.conditions.type status.certificate`,
		families: []family[certificatesv1.CertificateSigningRequest]{
			annotationsFamily[certificatesv1.CertificateSigningRequest](Alpha, "kube_certificatesigningrequest_annotations", "request"),
			labelsFamily[certificatesv1.CertificateSigningRequest](Stable, "kube_certificatesigningrequest_labels", "request"),
			createdFamily[certificatesv1.CertificateSigningRequest](Stable, "kube_certificatesigningrequest_created", "request"),
			gauge(Stable, "kube_certificatesigningrequest_condition", "Number of the request's conditions that say it was approved or denied or has failed.", certificateConditions),
			withUnit(Bytes, gauge(Stable, "kube_certificatesigningrequest_cert_length", "Length of the certificate that was issued, in bytes; 0 before that.", func(r *certificatesv1.CertificateSigningRequest, w *SampleWriter) {
				w.Int(int64(len(r.Status.Certificate)))
			})),
		},
	})
}

// certificateConditions counts conditions by type. It ignores their status: a condition that is present is true.
func certificateConditions(r *certificatesv1.CertificateSigningRequest, w *SampleWriter) {
	var approved, denied, failed int64
	for i := range r.Status.Conditions {
		switch r.Status.Conditions[i].Type {
		case certificatesv1.CertificateApproved:
			approved++
		case certificatesv1.CertificateDenied:
			denied++
		case certificatesv1.CertificateFailed:
			failed++
		}
	}
	w.Int(approved, "condition", "approved")
	w.Int(denied, "condition", "denied")
	w.Int(failed, "condition", "failed")
}
