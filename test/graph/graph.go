// Package graph serves a web page with graphs of a fleet, with data from Prometheus: how many pods the fleet exports,
// from which replicas they come, and by how many shards it serves, over the last ten minutes. The page is complete
// without a script. A small script updates it in place.
package graph

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/statefleet/statefleet/test/prometheus"
)

//go:embed assets
var assets embed.FS

// contentSecurityPolicy keeps browsers from loading or running anything from other servers.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Source is the part of a Prometheus that the page reads. It is called concurrently.
type Source interface {
	Matrix(ctx context.Context, query string, start, end time.Time, step time.Duration) (promql.Matrix, error)
	Alerts() []prometheus.Alert
}

// Fleet describes the fleet on the page.
type Fleet struct {
	Replicas []Replica
	// Most is the largest number of replicas that can be requested.
	Most int
}

// Replica has the name of a replica and the URL of its status page.
type Replica struct{ Name, Page string }

// Options configure the page. All fields are required.
type Options struct {
	Source   Source
	Interval time.Duration // between two scrapes
	Fleet    func() Fleet
	Scale    func(replicas int) error
	Now      func() time.Time
}

// ranges returns the time ranges that users can choose. The first one is the default.
func ranges() []time.Duration { return []time.Duration{10 * time.Minute, 2 * time.Minute, time.Hour} }

// handler serves /, and /view, which is the part of / that changes.
type handler struct {
	Options
	templates *template.Template
}

// New returns the handler of the page. It is safe for concurrent use.
func New(o Options) (http.Handler, error) {
	h := &handler{Options: o}
	var err error
	h.templates, err = template.New("").Funcs(template.FuncMap{
		"short": short, "clock": func(t time.Time) string { return t.Format(time.TimeOnly) },
	}).ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { h.show(w, r, "page.html", "") })
	mux.HandleFunc("GET /view", func(w http.ResponseWriter, r *http.Request) { h.show(w, r, "view.html", "") })
	mux.HandleFunc("POST /scale", h.scale)
	mux.Handle("GET /assets/", http.FileServerFS(assets))
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// scale handles the form that changes the number of replicas.
func (h *handler) scale(w http.ResponseWriter, r *http.Request) {
	replicas, err := strconv.Atoi(r.PostFormValue("replicas"))
	if err != nil {
		err = fmt.Errorf("replicas must be an integer, got %q", r.PostFormValue("replicas"))
	} else {
		err = h.Scale(replicas)
	}
	if err != nil {
		h.show(w, r, "page.html", err.Error())
		return
	}
	http.Redirect(w, r, "./", http.StatusSeeOther)
}

// show answers with the page, or its part. refused is why the number of replicas was rejected, if it was.
func (h *handler) show(w http.ResponseWriter, r *http.Request, name, refused string) {
	v := h.view(r.Context(), r.FormValue("query"), r.FormValue("range"))
	v.Refused = refused
	var page bytes.Buffer
	if err := h.templates.ExecuteTemplate(&page, name, v); err != nil {
		slog.Error("page of graphs not rendered", "err", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", contentSecurityPolicy)
	w.Header().Set("Cache-Control", "no-store")
	if refused != "" || v.Wrong != "" {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = page.WriteTo(w) // an error means that the client has disconnected
}
