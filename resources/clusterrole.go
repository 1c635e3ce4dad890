package resources

import rbacv1 "k8s.io/api/rbac/v1"

func clusterRoles() Kind {
	return NewKind(definition[rbacv1.ClusterRole]{
		resource: rbacv1.SchemeGroupVersion.WithResource("clusterroles"),
		optional: true,
		identity: nameOnly[rbacv1.ClusterRole]("clusterrole"),
		families: []family[rbacv1.ClusterRole]{
			annotationsFamily[rbacv1.ClusterRole](Alpha, "kube_clusterrole_annotations", "cluster role"),
			labelsFamily[rbacv1.ClusterRole](Alpha, "kube_clusterrole_labels", "cluster role"),
			gauge(Alpha, "kube_clusterrole_info", "Always 1, for each cluster role.", func(r *rbacv1.ClusterRole, w *SampleWriter) { w.Value(1) }),
			createdFamily[rbacv1.ClusterRole](Alpha, "kube_clusterrole_created", "cluster role"),
			resourceVersionFamily[rbacv1.ClusterRole](Alpha, "kube_clusterrole_metadata_resource_version", "cluster role"),
		},
	})
}
