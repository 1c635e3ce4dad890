package simulator

import (
	"net/http"
	"sync/atomic"
)

// handler answers HTTP requests and counts what it serves, for itself and for
// the cluster.
type handler struct {
	*Cluster
	own    traffic
	shards atomic.Bool // the shardSelector is honoured
	rehash bool        // by another hash
}

func (c *Cluster) newHandler() *handler {
	h := &handler{Cluster: c, own: newTraffic(c.kinds)}
	h.shards.Store(c.options.ShardSelector)
	return h
}

// Handler serves the API at the root of a server, for callers that have one.
func (c *Cluster) Handler() http.Handler { return c.newHandler() }

// HandlerWithOtherHash serves the API as a server that honours the shardSelector
// with another hash of the UID than clients expect.
func (c *Cluster) HandlerWithOtherHash() http.Handler {
	h := c.newHandler()
	h.shards.Store(true)
	h.rehash = true
	return h
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := h.answers.begin(w)
	defer h.answers.end(a)
	if err := h.serve(a, r); err != nil {
		a.fail(err)
	}
}

func (h *handler) serve(a *answer, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		form, ok := negotiate(r.Header.Get("Accept"))
		if !ok {
			return errNotAcceptable()
		}
		a.form = form
		return h.serveWrite(a, r)
	}
	switch r.URL.Path {
	case "/readyz", "/livez", "/healthz":
		a.head(http.StatusOK, "text/plain; charset=utf-8")
		_, _ = a.WriteString("ok")
		return nil
	case "/version":
		return a.version()
	}
	form, ok := negotiate(r.Header.Get("Accept"))
	if !ok {
		return errNotAcceptable()
	}
	a.form = form
	if r.URL.Path == "/api" || r.URL.Path == "/apis" {
		return h.serveGroups(a, r.URL.Path)
	}
	at, ok := parsePath(r.URL.Path)
	switch {
	case !ok:
		return h.serveGroup(a, r.URL.Path)
	case at.Resource == "":
		return h.serveResources(a, at)
	}
	return h.serveResource(a, r, at)
}

// serveResource answers get, list and watch.
func (h *handler) serveResource(a *answer, r *http.Request, at location) error {
	collection := h.collections[at.GroupVersionResource]
	if collection == nil || len(at.rest) > 0 || (at.namespace != "" && !collection.kind.Namespaced) {
		return errUnknownPath()
	}
	if collection.kind.Namespaced && at.namespace == "" && at.name != "" {
		return errUnknownPath()
	}
	options, err := parseListOptions(r, !h.options.NoWatchList)
	if err != nil {
		return err
	}
	if list := at.name == "" && !options.Watch; !fits(a.form, list) {
		a.form = jsonForm{}
		return errNotAcceptable()
	}
	count := counts{h.own[at.Resource], h.total[at.Resource]}
	a.counts = count
	if at.name != "" && !options.Watch {
		count.each(func(c *counters) { c.gets.Add(1) })
		return a.object(collection, at.objectKey)
	}
	selected, err := newSelector(collection.kind, at.objectKey, options, h.shards.Load())
	if err != nil {
		return err
	}
	selected.shard.rehash = h.rehash
	if !options.Watch {
		count.each(func(c *counters) { c.lists.Add(1) })
		return a.list(collection, selected, options)
	}
	count.each(func(c *counters) { c.watches.Add(1) })
	w := watcher{collection: collection, selected: selected, options: options, answer: a, bookmarks: h.options.BookmarkInterval}
	return w.run(r.Context(), h.closingChannel())
}
