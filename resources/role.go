package resources

import rbacv1 "k8s.io/api/rbac/v1"

func roles() Kind {
	return NewKind(definition[rbacv1.Role]{
		resource: rbacv1.SchemeGroupVersion.WithResource("roles"),
		optional: true,
		identity: namespaceAndName[rbacv1.Role]("role"),
		families: []family[rbacv1.Role]{
			annotationsFamily[rbacv1.Role](Alpha, "kube_role_annotations", "role"),
			labelsFamily[rbacv1.Role](Alpha, "kube_role_labels", "role"),
			gauge(Alpha, "kube_role_info", "Always 1, for each role.", func(r *rbacv1.Role, w *SampleWriter) { w.Value(1) }),
			createdFamily[rbacv1.Role](Alpha, "kube_role_created", "role"),
			resourceVersionFamily[rbacv1.Role](Alpha, "kube_role_metadata_resource_version", "role"),
		},
	})
}
