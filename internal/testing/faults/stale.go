package faults

import (
	"net/http"
	"strings"
)

// serveStale answers a list with the first answer to it, as an API server does whose
// cache is behind.
func (i *Injector) serveStale(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	query.Del("resourceVersion")
	query.Del("resourceVersionMatch")
	key := r.URL.Path + "?" + query.Encode() + "\n" + strings.Join(r.Header.Values("Accept"), ",")
	i.mu.Lock()
	body, known := i.stale[key]
	i.mu.Unlock()
	if known && query.Get("continue") == "" {
		i.count(Stale)
		head, rest, _ := strings.Cut(string(body), "\n")
		w.Header().Set("Content-Type", head)
		_, _ = w.Write([]byte(rest))
		return
	}
	recorder := &recorder{ResponseWriter: w}
	i.next.ServeHTTP(recorder, r)
	if recorder.status == http.StatusOK && w.Header().Get("Content-Encoding") == "" {
		i.mu.Lock()
		i.stale[key] = append([]byte(w.Header().Get("Content-Type")+"\n"), recorder.body...)
		i.mu.Unlock()
	}
}

// recorder keeps a copy of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.body = append(r.body, p...)
	return r.ResponseWriter.Write(p)
}
