package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
)

const readerRole = "statefleet-metrics-reader"

// callersAreChecked runs a replica with --auth-filter, first without the rights that the overlay auth-filter grants,
// then with them.
func (w *world) callersAreChecked(t *testing.T) {
	scraper := w.cluster.BoundToken(t, namespace, "scraper", readerRole)                                        // applyRoles creates the role
	replica := w.startReplica(t, "--auth-filter", "--auth-filter.path-prefix=/statefleet", "--telemetry.pprof") // as in the overlay
	replica.WaitReady(t)
	callers := newCallers(t)
	callers.wantStatus(t, "replica without the right to review tokens, known caller", scraper, http.StatusServiceUnavailable, replica.URL+"/metrics")
	callers.wantStatus(t, "replica without the right to review tokens, no token", "", http.StatusUnauthorized, replica.URL+"/metrics")

	w.applyRoles(t, "manifests/overlays/auth-filter")
	fleet.Eventually(t, "a caller who may read gets the exposition", func(ctx context.Context) error {
		status, _, err := callers.get(ctx, replica.URL+"/metrics", scraper)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("got status %d, want %d", status, http.StatusOK)
		}
		return err
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
		callers.wantStatus(t, what, token, http.StatusUnauthorized, replica.URL+"/metrics", replica.Telemetry+"/metrics",
			replica.URL+"/", replica.URL+"/nothing", replica.Telemetry+"/debug/pprof/heap")
	}
	guest := w.cluster.BoundToken(t, namespace, "guest", "view") // may read objects in all namespaces, and no paths
	callers.wantStatus(t, "denied", guest, http.StatusForbidden, replica.URL+"/metrics", replica.Telemetry+"/metrics", replica.URL+"/",
		replica.Telemetry+"/debug/pprof/heap")
	callers.wantStatus(t, "allowed", scraper, http.StatusOK, replica.URL+"/metrics", replica.Telemetry+"/metrics")
	callers.wantStatus(t, "allowed, with a new token", w.requestToken(t, "scraper"), http.StatusOK, replica.URL+"/metrics")
	callers.wantStatus(t, "allowed, with a token that has not expired yet", w.cluster.SignedToken(t, namespace, "scraper", time.Now().Add(time.Hour)),
		http.StatusOK, replica.URL+"/metrics")
	callers.wantStatus(t, "allowed elsewhere only", scraper, http.StatusForbidden, replica.URL+"/", replica.Telemetry+"/debug/pprof/heap")
	callers.wantStatus(t, "allowed everything", admin, http.StatusOK, replica.URL+"/", replica.Telemetry+"/debug/pprof/heap")
	callers.wantStatus(t, "probes", "", http.StatusOK, replica.URL+"/livez", replica.URL+"/readyz", replica.URL+"/healthz", replica.Telemetry+"/readyz")

	end := w.outage(t)
	callers.wantStatus(t, "cached token, API server down", scraper, http.StatusOK, replica.URL+"/metrics")
	callers.wantStatus(t, "unknown token, API server down", "unknown", http.StatusServiceUnavailable, replica.URL+"/metrics")
	callers.wantStatus(t, "probes, API server down", "", http.StatusOK, replica.URL+"/livez", replica.URL+"/readyz")
	end()
	for _, token := range []string{scraper, guest, admin} {
		if strings.Contains(replica.Log(), token) {
			t.Error("the log contains a token")
		}
	}
}

// applyRoles applies the ClusterRoles and ClusterRoleBindings of a kustomization, and none of its other objects.
func (w *world) applyRoles(t *testing.T, folder string) {
	t.Helper()
	objects, err := manifest.Build(folder)
	if err != nil {
		t.Fatal(err)
	}
	applier, err := manifest.NewApplier(w.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if !strings.HasPrefix(object.GetKind(), "ClusterRole") {
			continue
		}
		if _, err := applier.Apply(t.Context(), object); err != nil {
			t.Fatal(err)
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

// callers sends requests with or without a token.
type callers struct{ client http.Client }

func newCallers(t *testing.T) *callers {
	c := &callers{http.Client{Transport: &http.Transport{}, Timeout: fleet.DefaultTimeout}}
	t.Cleanup(c.client.CloseIdleConnections)
	return c
}

// get returns the status and the body of a response.
func (c *callers) get(ctx context.Context, url, token string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	var text strings.Builder
	_, err = io.Copy(&text, response.Body)
	return response.StatusCode, text.String(), err
}

// wantStatus checks the status of the responses to a caller. The body of a refusal must be too short to reveal anything
// about the cluster.
func (c *callers) wantStatus(t *testing.T, who, token string, status int, urls ...string) {
	t.Helper()
	for _, url := range urls {
		got, body, err := c.get(t.Context(), url, token)
		if err != nil || got != status {
			t.Errorf("%s, %s: got status %d, want %d: %v", who, url, got, status, err)
		}
		if got != http.StatusOK && len(body) > 80 {
			t.Errorf("%s, %s: status %d has a body of more than 80 bytes: %q", who, url, got, body)
		}
	}
}
