package customresource

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/watch"
)

// silent returns a logger for tests that do not read the log.
func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

const definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// api is an API server with CustomResourceDefinitions and with the discovery responses that a test sets.
type api struct {
	mu         sync.Mutex
	version    int
	objects    map[string]string // the definitions' JSON by name
	events     []event
	dropEvents bool // changes send no events
	forbidden  bool
	discovery  map[string]string // responses by path
	requests   map[string]int    // by path
}

type event struct {
	version int
	frame   string
}

// newAPI starts a server that runs until the test ends, and returns it with a client.
func newAPI(t *testing.T) (*api, *watch.Client) {
	t.Helper()
	a := &api{version: 1, objects: map[string]string{}, discovery: map[string]string{}, requests: map[string]int{}}
	server := httptest.NewServer(a)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	config := &rest.Config{Host: server.URL, QPS: 1000, Burst: 1000}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	config.Transport = transport
	t.Cleanup(transport.CloseIdleConnections)
	client, err := watch.NewClient(config, watch.AcceptBoth)
	if err != nil {
		t.Fatal(err)
	}
	return a, client
}

// put adds or changes the definition of plural and group, which serves the given versions.
func (a *api) put(group, plural, kind, scope string, versions ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	name := plural + "." + group
	var list []string
	for _, v := range versions {
		list = append(list, fmt.Sprintf(`{"name":%q,"served":true}`, v))
	}
	object := fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":%q,"uid":%q,"resourceVersion":"%d"},
		"spec":{"group":%q,"scope":%q,"names":{"kind":%q,"plural":%q},"versions":[%s]}}`,
		name, name, a.version, group, scope, kind, plural, strings.Join(list, ","))
	eventType := "ADDED"
	if _, known := a.objects[name]; known {
		eventType = "MODIFIED"
	}
	a.objects[name] = object
	a.send(eventType, object)
}

func (a *api) remove(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.send("DELETED", a.objects[name])
	delete(a.objects, name)
}

func (a *api) send(eventType, object string) {
	if a.dropEvents {
		return
	}
	a.events = append(a.events, event{a.version, fmt.Sprintf(`{"type":%q,"object":%s}`+"\n", eventType, object)})
}

// backup returns a function that restores the current definitions and resource version without events.
func (a *api) backup() (restore func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	objects, version := maps.Clone(a.objects), a.version
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.objects, a.version, a.events = objects, version, nil
	}
}

func (a *api) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *api) requestsTo(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests[path]
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests[r.URL.Path]++
	response, known := a.discovery[r.URL.Path]
	forbidden := a.forbidden
	a.mu.Unlock()
	query := r.URL.Query()
	switch {
	case known:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(response))
	case r.URL.Path != definitionsPath:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound)
	case forbidden:
		fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
	case query.Get("sendInitialEvents") != "":
		fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
	case query.Get("watch") != "":
		a.watch(w, r)
	default:
		a.list(w)
	}
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Reason: reason, Code: int32(code),
	})
}

func (a *api) list(w http.ResponseWriter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var items []string
	for _, o := range a.objects {
		items = append(items, o)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"kind":"CustomResourceDefinitionList","apiVersion":"apiextensions.k8s.io/v1","metadata":{"resourceVersion":"%d"},"items":[%s]}`,
		a.version, strings.Join(items, ","))
}

// watch sends the events after a version until the client disconnects or the server stops.
func (a *api) watch(w http.ResponseWriter, r *http.Request) {
	since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for {
		a.mu.Lock()
		for _, e := range a.events {
			if e.version > since {
				since = e.version
				_, _ = w.Write([]byte(e.frame))
			}
		}
		a.mu.Unlock()
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}
