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

// callersAreChecked runs a replica with --auth-filter and the rights of the overlay auth-filter, first without these rights.
func (w *world) callersAreChecked(t *testing.T) {
	scraper := w.cluster.BoundToken(t, namespace, "scraper", readerRole)                               // the role comes later
	replica := w.one(t, "--auth-filter", "--auth-filter.path-prefix=/statefleet", "--telemetry.pprof") // as the overlay
	replica.WaitReady(t)
	callers := newCallers(t)
	callers.want(t, "without the right to ask who calls", scraper, http.StatusServiceUnavailable, replica.URL+"/metrics")
	callers.want(t, "without the right to ask who calls, no one", "", http.StatusUnauthorized, replica.URL+"/metrics")

	w.applyRoles(t, "manifests/overlays/auth-filter")
	fleet.Eventually(t, "a caller who may read is answered", func(ctx context.Context) error {
		status, _, err := callers.ask(ctx, replica.URL+"/metrics", scraper)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	admin := w.cluster.BoundToken(t, namespace, "auditor", "cluster-admin")
	for what, token := range map[string]string{
		"anonymous":          "",
		"garbled":            scraper[:len(scraper)-8] + "AAAAAAAA",
		"no token at all":    "system:admin",
		"of another service": w.requestToken(t, "scraper", "https://vault.example"),
		"expired":            w.cluster.SignedToken(t, namespace, "scraper", time.Now().Add(-5*time.Minute)), // the API server allows for clocks that differ by one
		"of one who is gone": w.tokenOfTheDead(t),
	} {
		callers.want(t, what, token, http.StatusUnauthorized, replica.URL+"/metrics", replica.Telemetry+"/metrics",
			replica.URL+"/", replica.URL+"/nothing", replica.Telemetry+"/debug/pprof/heap")
	}
	guest := w.cluster.BoundToken(t, namespace, "guest", "view") // objects of all namespaces, no paths
	callers.want(t, "denied", guest, http.StatusForbidden, replica.URL+"/metrics", replica.Telemetry+"/metrics", replica.URL+"/",
		replica.Telemetry+"/debug/pprof/heap")
	callers.want(t, "allowed", scraper, http.StatusOK, replica.URL+"/metrics", replica.Telemetry+"/metrics")
	callers.want(t, "allowed, with a new token", w.requestToken(t, "scraper"), http.StatusOK, replica.URL+"/metrics")
	callers.want(t, "allowed, with a token that has not expired yet", w.cluster.SignedToken(t, namespace, "scraper", time.Now().Add(time.Hour)),
		http.StatusOK, replica.URL+"/metrics")
	callers.want(t, "allowed elsewhere only", scraper, http.StatusForbidden, replica.URL+"/", replica.Telemetry+"/debug/pprof/heap")
	callers.want(t, "allowed everything", admin, http.StatusOK, replica.URL+"/", replica.Telemetry+"/debug/pprof/heap")
	callers.want(t, "probes", "", http.StatusOK, replica.URL+"/livez", replica.URL+"/readyz", replica.URL+"/healthz", replica.Telemetry+"/readyz")

	end := w.outage(t)
	callers.want(t, "whose token is remembered, in an outage", scraper, http.StatusOK, replica.URL+"/metrics")
	callers.want(t, "whose token is not, in an outage", "unknown", http.StatusServiceUnavailable, replica.URL+"/metrics")
	callers.want(t, "probes in an outage", "", http.StatusOK, replica.URL+"/livez", replica.URL+"/readyz")
	end()
	for _, token := range []string{scraper, guest, admin} {
		if strings.Contains(replica.Log(), token) {
			t.Error("a token is in the log")
		}
	}
}

// applyRoles applies what a kustomization grants in the whole cluster, and leaves its workloads alone.
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

// requestToken returns a token of an account for an audience, the API server if there is none, with the shortest life that there is.
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

// tokenOfTheDead returns a token that was good until its account was deleted. It was not used before: no one remembers it.
func (w *world) tokenOfTheDead(t *testing.T) string {
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
			err = fmt.Errorf("it takes it for %s", review.Status.User.Username)
		}
		return err
	})
	return token
}

// callers send requests with a token or without.
type callers struct{ client http.Client }

func newCallers(t *testing.T) *callers {
	c := &callers{http.Client{Transport: &http.Transport{}, Timeout: fleet.Patience}}
	t.Cleanup(c.client.CloseIdleConnections)
	return c
}

// ask returns status and body of an answer.
func (c *callers) ask(ctx context.Context, url, token string) (status int, body string, err error) {
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

// want checks the answers that a caller gets. What is refused says nothing of the cluster.
func (c *callers) want(t *testing.T, who, token string, status int, urls ...string) {
	t.Helper()
	for _, url := range urls {
		got, body, err := c.ask(t.Context(), url, token)
		if err != nil || got != status {
			t.Errorf("%s, %s: status %d, want %d: %v", who, url, got, status, err)
		}
		if got != http.StatusOK && len(body) > 80 {
			t.Errorf("%s, %s: status %d with %q", who, url, got, body)
		}
	}
}
