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
)

//go:embed assets
var assets embed.FS

// fresh is how long an overview is shown to everybody who asks: many people who look cost no more than one.
const fresh = time.Second

// policy forbids browsers everything that the page does not need: it loads from this server only, runs no inline script or
// style, sends no forms, and is in no frame of another page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Options are what a [Handler] needs.
type Options struct {
	// Overview says how things stand; it does not wait. Required. It is called by one goroutine at a time.
	Overview func() Overview
	// Profiling adds a link to the profiles of the Go runtime.
	Profiling bool
}

// Handler serves the page, see the package comment. Make one with [New]; it is safe for concurrent use.
type Handler struct {
	options Options
	page    *template.Template
	mux     *http.ServeMux

	mu      sync.Mutex
	last    Overview
	renewed time.Time
}

// New returns a Handler. The error is one of the templates, which tests rule out.
func New(o Options) (*Handler, error) {
	page, err := template.New("").Funcs(template.FuncMap{
		"clock": clock, "count": count[int], "size": size, "seconds": seconds, "share": share,
	}).ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("fleet page: %w", err)
	}
	h := &Handler{options: o, page: page, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /{$}", h.serveHTML("page.html"))
	h.mux.HandleFunc("GET /-/fleet", h.serveJSON)
	h.mux.HandleFunc("GET /-/fleet/view", h.serveHTML("view.html"))
	for name, contentType := range map[string]string{"app.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		text, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("fleet page: %w", err)
		}
		h.mux.HandleFunc("GET /-/fleet/"+name, func(w http.ResponseWriter, _ *http.Request) {
			send(w, contentType+"; charset=utf-8", text)
		})
	}
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

// shown is what the templates get.
type shown struct {
	Overview
	Profiling bool
}

func (h *Handler) serveHTML(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var text bytes.Buffer
		if err := h.page.ExecuteTemplate(&text, name, shown{h.overview(), h.options.Profiling}); err != nil {
			http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		send(w, "text/html; charset=utf-8", text.Bytes())
	}
}

func (h *Handler) serveJSON(w http.ResponseWriter, _ *http.Request) {
	text, err := json.MarshalIndent(h.overview(), "", "  ")
	if err != nil {
		http.Error(w, "the overview cannot be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, "application/json", append(text, '\n'))
}

func send(w http.ResponseWriter, contentType string, text []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // a client that left needs no answer
}

// overview returns the overview of this second.
func (h *Handler) overview() Overview {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); h.renewed.IsZero() || now.Sub(h.renewed) >= fresh {
		o := h.options.Overview()
		o.Kinds = slices.Clone(o.Kinds)
		slices.SortStableFunc(o.Kinds, worseOrLarger)
		o.Findings = o.findings()
		o.fill()
		h.last, h.renewed = o, now
	}
	return h.last
}

// worseOrLarger orders kinds: what is wrong comes first, then what is large.
func worseOrLarger(a, b Kind) int {
	rank := map[string]int{"forbidden": -3, "absent": -2, "pending": -1}
	return cmp.Or(cmp.Compare(rank[a.Phase], rank[b.Phase]), cmp.Compare(b.TextBytes, a.TextBytes), cmp.Compare(a.Name, b.Name))
}

// fill makes lists that are empty so in JSON too, and not null: readers then need no case for that.
func (o *Overview) fill() {
	o.Findings = orEmpty(o.Findings)
	o.Kinds = orEmpty(o.Kinds)
	o.Fleet.Sources = orEmpty(o.Fleet.Sources)
	o.Fleet.Members = slices.Clone(orEmpty(o.Fleet.Members))
	for i := range o.Fleet.Members {
		m := &o.Fleet.Members[i]
		m.Own, m.Next = orEmpty(m.Own), orEmpty(m.Next)
	}
	o.Replica.Shown, o.Replica.Held = orEmpty(o.Replica.Shown), orEmpty(o.Replica.Held)
}

func orEmpty[S ~[]E, E any](s S) S {
	if s == nil {
		return S{}
	}
	return s
}
