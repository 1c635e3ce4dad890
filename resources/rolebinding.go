package resources

import rbacv1 "k8s.io/api/rbac/v1"

func roleBindings() Kind {
	return NewKind(definition[rbacv1.RoleBinding]{
		resource: rbacv1.SchemeGroupVersion.WithResource("rolebindings"),
		optional: true,
		identity: namespaceAndName[rbacv1.RoleBinding]("rolebinding"),
		reads:    `roleRef.kind roleRef.name`,
		families: []family[rbacv1.RoleBinding]{
			annotationsFamily[rbacv1.RoleBinding](Alpha, "kube_rolebinding_annotations", "role binding"),
			labelsFamily[rbacv1.RoleBinding](Alpha, "kube_rolebinding_labels", "role binding"),
			gauge(Alpha, "kube_rolebinding_info", "Always 1; names the role that is granted.", func(b *rbacv1.RoleBinding, w *SampleWriter) {
				w.Sample(1, "roleref_kind", b.RoleRef.Kind, "roleref_name", b.RoleRef.Name)
			}),
			createdFamily[rbacv1.RoleBinding](Alpha, "kube_rolebinding_created", "role binding"),
			resourceVersionFamily[rbacv1.RoleBinding](Alpha, "kube_rolebinding_metadata_resource_version", "role binding"),
		},
	})
}
