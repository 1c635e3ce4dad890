package resources

import (
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
)

func leases() Kind {
	return NewKind(definition[coordinationv1.Lease]{
		resource: coordinationv1.SchemeGroupVersion.WithResource("leases"),
		// The namespace label comes after other labels, so the families write it.
		identity: identity[coordinationv1.Lease]{namespaced: true, set: func(l *coordinationv1.Lease, w *SampleWriter) {
			w.setIdentity("lease", l.Name)
		}},
		reads: `spec.holderIdentity spec.renewTime`,
		families: []family[coordinationv1.Lease]{
			gauge(Alpha, "kube_lease_owner", "Always 1; names an owner of the lease by kind and name, and who holds the lease.", leaseOwners),
			gauge(Alpha, "kube_lease_renew_time", "Time when the lease was last renewed, in unix seconds.", func(l *coordinationv1.Lease, w *SampleWriter) {
				if t := l.Spec.RenewTime; t != nil && !t.IsZero() {
					w.Int(t.Unix(), "namespace", l.Namespace)
				}
			}),
		},
	})
}

func leaseOwners(l *coordinationv1.Lease, w *SampleWriter) {
	holder := ptr.Deref(l.Spec.HolderIdentity, "")
	for _, ref := range ownersOrNone(l.OwnerReferences) {
		w.UniqueSample(1, "owner_kind", ref.Kind, "owner_name", ref.Name, "namespace", l.Namespace, "lease_holder", holder)
	}
}
