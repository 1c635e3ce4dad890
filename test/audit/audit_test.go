package audit

import (
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// serve serves an exposition with the pods that have these UIDs, or 503 if there are none.
func serve(t *testing.T, name string, uids ...string) Target {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(uids) == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zipped := gzip.NewWriter(w)
		defer zipped.Close()
		for _, uid := range uids {
			_, _ = zipped.Write([]byte(`kube_pod_info{namespace="shop",uid="` + uid + `"} 1` + "\n"))
		}
	}))
	t.Cleanup(server.Close)
	return Target{Name: name, URL: server.URL}
}

func TestCompleteIsEveryObjectExposedOnce(t *testing.T) {
	exists := lifetime{created: time.Now().Add(-time.Hour)}
	f := func(complete bool, targets ...Target) {
		t.Helper()
		err := Complete(t.Context(), Options{
			Cluster: &Cluster{kinds: []string{Pods}, objects: map[string]lifetime{"pod u1": exists, "pod u2": exists}},
			Targets: func() []Target { return targets }, Late: late,
		})
		if (err == nil) != complete {
			t.Errorf("got error %v, want none: %t", err, complete)
		}
	}
	f(true, serve(t, "a", "u1"), serve(t, "b", "u2"))
	f(true, serve(t, "a", "u1", "u2"), serve(t, "b"))
	f(false, serve(t, "a", "u1"), serve(t, "b"))
	f(false, serve(t, "a", "u1", "u2"), serve(t, "b", "u2"))
}

func TestAuditEndsWhenNothingIsWrong(t *testing.T) {
	exists := lifetime{created: time.Now().Add(-time.Hour)}
	target := serve(t, "a", "u1")
	a := Start(t, Options{
		Cluster: &Cluster{kinds: []string{Pods}, objects: map[string]lifetime{"pod u1": exists}},
		Targets: func() []Target { return []Target{target} }, Late: late,
	})
	if r := a.Stop(); r.Samples == 0 || r.Objects != 1 || r.Moved != 0 || len(r.Missing)+len(r.Doubled)+len(r.Ghosts) > 0 {
		t.Errorf("got %s, want samples of 1 object and no fault", r.Line("none"))
	}
}

func TestClusterWithoutObjectsIsNotComplete(t *testing.T) {
	target := serve(t, "a")
	err := Complete(t.Context(), Options{Cluster: &Cluster{kinds: []string{Pods}}, Targets: func() []Target { return []Target{target} }, Late: late})
	if err == nil {
		t.Error("got no error for a cluster without objects")
	}
}
