// Package statuspage serves the status page, an HTML page for people: the state of the fleet, and
// what this replica holds, serves and costs.
//
// A [Handler] shows a [Status] as HTML and as JSON. The page is complete without a script. A small
// script fetches the part that changes every few seconds and updates it in place. Everything comes
// from this process; a Content-Security-Policy keeps browsers from loading or running anything else.
//
//	/                     the status page
//	/-/fleet              the Status as JSON
//	/-/fleet/view         the part of the page that changes
//	/-/fleet/app.css, …   assets
//
// All links are relative, so that the page works behind a proxy that changes its path, such as that
// of kubectl.
package statuspage

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/watch"
)

//go:embed assets
var assets embed.FS

// cacheTTL is how long a Status is reused, so that many readers cost no more than one.
const cacheTTL = time.Second

// contentSecurityPolicy forbids browsers everything that the page does not need: it loads from this
// server only, runs no inline script or style, sends no forms, and is in no frame of another page.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Options configure a [Handler].
type Options struct {
	// Status returns the current status without waiting. Required. Calls are not concurrent.
	Status func() Status
	// ReplicaURL returns the address of the status page of the replica with this IP address. Required.
	ReplicaURL func(address string) string
	// Profiling adds a link to the profiles of the Go runtime.
	Profiling bool
}

// Handler serves the status page, see the package comment. It is safe for concurrent use.
type Handler struct {
	options Options
	page    *template.Template
	mux     *http.ServeMux

	mu       sync.Mutex
	cached   Status
	cachedAt time.Time
}

// New returns a Handler. It fails only for invalid templates.
func New(o Options) (*Handler, error) {
	page, err := template.New("").Funcs(template.FuncMap{
		"time": formatTime, "count": formatCount, "size": formatSize, "seconds": formatSeconds, "barWidth": barWidth,
		"ringPath": ringPath, "ringShare": ringShare, "ringText": ringText,
		"replicaURL": o.ReplicaURL, "profiling": func() bool { return o.Profiling },
	}).ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("status page: %w", err)
	}
	h := &Handler{options: o, page: page, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /{$}", h.serveHTML("page.html"))
	h.mux.HandleFunc("GET /-/fleet", h.serveJSON)
	h.mux.HandleFunc("GET /-/fleet/view", h.serveHTML("view.html"))
	for name, contentType := range map[string]string{"app.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		text, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("status page: %w", err)
		}
		h.mux.HandleFunc("GET /-/fleet/"+name, func(w http.ResponseWriter, _ *http.Request) {
			send(w, contentType+"; charset=utf-8", text)
		})
	}
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", contentSecurityPolicy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) serveHTML(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var text bytes.Buffer
		if err := h.page.ExecuteTemplate(&text, name, h.status()); err != nil {
			http.Error(w, "rendering the status page failed: "+err.Error(), http.StatusInternalServerError)
			return
		}
		send(w, "text/html; charset=utf-8", text.Bytes())
	}
}

func (h *Handler) serveJSON(w http.ResponseWriter, _ *http.Request) {
	text, err := json.MarshalIndent(h.status(), "", "  ")
	if err != nil {
		http.Error(w, "encoding the status failed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, "application/json", append(text, '\n'))
}

func send(w http.ResponseWriter, contentType string, text []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // a client that left needs no response
}

// status returns a status that is at most cacheTTL old.
func (h *Handler) status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.cachedAt) >= cacheTTL {
		s := h.options.Status()
		s.Replica.Kinds = slices.SortedStableFunc(slices.Values(s.Replica.Kinds), bySeverityThenSize)
		s.Findings = s.findings()
		h.cached, h.cachedAt = s, now
	}
	return h.cached
}

// bySeverityThenSize orders kinds: those that cannot be read first, then the largest.
func bySeverityThenSize(a, b replica.KindOverview) int {
	rank := map[watch.Phase]int{watch.Forbidden: -3, watch.Absent: -2, watch.Pending: -1}
	return cmp.Or(cmp.Compare(rank[a.Phase], rank[b.Phase]), cmp.Compare(b.TextBytes, a.TextBytes), cmp.Compare(a.Name, b.Name))
}
