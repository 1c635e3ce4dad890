package resources

import rbacv1 "k8s.io/api/rbac/v1"

func clusterRoleBindings() Kind {
	return NewKind(definition[rbacv1.ClusterRoleBinding]{
		resource: rbacv1.SchemeGroupVersion.WithResource("clusterrolebindings"),
		optional: true,
		identity: nameOnly[rbacv1.ClusterRoleBinding]("clusterrolebinding"),
		reads:    `roleRef.kind roleRef.name`,
		families: []family[rbacv1.ClusterRoleBinding]{
			annotationsFamily[rbacv1.ClusterRoleBinding](Alpha, "kube_clusterrolebinding_annotations", "cluster role binding"),
			labelsFamily[rbacv1.ClusterRoleBinding](Alpha, "kube_clusterrolebinding_labels", "cluster role binding"),
			gauge(Alpha, "kube_clusterrolebinding_info", "Always 1; names the role that is granted.", func(b *rbacv1.ClusterRoleBinding, w *SampleWriter) {
				w.Sample(1, "roleref_kind", b.RoleRef.Kind, "roleref_name", b.RoleRef.Name)
			}),
			createdFamily[rbacv1.ClusterRoleBinding](Alpha, "kube_clusterrolebinding_created", "cluster role binding"),
			resourceVersionFamily[rbacv1.ClusterRoleBinding](Alpha, "kube_clusterrolebinding_metadata_resource_version", "cluster role binding"),
		},
	})
}
