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

// reviewing returns a reviewer that asks an API server of which h is all.
func reviewing(t *testing.T, h http.HandlerFunc) *apiReviewer {
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

// answering decodes a review, lets decide fill its status, and sends it back.
func answering[R any](t *testing.T, path string, decide func(*R)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review R
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.Method != http.MethodPost || r.URL.Path != path {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		decide(&review)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	}
}

func TestTokenReview(t *testing.T) {
	known := user{Username: "system:serviceaccount:monitoring:prometheus", UID: "u1", Groups: []string{"system:authenticated"}}
	a := reviewing(t, answering(t, "/apis/authentication.k8s.io/v1/tokenreviews", func(r *authenticationv1.TokenReview) {
		if r.Spec.Token == "good" {
			r.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: known}
		} else {
			r.Status.Error = "invalid bearer token"
		}
	}))
	u, ok, err := a.authenticate(t.Context(), "good")
	if err != nil || !ok || u.Username != known.Username || u.UID != known.UID || !slices.Equal(u.Groups, known.Groups) {
		t.Errorf("a good token: %+v, %v, %v", u, ok, err)
	}
	if _, ok, err := a.authenticate(t.Context(), "bad"); ok || err != nil {
		t.Errorf("a bad token: %v, %v", ok, err)
	}
}

func TestAccessReviewHasUserAndPath(t *testing.T) {
	var asked authorizationv1.SubjectAccessReviewSpec
	status := authorizationv1.SubjectAccessReviewStatus{Allowed: true}
	a := reviewing(t, answering(t, "/apis/authorization.k8s.io/v1/subjectaccessreviews", func(r *authorizationv1.SubjectAccessReview) {
		asked, r.Status = r.Spec, status
	}))
	who := user{Username: "a", UID: "b", Groups: []string{"c", "d"}, Extra: map[string]authenticationv1.ExtraValue{"e": {"f", "g"}}}
	if ok, err := a.allows(t.Context(), who, "/debug/pprof/heap"); !ok || err != nil {
		t.Errorf("allowed: %v, %v", ok, err)
	}
	if asked.User != "a" || asked.UID != "b" || !slices.Equal(asked.Groups, who.Groups) || !slices.Equal(asked.Extra["e"], []string{"f", "g"}) {
		t.Errorf("asked for %+v", asked)
	}
	if n := asked.NonResourceAttributes; n == nil || n.Path != "/debug/pprof/heap" || n.Verb != "get" || asked.ResourceAttributes != nil {
		t.Errorf("asked for %+v", asked)
	}
	for _, status = range []authorizationv1.SubjectAccessReviewStatus{{}, {EvaluationError: "a role is missing"}, {Allowed: true, Denied: true}} {
		if ok, err := a.allows(t.Context(), who, "/metrics"); ok || err != nil {
			t.Errorf("%+v: %v, %v", status, ok, err)
		}
	}
}

func TestFailedReviewsAreErrors(t *testing.T) {
	forbidden := reviewing(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(apierrors.NewForbidden(authenticationv1.Resource("tokenreviews"), "", errors.New("no role")).ErrStatus)
	})
	garbled := reviewing(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	other := reviewing(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure"})
	})
	hanging := reviewing(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the client leaves
		<-r.Context().Done()
	})
	for name, a := range map[string]*apiReviewer{"forbidden": forbidden, "garbled": garbled, "other": other, "hanging": hanging} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if name == "hanging" {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		}
		if _, ok, err := a.authenticate(ctx, "secret-token"); ok || err == nil || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: token review: %v, %v", name, ok, err)
		}
		if ok, err := a.allows(ctx, user{}, "/metrics"); ok || err == nil {
			t.Errorf("%s: access review: %v, %v", name, ok, err)
		}
		cancel()
	}
}

// Lists and watches must not hold up the reviews, nor the other way round.
func TestReviewsHaveTheirOwnRateLimit(t *testing.T) {
	s := httptest.NewServer(answering(t, "/apis/authentication.k8s.io/v1/tokenreviews", func(*authenticationv1.TokenReview) {}))
	defer s.Close()
	defer s.CloseClientConnections()
	config := &rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	config.RateLimiter = flowcontrol.NewFakeNeverRateLimiter()
	a, err := newAPIReviewer(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range reviewBurst {
		if _, _, err := a.authenticate(t.Context(), "token"); err != nil {
			t.Fatal(err)
		}
	}
	if config.QPS != 0 || config.RateLimiter == nil {
		t.Error("the configuration of the others was changed")
	}
}

// A token that is meant for another client, or of which the API server does not say for whom, is not good here.
func TestTokenReviewComparesAudiences(t *testing.T) {
	var asked, answered []string
	s := httptest.NewServer(answering(t, "/apis/authentication.k8s.io/v1/tokenreviews", func(r *authenticationv1.TokenReview) {
		asked = r.Spec.Audiences
		r.Status = authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: answered}
	}))
	defer s.Close()
	defer s.CloseClientConnections()
	config := &rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	for _, c := range []struct {
		wanted, answered []string
		good             bool
	}{
		{nil, nil, true},
		{nil, []string{"https://kubernetes.default.svc"}, true},
		{[]string{"statefleet"}, []string{"statefleet"}, true},
		{[]string{"metrics", "statefleet"}, []string{"statefleet"}, true},
		{[]string{"statefleet"}, nil, false},
		{[]string{"statefleet"}, []string{"https://kubernetes.default.svc"}, false},
	} {
		a, err := newAPIReviewer(config, c.wanted)
		if err != nil {
			t.Fatal(err)
		}
		answered = c.answered
		if _, ok, err := a.authenticate(t.Context(), "token"); ok != c.good || err != nil {
			t.Errorf("wanted %v, answered %v: %v, %v", c.wanted, c.answered, ok, err)
		}
		if !slices.Equal(asked, c.wanted) {
			t.Errorf("asked for %v, want %v", asked, c.wanted)
		}
	}
}
