package faults

import (
	"maps"
	"net/http"
	"net/http/httptest"
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
	answer, known := i.stale[key]
	i.mu.Unlock()
	if known && query.Get("continue") == "" {
		i.count(Stale)
	} else {
		answer = httptest.NewRecorder()
		i.next.ServeHTTP(answer, r)
		if answer.Code == http.StatusOK && answer.Header().Get("Content-Encoding") == "" {
			i.mu.Lock()
			i.stale[key] = answer
			i.mu.Unlock()
		}
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // an error: the client is gone
}
