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

// askTimeout bounds one question to the API server.
const askTimeout = 10 * time.Second

// scopes finds out whether API resources without a definition are namespaced.
// It asks the API server's discovery, which every service account may read. It
// is used by one goroutine.
type scopes struct {
	client rest.Interface
	known  map[schema.GroupVersionKind]Definition
	again  time.Time // when to ask for the rest; zero when there is none
}

func newScopes(client rest.Interface) *scopes {
	return &scopes{client: client, known: map[schema.GroupVersionKind]Definition{}}
}

func (s *scopes) due(now time.Time) bool { return !s.again.IsZero() && now.After(s.again) }

// find returns a definition of each entry's resource. Where the API server does
// not know it, it is taken to be namespaced, and asked for again later.
func (s *scopes) find(ctx context.Context, entries []*entry) []Definition {
	var all []Definition
	s.again = time.Time{}
	for _, e := range entries {
		d, ok := s.known[e.gvk]
		if !ok {
			if d, ok = s.ask(ctx, e); ok {
				s.known[e.gvk] = d
			}
		}
		if !ok {
			s.again = time.Now().Add(askAgainAfter)
			d = e.definition(true)
		}
		all = append(all, d)
	}
	return all
}

func (s *scopes) ask(ctx context.Context, e *entry) (Definition, bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	body, err := s.client.Get().AbsPath("/apis", e.gvk.Group, e.gvk.Version).
		SetHeader("Accept", runtime.ContentTypeJSON).DoRaw(ctx)
	if err != nil {
		return Definition{}, false
	}
	var answer metav1.APIResourceList
	if err := json.Unmarshal(body, &answer); err != nil {
		return Definition{}, false
	}
	at := slices.IndexFunc(answer.APIResources, func(r metav1.APIResource) bool { return r.Name == e.plural })
	if at < 0 {
		return Definition{}, false
	}
	return e.definition(answer.APIResources[at].Namespaced), true
}

// definition is that of a pinned entry.
func (e *entry) definition(namespaced bool) Definition {
	return Definition{
		Group: e.gvk.Group, Kind: e.gvk.Kind, Plural: e.plural,
		Namespaced: namespaced, Versions: []string{e.gvk.Version},
	}
}
