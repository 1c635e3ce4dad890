package simulator

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// discovery returns the discovery documents by path: /api, /apis, and the versions
// below them. Each group has one version.
func discovery(kinds []Kind) map[string]runtime.Object {
	typeMeta := func(kind string) metav1.TypeMeta { return metav1.TypeMeta{Kind: kind, APIVersion: "v1"} }
	groups := &metav1.APIGroupList{TypeMeta: typeMeta("APIGroupList")}
	documents := map[string]runtime.Object{
		"/api": &metav1.APIVersions{
			TypeMeta: typeMeta("APIVersions"), Versions: []string{"v1"},
			ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{},
		},
		"/apis": groups,
	}
	resources := map[string]*metav1.APIResourceList{}
	for _, kind := range kinds {
		gv := kind.GroupVersion().String()
		list := resources[gv]
		if list == nil {
			list = &metav1.APIResourceList{TypeMeta: typeMeta("APIResourceList"), GroupVersion: gv}
			resources[gv] = list
			path := "/api/" + gv
			if kind.Group != "" {
				path = "/apis/" + gv
				v := metav1.GroupVersionForDiscovery{GroupVersion: gv, Version: kind.Version}
				groups.Groups = append(groups.Groups, metav1.APIGroup{
					Name: kind.Group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v,
				})
			}
			documents[path] = list
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: kind.Resource, SingularName: strings.ToLower(kind.Kind), Namespaced: kind.Namespaced,
			Kind: kind.Kind, Verbs: metav1.Verbs{"get", "list", "watch"},
		})
	}
	return documents
}
