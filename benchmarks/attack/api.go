package attack

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/statefleet/statefleet/benchmarks/widgets"
)

// honestToken is the one token that the API server accepts.
const honestToken = "prometheus"

// api is the API server of the attacked cluster. It adds token reviews, a custom resource and error responses
// to the simulated API server.
type api struct {
	widgets *widgets.Server // passes all other requests on to the simulated API server
	failing atomic.Bool     // requests for ConfigMaps get growingError
	failed  atomic.Int64    // number of these responses
	reviews atomic.Int64    // number of token reviews
}

func newAPI(next http.Handler) *api {
	return &api{widgets: widgets.New(next, widgets.Object("first", `"only": 1`))}
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
			return map[string]any{"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
				"status": map[string]any{"allowed": true}}
		})
	case a.failing.Load() && strings.HasSuffix(path, "/configmaps"):
		a.failed.Add(1)
		growingError(w)
	default:
		a.widgets.ServeHTTP(w, r)
	}
}

// review decodes a review from protobuf or JSON, and responds in JSON.
func review(w http.ResponseWriter, r *http.Request, answer func(runtime.Object) any) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		var sent runtime.Object
		if sent, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil); err == nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(answer(sent)) // fails only if the client has disconnected
			return
		}
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}

// growingError sends an error whose body has 4 MB compressed and 4 GB decompressed.
func growingError(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(http.StatusInternalServerError)
	compressed := gzip.NewWriter(w)
	zeros := make([]byte, 1<<20)
	for range 4 << 10 {
		if _, err := compressed.Write(zeros); err != nil {
			return
		}
	}
	_ = compressed.Close()
}
