package simulator

import (
	"encoding/json"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
)

// serveVersion answers /version. The answer is JSON regardless of the Accept header.
func (r *response) serveVersion() error {
	text, err := json.Marshal(version.Info{
		Major: "1", Minor: "37", GitVersion: "v1.37.2+simulated", GitTreeState: "clean",
		BuildDate: "2026-01-01T00:00:00Z", GoVersion: "go1.26", Compiler: "gc", Platform: "linux/amd64",
	})
	if err != nil {
		return err
	}
	r.writeHeader(http.StatusOK, runtime.ContentTypeJSON)
	_, _ = r.Write(text)
	return nil
}

// discovery returns the discovery documents by path: /api, /apis, and the groups
// and versions below them. Each group has one version.
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
		path, gv := "/apis/"+kind.Group, kind.GroupVersion().String()
		if kind.Group == "" {
			path = "/api"
		} else if documents[path] == nil {
			v := metav1.GroupVersionForDiscovery{GroupVersion: gv, Version: kind.Version}
			versions := []metav1.GroupVersionForDiscovery{v}
			groups.Groups = append(groups.Groups, metav1.APIGroup{Name: kind.Group, Versions: versions, PreferredVersion: v})
			documents[path] = &metav1.APIGroup{
				TypeMeta: typeMeta("APIGroup"), Name: kind.Group, Versions: versions, PreferredVersion: v,
			}
		}
		path += "/" + kind.Version
		list := resources[path]
		if list == nil {
			list = &metav1.APIResourceList{TypeMeta: typeMeta("APIResourceList"), GroupVersion: gv}
			resources[path], documents[path] = list, list
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: kind.Resource, SingularName: strings.ToLower(kind.Kind), Namespaced: kind.Namespaced,
			Kind: kind.Kind, Verbs: metav1.Verbs{"get", "list", "watch"},
		})
	}
	return documents
}
