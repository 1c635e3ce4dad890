package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// newTestReviewer returns a reviewer whose API server is h.
func newTestReviewer(t *testing.T, h http.HandlerFunc) *apiReviewer {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	a, err := newAPIReviewer(&rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// reviewHandler returns a handler of one kind of review: it decodes a review, lets decide set its status, and returns
// it.
func reviewHandler[R any](t *testing.T, path string, decide func(*R)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review R
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.Method != http.MethodPost || r.URL.Path != path {
			t.Errorf("got %s %s, error %v; want a POST of a review to %s", r.Method, r.URL.Path, err, path)
		}
		decide(&review)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	}
}

func TestTokenReview(t *testing.T) {
	known := user{Username: "system:serviceaccount:monitoring:prometheus", UID: "u1", Groups: []string{"system:authenticated"}}
	a := newTestReviewer(t, reviewHandler(t, "/apis/authentication.k8s.io/v1/tokenreviews", func(r *authenticationv1.TokenReview) {
		if r.Spec.Token == "good" {
			r.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: known}
		} else {
			r.Status.Error = "invalid bearer token"
		}
	}))
	d, err := a.authenticate(t.Context(), "good")
	if u := d.user; err != nil || !d.yes || u.Username != known.Username || u.UID != known.UID || !slices.Equal(u.Groups, known.Groups) {
		t.Errorf("a good token: got %+v, error %v; want the user %+v accepted", d, err, known)
	}
	if d, err := a.authenticate(t.Context(), "bad"); d.yes || err != nil {
		t.Errorf("a bad token: got accepted %v, error %v; want it rejected without an error", d.yes, err)
	}
}

func TestAccessReviewHasUserAndPath(t *testing.T) {
	var spec authorizationv1.SubjectAccessReviewSpec
	status := authorizationv1.SubjectAccessReviewStatus{Allowed: true}
	a := newTestReviewer(t, reviewHandler(t, "/apis/authorization.k8s.io/v1/subjectaccessreviews", func(r *authorizationv1.SubjectAccessReview) {
		spec, r.Status = r.Spec, status
	}))
	caller := user{Username: "a", UID: "b", Groups: []string{"c", "d"}, Extra: map[string]authenticationv1.ExtraValue{"e": {"f", "g"}}}
	if d, err := a.authorize(t.Context(), caller, "/debug/pprof/heap"); !d.yes || err != nil {
		t.Errorf("got allowed %v, error %v; want allowed", d.yes, err)
	}
	if spec.User != "a" || spec.UID != "b" || !slices.Equal(spec.Groups, caller.Groups) || !slices.Equal(spec.Extra["e"], []string{"f", "g"}) {
		t.Errorf("the review is about the user %+v, want %+v", spec, caller)
	}
	if n := spec.NonResourceAttributes; n == nil || n.Path != "/debug/pprof/heap" || n.Verb != "get" || spec.ResourceAttributes != nil {
		t.Errorf("the review is about %+v, want get of the path /debug/pprof/heap only", spec)
	}
	for _, status = range []authorizationv1.SubjectAccessReviewStatus{{}, {EvaluationError: "a role is missing"}, {Allowed: true, Denied: true}} {
		if d, err := a.authorize(t.Context(), caller, "/metrics"); d.yes || err != nil {
			t.Errorf("%+v: got allowed %v, error %v; want denied", status, d.yes, err)
		}
	}
}

func TestFailedReviewsAreErrors(t *testing.T) {
	forbidden := newTestReviewer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(apierrors.NewForbidden(authenticationv1.Resource("tokenreviews"), "", errors.New("no role")).ErrStatus)
	})
	garbled := newTestReviewer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	other := newTestReviewer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure"})
	})
	hanging := newTestReviewer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server detects a disconnected client only after it has read the body
		<-r.Context().Done()
	})
	for name, a := range map[string]*apiReviewer{"forbidden": forbidden, "garbled": garbled, "other": other, "hanging": hanging} {
		ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
		if name == "hanging" {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		}
		if d, err := a.authenticate(ctx, "secret-token"); d.yes || err == nil || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: token review: got accepted %v, error %v; want an error without the token", name, d.yes, err)
		}
		if d, err := a.authorize(ctx, user{}, "/metrics"); d.yes || err == nil {
			t.Errorf("%s: access review: got allowed %v, error %v; want an error", name, d.yes, err)
		}
		cancel()
	}
}

// Lists and watches must not delay reviews, and reviews must not delay them.
func TestReviewsHaveTheirOwnRateLimit(t *testing.T) {
	s := httptest.NewServer(reviewHandler(t, "/apis/authentication.k8s.io/v1/tokenreviews", func(*authenticationv1.TokenReview) {}))
	defer s.Close()
	defer s.CloseClientConnections()
	config := &rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	config.RateLimiter = flowcontrol.NewFakeNeverRateLimiter()
	a, err := newAPIReviewer(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range reviewBurst {
		if _, err := a.authenticate(t.Context(), "token"); err != nil {
			t.Fatal(err)
		}
	}
	if config.QPS != 0 || config.RateLimiter == nil {
		t.Error("the reviewer changed the caller's configuration")
	}
}

// A token for another audience is rejected, and so is one whose audiences the API server does not return.
func TestTokenReviewComparesAudiences(t *testing.T) {
	var requested, returned []string
	s := httptest.NewServer(reviewHandler(t, "/apis/authentication.k8s.io/v1/tokenreviews", func(r *authenticationv1.TokenReview) {
		requested = r.Spec.Audiences
		r.Status = authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: returned}
	}))
	defer s.Close()
	defer s.CloseClientConnections()
	config := &rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	for _, c := range []struct {
		requested, returned []string
		good                bool
	}{
		{nil, nil, true},
		{nil, []string{"https://kubernetes.default.svc"}, true},
		{[]string{"statefleet"}, []string{"statefleet"}, true},
		{[]string{"metrics", "statefleet"}, []string{"statefleet"}, true},
		{[]string{"statefleet"}, nil, false},
		{[]string{"statefleet"}, []string{"https://kubernetes.default.svc"}, false},
	} {
		a, err := newAPIReviewer(config, c.requested)
		if err != nil {
			t.Fatal(err)
		}
		returned = c.returned
		if d, err := a.authenticate(t.Context(), "token"); d.yes != c.good || err != nil {
			t.Errorf("audiences %v, token of %v: got accepted %v, error %v; want %v",
				c.requested, c.returned, d.yes, err, c.good)
		}
		if !slices.Equal(requested, c.requested) {
			t.Errorf("the review names the audiences %v, want %v", requested, c.requested)
		}
	}
}
