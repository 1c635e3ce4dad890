package capacity

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
)

// An estimate reads Secrets and ConfigMaps in the form that a replica reads, without their values.
func TestEstimateNeverRequestsValuesOfSecrets(t *testing.T) {
	cluster := simulator.New(simulator.Options{})
	for _, name := range []string{"a", "b", "c"} {
		meta := metav1.ObjectMeta{Namespace: "n", Name: name}
		for _, o := range []simulator.Object{&corev1.Secret{ObjectMeta: meta, Type: "Opaque"}, &corev1.ConfigMap{ObjectMeta: meta}} {
			if err := cluster.Put(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	var mu sync.Mutex
	var accepted []string
	api := cluster.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		accepted = append(accepted, strings.Split(r.Header.Get("Accept"), ",")...)
		mu.Unlock()
		api.ServeHTTP(w, r)
	}))
	defer server.Close()
	client, err := watch.NewClient(&rest.Config{Host: server.URL}, watch.AcceptBoth)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	for _, k := range resources.All() {
		if k.Name() != "secrets" && k.Name() != "configmaps" {
			continue
		}
		for _, sample := range []int64{0, 2} {
			found, err := Cluster{Client: client, Sample: sample}.Read(t.Context(), k, resources.Filter{})
			if err != nil || found.Objects != 3 || found.Sampled != int(sample) {
				t.Errorf("%s, sample of %d: got %+v, error %v; want 3 objects", k.Name(), sample, found, err)
			}
		}
	}
	for _, media := range accepted {
		if !strings.Contains(media, ";as=") {
			t.Errorf("a request accepts whole objects: %q", media)
		}
	}
}
