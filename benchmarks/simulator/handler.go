package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metainternalversionscheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
	metainternalversionvalidation "k8s.io/apimachinery/pkg/apis/meta/internalversion/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// handler answers HTTP requests and counts what it serves.
type handler struct {
	*Cluster
	traffic Traffic
	shards  atomic.Bool // the shardSelector parameter is honoured
	rehash  bool        // shard with another hash than clients expect
}

func (c *Cluster) newHandler() *handler {
	h := &handler{Cluster: c}
	h.shards.Store(c.options.ShardSelector)
	return h
}

// Handler returns a handler of the API at the root path, for callers that run
// their own HTTP server.
func (c *Cluster) Handler() http.Handler { return c.newHandler() }

// HandlerWithOtherHash returns a handler that honours the shardSelector parameter,
// but with another hash than clients expect.
func (c *Cluster) HandlerWithOtherHash() http.Handler {
	h := c.newHandler()
	h.shards.Store(true)
	h.rehash = true
	return h
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	response := newResponse(w)
	defer response.end()
	response.encoding, _ = negotiate(h.encodings, "") // for an error before the negotiation
	if err := h.serve(response, r); err != nil {
		response.fail(err)
	}
}

func (h *handler) serve(response *response, r *http.Request) error {
	switch r.URL.Path {
	case "/readyz", "/livez", "/healthz":
		response.writeHeader(http.StatusOK, "text/plain; charset=utf-8")
		_, _ = response.WriteString("ok")
		return nil
	case "/version": // in JSON regardless of the Accept header
		response.writeHeader(http.StatusOK, runtime.ContentTypeJSON)
		return json.NewEncoder(response).Encode(version.Info{Major: "1", Minor: "37", GitVersion: "v1.37.2+simulated"})
	}
	encoding, ok := negotiate(h.encodings, r.Header.Get("Accept"))
	if !ok {
		return errNotAcceptable()
	}
	response.encoding = encoding
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return h.serveWrite(response, r)
	}
	if document := h.discovery[strings.TrimSuffix(r.URL.Path, "/")]; document != nil {
		return response.document(http.StatusOK, document)
	}
	t, ok := h.parseTarget(r.URL.Path)
	if !ok {
		return errUnknownPath()
	}
	return h.serveResource(response, r, t)
}

// serveResource answers get, list and watch.
func (h *handler) serveResource(response *response, r *http.Request, t target) error {
	options, err := parseListOptions(r, !h.options.NoWatchList)
	if err != nil {
		return err
	}
	if list := t.key.name == "" && !options.Watch; !response.encoding.fits(list) {
		response.encoding.as = ""
		return errNotAcceptable()
	}
	response.traffic = &h.traffic
	if t.key.name != "" && !options.Watch {
		h.traffic.Gets.Add(1)
		stored, err := t.get(t.key)
		if err != nil {
			return err
		}
		return response.object(stored)
	}
	selected, err := newSelector(t.kind, t.key, options, h.shards.Load())
	if err != nil {
		return err
	}
	selected.shard.rehash = h.rehash
	if options.Watch {
		h.traffic.Watches.Add(1)
		w := watcher{
			storage: t.storage, selected: selected, options: options, response: response, bookmarks: h.options.BookmarkInterval,
		}
		return w.run(r.Context(), *h.closing.Load())
	}
	h.traffic.Lists.Add(1)
	meta, items, err := t.list(selected, options)
	if err != nil {
		return err
	}
	list, err := response.encoding.convertList(t.kind, meta, items)
	if err != nil {
		return err
	}
	return response.document(http.StatusOK, list)
}

// target is the resource or the object that the path of a request names.
type target struct {
	*storage
	key objectKey // for a list, the name or both parts are empty
}

// parseTarget parses the paths of resources: /api/v1/… and /apis/group/version/….
// ok is false for every other path, and for resources that are not served.
func (c *Cluster) parseTarget(path string) (t target, ok bool) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	var gvr schema.GroupVersionResource
	switch {
	case segments[0] == "api" && len(segments) > 2:
		gvr.Version, segments = segments[1], segments[2:]
	case segments[0] == "apis" && len(segments) > 3:
		gvr.Group, gvr.Version, segments = segments[1], segments[2], segments[3:]
	default:
		return t, false
	}
	if len(segments) >= 3 && segments[0] == "namespaces" {
		t.key.namespace, segments = segments[1], segments[2:]
	}
	gvr.Resource, segments = segments[0], segments[1:]
	if len(segments) > 0 {
		t.key.name, segments = segments[0], segments[1:]
	}
	if t.storage = c.storages[gvr]; t.storage == nil || len(segments) > 0 {
		return t, false
	}
	inNamespace := t.key.namespace != ""
	return t, inNamespace == t.kind.Namespaced || !inNamespace && t.key.name == ""
}

// parseListOptions decodes, defaults and validates the query with the code of a
// kube-apiserver. watchList is the state of its feature gate WatchList.
func parseListOptions(r *http.Request, watchList bool) (metainternalversion.ListOptions, error) {
	var options metainternalversion.ListOptions
	codec := metainternalversionscheme.ParameterCodec
	if err := codec.DecodeParameters(r.URL.Query(), metav1.SchemeGroupVersion, &options); err != nil {
		return options, apierrors.NewBadRequest(err.Error())
	}
	metainternalversion.SetListOptionsDefaults(&options, watchList)
	if errs := metainternalversionvalidation.ValidateListOptions(&options, watchList); len(errs) > 0 {
		return options, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "", errs)
	}
	return options, nil
}
