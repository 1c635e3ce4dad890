package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// honestToken is the one token that the API server accepts.
const honestToken = "prometheus"

// api is the API server of the attacked cluster: the simulated one, reviews of tokens, a custom resource, and
// answers of a server that fails.
type api struct {
	next    http.Handler
	failing atomic.Bool // whether requests for ConfigMaps fail, with a body that grows
	failed  atomic.Int64
	reviews atomic.Int64

	mu      sync.Mutex
	widgets []json.RawMessage // the custom resources, oldest first
	added   chan struct{}     // closed when there is another
	lists   int               // of custom resources
}

func newAPI(next http.Handler) *api {
	return &api{next: next, widgets: []json.RawMessage{widget("first", `"only": 1`)}, added: make(chan struct{})}
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/tokenreviews"):
		a.reviews.Add(1)
		review(w, r, func(sent runtime.Object) (answer any) {
			t, _ := sent.(*authenticationv1.TokenReview)
			status := authenticationv1.TokenReviewStatus{Audiences: t.Spec.Audiences}
			if status.Authenticated = t.Spec.Token == honestToken; status.Authenticated {
				status.User.Username = honestToken
			}
			return map[string]any{"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status}
		})
	case strings.HasSuffix(path, "/subjectaccessreviews"):
		review(w, r, func(runtime.Object) any {
			return map[string]any{"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": map[string]any{"allowed": true}}
		})
	case path == definitionsPath:
		a.serveDefinitions(w, r)
	case path == widgetsPath:
		a.serveWidgets(w, r)
	case a.failing.Load() && strings.HasSuffix(path, "/configmaps"):
		a.failed.Add(1)
		growingError(w)
	default:
		a.next.ServeHTTP(w, r)
	}
}

// review answers a review, which may be protobuf or JSON, in JSON.
func review(w http.ResponseWriter, r *http.Request, answer func(runtime.Object) any) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		var sent runtime.Object
		if sent, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil); err == nil {
			writeJSON(w, http.StatusCreated, answer(sent))
			return
		}
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has left is no matter
}

// growingError is an error of 4 MB that says 4 GB.
func growingError(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(http.StatusInternalServerError)
	packed := gzip.NewWriter(w)
	zeros := make([]byte, 1<<20)
	for range 4 << 10 {
		if _, err := packed.Write(zeros); err != nil {
			return
		}
	}
	_ = packed.Close()
}

const (
	definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	widgetsPath     = "/apis/example.com/v1/widgets"

	// widgetMetrics exports a number of each Widget.
	widgetMetrics = `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.com, version: v1, kind: Widget}
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - name: value
      help: The number of a widget.
      each: {type: Gauge, gauge: {path: [status, values], labelFromKey: key}}
`
)

// widget is a custom resource with these members of the map that is exported, and these further ones.
func widget(name, values string, further ...string) json.RawMessage {
	return fmt.Appendf(nil, `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":%q,"namespace":"default","uid":"uid-of-%s"},"status":{"values":{%s}}%s}`,
		name, name, values, strings.Join(further, ""))
}

// addWidget adds a custom resource; watches report it at once.
func (a *api) addWidget(w json.RawMessage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.widgets = append(a.widgets, w)
	close(a.added)
	a.added = make(chan struct{})
}

// from returns the custom resources behind the first n, with versions that count them, and what is closed when there are more.
func (a *api) from(n int) (more []json.RawMessage, added <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, w := range a.widgets[min(n, len(a.widgets)):] {
		more = append(more, json.RawMessage(strings.Replace(string(w), `"metadata":{`, fmt.Sprintf(`"metadata":{"resourceVersion":"%d",`, n+i+1), 1)))
	}
	return more, a.added
}

// listed is how often custom resources were listed.
func (a *api) listed() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lists
}

func (a *api) serveWidgets(w http.ResponseWriter, r *http.Request) {
	if refuseStreamedList(w, r) {
		return
	}
	if r.URL.Query().Get("watch") == "" {
		a.mu.Lock()
		a.lists++
		a.mu.Unlock()
		items, _ := a.from(0)
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
		more, added := a.from(sent)
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

func (a *api) serveDefinitions(w http.ResponseWriter, r *http.Request) {
	type object = map[string]any
	switch {
	case refuseStreamedList(w, r):
	case r.URL.Query().Get("watch") != "":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // nothing ever changes
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

// refuseStreamedList has clients list in pages, as an older API server does.
func refuseStreamedList(w http.ResponseWriter, r *http.Request) bool {
	if !r.URL.Query().Has("sendInitialEvents") {
		return false
	}
	const invalid = http.StatusUnprocessableEntity
	writeJSON(w, invalid, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": invalid})
	return true
}
