package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/statefleet/statefleet/test/fleet"
)

const readerRole = "statefleet-metrics-reader"

// callersAreChecked runs a replica with --auth-filter, first without the rights that the overlay auth-filter grants,
// then with them.
func (w *world) callersAreChecked(t *testing.T) {
	scraper := w.cluster.BoundToken(t, namespace, "scraper", readerRole)                                        // apply creates the role
	replica := w.startReplica(t, "--auth-filter", "--auth-filter.path-prefix=/statefleet", "--telemetry.pprof") // as in the overlay
	replica.WaitReady(t)
	wantStatus(t, replica, "replica without the right to review tokens, known caller", scraper, http.StatusServiceUnavailable, replica.URL+"/metrics")
	wantStatus(t, replica, "replica without the right to review tokens, no token", "", http.StatusUnauthorized, replica.URL+"/metrics")

	apply(t, w.cluster, "manifests/overlays/auth-filter", func(o *unstructured.Unstructured) bool {
		return strings.HasPrefix(o.GetKind(), "ClusterRole") // and their bindings
	})
	fleet.Eventually(t, "a caller who may read gets the exposition", func(ctx context.Context) error {
		return replica.Bearing(scraper).Ask(ctx, "/metrics")
	})
	admin := w.cluster.BoundToken(t, namespace, "auditor", "cluster-admin")
	for what, token := range map[string]string{
		"no token":                   "",
		"garbled token":              scraper[:len(scraper)-8] + "AAAAAAAA",
		"text that is no token":      "system:admin",
		"token for another audience": w.requestToken(t, "scraper", "https://vault.example"),
		"expired token":              w.cluster.SignedToken(t, namespace, "scraper", time.Now().Add(-5*time.Minute)), // the API server tolerates a clock skew of one minute
		"token of a deleted account": w.deletedAccountToken(t),
	} {
		wantStatus(t, replica, what, token, http.StatusUnauthorized, replica.URL+"/metrics", replica.Telemetry+"/metrics",
			replica.URL+"/", replica.URL+"/nothing", replica.Telemetry+"/debug/pprof/heap")
	}
	guest := w.cluster.BoundToken(t, namespace, "guest", "view") // may read objects in all namespaces, and no paths
	wantStatus(t, replica, "denied", guest, http.StatusForbidden, replica.URL+"/metrics", replica.Telemetry+"/metrics", replica.URL+"/",
		replica.Telemetry+"/debug/pprof/heap")
	wantStatus(t, replica, "allowed", scraper, http.StatusOK, replica.URL+"/metrics", replica.Telemetry+"/metrics")
	wantStatus(t, replica, "allowed, with a new token", w.requestToken(t, "scraper"), http.StatusOK, replica.URL+"/metrics")
	wantStatus(t, replica, "allowed, with a token that has not expired yet", w.cluster.SignedToken(t, namespace, "scraper", time.Now().Add(time.Hour)),
		http.StatusOK, replica.URL+"/metrics")
	wantStatus(t, replica, "allowed elsewhere only", scraper, http.StatusForbidden, replica.URL+"/", replica.Telemetry+"/debug/pprof/heap")
	wantStatus(t, replica, "allowed everything", admin, http.StatusOK, replica.URL+"/", replica.Telemetry+"/debug/pprof/heap")
	wantStatus(t, replica, "probes", "", http.StatusOK, replica.URL+"/livez", replica.URL+"/readyz", replica.URL+"/healthz", replica.Telemetry+"/readyz")

	end := w.outage(t)
	wantStatus(t, replica, "cached token, API server down", scraper, http.StatusOK, replica.URL+"/metrics")
	wantStatus(t, replica, "unknown token, API server down", "unknown", http.StatusServiceUnavailable, replica.URL+"/metrics")
	wantStatus(t, replica, "probes, API server down", "", http.StatusOK, replica.URL+"/livez", replica.URL+"/readyz")
	end()
	for _, token := range []string{scraper, guest, admin} {
		if strings.Contains(replica.Log(), token) {
			t.Error("the log contains a token")
		}
	}
}

// requestToken returns a token of an account for the given audiences, or for the API server if there are none. Its
// lifetime is the shortest that the API server allows.
func (w *world) requestToken(t *testing.T, account string, audiences ...string) string {
	t.Helper()
	seconds := int64(10 * time.Minute / time.Second)
	request, err := w.cluster.Client().CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// deletedAccountToken returns a token that was valid until its account was deleted. It was not used before, so no
// replica has cached it.
func (w *world) deletedAccountToken(t *testing.T) string {
	t.Helper()
	token := w.cluster.BoundToken(t, namespace, "leaver", readerRole)
	err := w.cluster.Client().CoreV1().ServiceAccounts(namespace).Delete(t.Context(), "leaver", metav1.DeleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fleet.Eventually(t, "the API server refuses the token of a deleted account", func(ctx context.Context) error {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
		review, err := w.cluster.Client().AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
		if err == nil && review.Status.Authenticated {
			err = fmt.Errorf("the token still authenticates %s", review.Status.User.Username)
		}
		return err
	})
	return token
}

// wantStatus checks the status of the responses of a replica to a caller. The body of a refusal must be too short to
// reveal anything about the cluster.
func wantStatus(t *testing.T, replica *fleet.Replica, who, token string, status int, urls ...string) {
	t.Helper()
	for _, url := range urls {
		got, err := replica.Bearing(token).Get(t.Context(), url)
		if err != nil || got.Status != status {
			t.Errorf("%s, %s: got status %d, want %d: %v", who, url, got.Status, status, err)
		}
		if got.Status != http.StatusOK && len(got.Body) > 80 {
			t.Errorf("%s, %s: status %d has a body of more than 80 bytes: %q", who, url, got.Status, got.Body)
		}
	}
}
