package customresource

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// discoveryTimeout limits one request to the API server. Kinds that it does not know are requested again after
// minRetry, then after twice that time, up to maxRetry.
const (
	discoveryTimeout = 10 * time.Second
	minRetry         = 2 * time.Second
	maxRetry         = 5 * time.Minute
)

// discovery finds the API resources of kinds without a CustomResourceDefinition: built-in ones and those of aggregated
// APIs. It reads the same data as client-go's RESTMapper, which every service account may read, but only for the
// versions that entries name. It is not safe for concurrent use.
type discovery struct {
	client rest.Interface
	// pluralRequired leaves out entries without a resourcePlural, as kube-state-metrics does.
	pluralRequired bool

	known   map[schema.GroupVersionKind]Definition
	delay   time.Duration // until the unknown kinds are requested again
	retryAt time.Time     // zero if there are none
	failed  bool          // a request of the last find failed, so that a kind may exist although it is unknown
	// unwatchable are kinds that the API server has, but cannot list and watch.
	unwatchable []string
}

func newDiscovery(client rest.Interface, pluralRequired bool) *discovery {
	return &discovery{client: client, pluralRequired: pluralRequired, known: map[schema.GroupVersionKind]Definition{}}
}

func (d *discovery) due(now time.Time) bool { return !d.retryAt.IsZero() && now.After(d.retryAt) }

// find returns the definitions of the entries' kinds. A kind that the API server does not know is left
// out or, if an entry gives its plural, counts as namespaced for now.
func (d *discovery) find(ctx context.Context, entries []*entry) (all []Definition) {
	plurals := map[schema.GroupVersionKind]string{}
	var kinds []schema.GroupVersionKind
	for _, e := range entries {
		if !slices.Contains(kinds, e.gvk) {
			kinds = append(kinds, e.gvk)
		}
		plurals[e.gvk] = cmp.Or(plurals[e.gvk], e.plural)
	}
	lists := map[schema.GroupVersion][]metav1.APIResource{}
	isComplete := true
	d.unwatchable, d.failed = nil, false
	for _, gvk := range kinds {
		plural := plurals[gvk]
		if plural == "" && d.pluralRequired {
			continue
		}
		found, isKnown := d.known[gvk]
		if !isKnown {
			if _, fetched := lists[gvk.GroupVersion()]; !fetched {
				lists[gvk.GroupVersion()] = d.fetch(ctx, gvk.GroupVersion())
			}
			found, isKnown = d.pick(lists[gvk.GroupVersion()], gvk, plural)
		}
		switch {
		case isKnown:
			d.known[gvk] = found
		case plural != "":
			found = Definition{Group: gvk.Group, Kind: gvk.Kind, Plural: plural, Namespaced: true, Versions: []string{gvk.Version}}
		}
		isComplete = isComplete && isKnown
		if found.Plural != "" {
			all = append(all, found)
		}
	}
	if isComplete {
		d.delay, d.retryAt = 0, time.Time{}
	} else {
		d.delay = min(max(2*d.delay, minRetry), maxRetry)
		d.retryAt = time.Now().Add(d.delay)
	}
	return all
}

// fetch returns the API resources of a version, or none if the API server does not have it or the request fails. Only
// the latter sets failed.
func (d *discovery) fetch(ctx context.Context, gv schema.GroupVersion) []metav1.APIResource {
	ctx, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	path := []string{"/apis", gv.Group, gv.Version}
	if gv.Group == "" {
		path = []string{"/api", gv.Version}
	}
	body, err := d.client.Get().AbsPath(path...).SetHeader("Accept", runtime.ContentTypeJSON).DoRaw(ctx)
	var answer metav1.APIResourceList
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil {
		d.failed = d.failed || !apierrors.IsNotFound(err)
		return nil
	}
	return answer.APIResources
}

// pick returns the definition of a kind: the resource with the plural, or else the one of the kind that
// can be listed and watched.
func (d *discovery) pick(all []metav1.APIResource, gvk schema.GroupVersionKind, plural string) (Definition, bool) {
	define := func(r metav1.APIResource) Definition {
		return Definition{Group: gvk.Group, Kind: gvk.Kind, Plural: r.Name, Namespaced: r.Namespaced, Versions: []string{gvk.Version}}
	}
	ofKind := false
	for _, r := range all {
		switch {
		case plural != "" && r.Name == plural:
			return define(r), true
		case plural != "" || r.Kind != gvk.Kind || strings.Contains(r.Name, "/"):
		case slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch"):
			return define(r), true
		default:
			ofKind = true
		}
	}
	if ofKind {
		d.unwatchable = append(d.unwatchable, describe(gvk))
	}
	return Definition{}, false
}

// describe returns the name of a kind for messages.
func describe(gvk schema.GroupVersionKind) string {
	return gvk.GroupVersion().String() + " " + gvk.Kind
}
