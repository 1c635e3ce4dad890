package customresource

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// discoveryTimeout bounds one request to the API server; resources that it did not know are asked
// for again after discoveryRetry.
const (
	discoveryTimeout = 10 * time.Second
	discoveryRetry   = 30 * time.Second
)

// scopeResolver finds out whether API resources without a definition are namespaced. It asks the
// API server's discovery, which every service account may read. It is used by one goroutine.
type scopeResolver struct {
	client rest.Interface
	known  map[schema.GroupVersionKind]Definition
	retry  time.Time // when to ask for the unknown ones; zero when there are none
}

func newScopeResolver(client rest.Interface) *scopeResolver {
	return &scopeResolver{client: client, known: map[schema.GroupVersionKind]Definition{}}
}

func (s *scopeResolver) due(now time.Time) bool { return !s.retry.IsZero() && now.After(s.retry) }

// find returns a definition of each entry's resource. One that the API server does not know counts
// as namespaced for now.
func (s *scopeResolver) find(ctx context.Context, entries []*entry) []Definition {
	var all []Definition
	s.retry = time.Time{}
	for _, e := range entries {
		d, ok := s.known[e.gvk]
		if !ok {
			d = Definition{Group: e.gvk.Group, Kind: e.gvk.Kind, Plural: e.plural, Versions: []string{e.gvk.Version}}
			if d.Namespaced, ok = s.discover(ctx, e); ok {
				s.known[e.gvk] = d
			} else {
				s.retry = time.Now().Add(discoveryRetry)
			}
		}
		all = append(all, d)
	}
	return all
}

// discover reports whether the API server knows an entry's resource, and whether it is namespaced.
func (s *scopeResolver) discover(ctx context.Context, e *entry) (namespaced, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	body, err := s.client.Get().AbsPath("/apis", e.gvk.Group, e.gvk.Version).
		SetHeader("Accept", runtime.ContentTypeJSON).DoRaw(ctx)
	var answer metav1.APIResourceList
	if err != nil || json.Unmarshal(body, &answer) != nil {
		return true, false
	}
	at := slices.IndexFunc(answer.APIResources, func(r metav1.APIResource) bool { return r.Name == e.plural })
	if at < 0 {
		return true, false
	}
	return answer.APIResources[at].Namespaced, true
}
