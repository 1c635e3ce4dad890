// Package widgets serves a custom resource that the simulator does not have: its definition, and lists and watches of
// its objects in JSON, like an API server without streamed lists.
package widgets

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Server responds to requests for Widgets and their definition, and passes all others on. It is safe for concurrent use.
type Server struct {
	next http.Handler

	mu      sync.Mutex
	objects []json.RawMessage // oldest first
	added   chan struct{}     // closed when a Widget is added
	lists   int
}

// New returns a Server with Widgets made by [Object]. It passes requests for other resources to next.
func New(next http.Handler, objects ...json.RawMessage) *Server {
	return &Server{next: next, objects: objects, added: make(chan struct{})}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case definitionsPath:
		s.serveDefinitions(w, r)
	case objectsPath:
		s.serveObjects(w, r)
	default:
		s.next.ServeHTTP(w, r)
	}
}

const (
	definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	objectsPath     = "/apis/example.com/v1/widgets"

	// Config is a custom resource configuration that exports each value of a Widget, with its key as a label.
	Config = `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.com, version: v1, kind: Widget}
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - name: value
      help: One value of a widget.
      each: {type: Gauge, gauge: {path: [status, values], labelFromKey: key}}
`
)

// Object returns a Widget in JSON. values is the text of the members of status.values, which Config exports. further is
// text after the last member of the object, so it must begin with a comma.
func Object(name, values string, further ...string) json.RawMessage {
	return fmt.Appendf(nil, `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":%q,"namespace":"default","uid":"uid-of-%s"},"status":{"values":{%s}}%s}`,
		name, name, values, strings.Join(further, ""))
}

// Add adds a Widget. Watches report it at once.
func (s *Server) Add(w json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = append(s.objects, w)
	close(s.added)
	s.added = make(chan struct{})
}

// from returns all Widgets but the first n, and a channel that is closed when another one is added. The resourceVersion
// of a Widget is its position, from 1.
func (s *Server) from(n int) (more []json.RawMessage, added <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.objects[min(n, len(s.objects)):] {
		more = append(more, json.RawMessage(strings.Replace(string(w), `"metadata":{`, fmt.Sprintf(`"metadata":{"resourceVersion":"%d",`, n+i+1), 1)))
	}
	return more, s.added
}

// Lists returns the number of list requests so far.
func (s *Server) Lists() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists
}

func (s *Server) serveObjects(w http.ResponseWriter, r *http.Request) {
	if refuseStreamedList(w, r) {
		return
	}
	if r.URL.Query().Get("watch") == "" {
		s.mu.Lock()
		s.lists++
		s.mu.Unlock()
		items, _ := s.from(0)
		writeJSON(w, http.StatusOK, map[string]any{
			"apiVersion": "example.com/v1", "kind": "WidgetList", "metadata": map[string]any{"resourceVersion": fmt.Sprint(len(items))}, "items": items,
		})
		return
	}
	var sent int
	_, _ = fmt.Sscan(r.URL.Query().Get("resourceVersion"), &sent) // 0: from the beginning
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for {
		more, added := s.from(sent)
		for _, widget := range more {
			_, _ = fmt.Fprintf(w, `{"type":"ADDED","object":%s}`+"\n", widget)
		}
		sent += len(more)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-added:
		}
	}
}

func (s *Server) serveDefinitions(w http.ResponseWriter, r *http.Request) {
	type object = map[string]any
	switch {
	case refuseStreamedList(w, r):
	case r.URL.Query().Get("watch") != "":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the definition never changes
	default:
		writeJSON(w, http.StatusOK, object{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinitionList", "metadata": object{"resourceVersion": "1"},
			"items": []object{{
				"metadata": object{"name": "widgets.example.com", "uid": "d", "resourceVersion": "1"},
				"spec": object{"group": "example.com", "scope": "Namespaced", "names": object{"kind": "Widget", "plural": "widgets"},
					"versions": []object{{"name": "v1", "served": true, "storage": true}}},
				"status": object{"conditions": []object{{"type": "Established", "status": "True"}}},
			}},
		})
	}
}

// refuseStreamedList rejects a streamed list, as an older API server does, so that the client lists in pages.
func refuseStreamedList(w http.ResponseWriter, r *http.Request) bool {
	if !r.URL.Query().Has("sendInitialEvents") {
		return false
	}
	const invalid = http.StatusUnprocessableEntity
	writeJSON(w, invalid, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": invalid})
	return true
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails only if the client has disconnected
}
