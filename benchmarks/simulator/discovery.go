package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
)

// version answers /version, which is JSON whatever the client accepts.
func (a *answer) version() error {
	text, err := json.Marshal(version.Info{
		Major: "1", Minor: "37", GitVersion: "v1.37.2+simulated", GitTreeState: "clean",
		BuildDate: "2026-01-01T00:00:00Z", GoVersion: "go1.26", Compiler: "gc", Platform: "linux/amd64",
	})
	if err != nil {
		return err
	}
	a.head(http.StatusOK, runtime.ContentTypeJSON)
	_, _ = a.Write(text)
	return nil
}

// serveGroups answers /api and /apis.
func (h *handler) serveGroups(a *answer, path string) error {
	if path == "/api" {
		return a.message(http.StatusOK, metaKind("APIVersions"), &metav1.APIVersions{
			Versions: []string{"v1"}, ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{},
		})
	}
	return a.message(http.StatusOK, metaKind("APIGroupList"), &metav1.APIGroupList{Groups: h.groups()})
}

// serveGroup answers /apis/group; any other path is unknown.
func (h *handler) serveGroup(a *answer, path string) error {
	name, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), "/apis/")
	i := slices.IndexFunc(h.groups(), func(g metav1.APIGroup) bool { return g.Name == name })
	if !ok || i < 0 {
		return errUnknownPath()
	}
	return a.message(http.StatusOK, metaKind("APIGroup"), &h.groups()[i])
}

// groups are the named groups; each has one version here.
func (h *handler) groups() []metav1.APIGroup {
	var groups []metav1.APIGroup
	for _, kind := range h.kinds {
		known := func(g metav1.APIGroup) bool { return g.Name == kind.Group }
		if kind.Group == "" || slices.ContainsFunc(groups, known) {
			continue
		}
		v := metav1.GroupVersionForDiscovery{GroupVersion: kind.GroupVersion().String(), Version: kind.Version}
		groups = append(groups, metav1.APIGroup{Name: kind.Group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v})
	}
	return groups
}

// serveResources answers /api/v1 and /apis/group/version.
func (h *handler) serveResources(a *answer, at location) error {
	list := metav1.APIResourceList{GroupVersion: at.GroupVersion().String()}
	for _, kind := range h.kinds {
		if kind.GroupVersion() != at.GroupVersion() {
			continue
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: kind.Resource, SingularName: strings.ToLower(kind.Kind), Namespaced: kind.Namespaced,
			Kind: kind.Kind, Verbs: metav1.Verbs{"get", "list", "watch"},
		})
	}
	if list.APIResources == nil || len(at.rest) > 0 || at.namespace != "" {
		return errUnknownPath()
	}
	return a.message(http.StatusOK, metaKind("APIResourceList"), &list)
}
