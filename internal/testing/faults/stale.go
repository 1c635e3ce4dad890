package faults

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
)

// serveList answers a list, with the first answer to it if it shall be stale and there is one. A list
// that continues another one is never stale.
func (i *Injector) serveList(w http.ResponseWriter, r *http.Request, stale bool) {
	query := r.URL.Query()
	query.Del("resourceVersion")
	query.Del("resourceVersionMatch")
	key := r.URL.Path + "?" + query.Encode() + "\n" + strings.Join(r.Header.Values("Accept"), ",")
	i.mu.Lock()
	answer, known := i.stale[key]
	i.mu.Unlock()
	if stale && known && query.Get("continue") == "" {
		i.count(Stale)
	} else {
		answer = httptest.NewRecorder()
		i.next.ServeHTTP(answer, r)
		if !known && answer.Code == http.StatusOK && answer.Header().Get("Content-Encoding") == "" {
			i.mu.Lock()
			i.stale[key] = answer
			i.mu.Unlock()
		}
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // an error: the client is gone
}
