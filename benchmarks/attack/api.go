package attack

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
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
	case strings.HasSuffix(path, "reviews"):
		a.review(w, r)
	case a.failing.Load() && strings.HasSuffix(path, "/configmaps"):
		a.failed.Add(1)
		growingError(w)
	default:
		a.widgets.ServeHTTP(w, r)
	}
}

// review decodes a review of a token or of access from protobuf or JSON, and responds in JSON. The one honest token may
// do everything.
func (a *api) review(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has disconnected
	}
	sent, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch review := sent.(type) {
	case *authenticationv1.TokenReview:
		a.reviews.Add(1)
		review.Status.Audiences = review.Spec.Audiences
		if review.Spec.Token == honestToken {
			review.Status.Authenticated, review.Status.User.Username = true, honestToken
		}
	case *authorizationv1.SubjectAccessReview:
		review.Status.Allowed = true
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(sent) // fails only if the client has disconnected
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
