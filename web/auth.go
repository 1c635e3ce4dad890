package web

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

// How long the API server may take for a review, and how long and how many of its answers are remembered.
const (
	reviewTimeout = 5 * time.Second
	tokenLasts    = time.Minute
	allowLasts    = 5 * time.Minute
	denyLasts     = 30 * time.Second
	maxVerdicts   = 1024 // of each of four kinds; some hundred bytes each
)

// AuthFilter admits callers whose bearer token the API server accepts (TokenReview) and whom it allows to get the path of the
// request as a non-resource URL (SubjectAccessReview). It fails closed: while the API server cannot be asked, nobody is
// admitted whose admission is not remembered. Tokens are never held, only hashes of them.
//
// The process needs the right to create tokenreviews.authentication.k8s.io and subjectaccessreviews.authorization.k8s.io. A caller
// needs a rule such as {nonResourceURLs: [/metrics], verbs: [get]}.
type AuthFilter struct {
	reviewer reviewer
	users    verdicts[user]     // by token
	rights   verdicts[struct{}] // by token and path
	requests *prometheus.CounterVec
	log      *slog.Logger
	// Whether the last review of each kind has failed.
	tokensFail, accessFail atomic.Bool
}

// outcome is what became of a request; the text is the label of the counter.
type outcome string

const (
	allowed         outcome = "allowed"
	unauthenticated outcome = "unauthenticated"
	denied          outcome = "denied"
	failed          outcome = "error"
)

// NewAuthFilter makes a filter that asks the API server of config, with a client of its own. If there can be no such client, the
// filter answers 503 to every request that it does not exempt, and says why in the log. Its counter is registered with r; that is the
// only error.
func NewAuthFilter(config *rest.Config, r prometheus.Registerer, log *slog.Logger) (*AuthFilter, error) {
	f := &AuthFilter{
		users: verdicts[user]{
			yes: memory[user]{lasts: tokenLasts, limit: maxVerdicts},
			no:  memory[user]{lasts: tokenLasts, limit: maxVerdicts},
		},
		rights: verdicts[struct{}]{
			yes: memory[struct{}]{lasts: allowLasts, limit: maxVerdicts},
			no:  memory[struct{}]{lasts: denyLasts, limit: maxVerdicts},
		},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_auth_requests_total",
			Help: "Requests that --auth-filter has checked, on both ports, by result; error: the API server could not be asked.",
		}, []string{"result"}),
		log: log,
	}
	for _, o := range []outcome{allowed, unauthenticated, denied, failed} {
		f.requests.WithLabelValues(string(o))
	}
	if api, err := newAPIReviewer(config); err != nil {
		f.reviewer = noReviewer{err}
	} else {
		f.reviewer = api
	}
	if err := r.Register(f.requests); err != nil {
		return nil, fmt.Errorf("metric about callers: %w", err)
	}
	return f, nil
}

// Protect returns a handler that passes what the filter admits on to next, and so do requests for the health paths, whoever sends
// them: kubelets have no token. Every other path is covered, whether next knows it or not.
func (f *AuthFilter) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProbe(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		o := f.check(r)
		f.requests.WithLabelValues(string(o)).Inc()
		if o == allowed {
			next.ServeHTTP(w, r)
			return
		}
		o.refuse(w)
	})
}

// isProbe tells the paths that are open to everybody.
func isProbe(path string) bool { return path == "/healthz" || path == "/livez" || path == "/readyz" }

func (f *AuthFilter) check(r *http.Request) outcome {
	token, ok := bearerToken(r.Header)
	if !ok {
		return unauthenticated
	}
	ctx, key := r.Context(), sha256.Sum256([]byte(token))
	u, ok, err := f.users.of(ctx, key, reviewTimeout, func(ctx context.Context) (user, bool, error) {
		u, ok, err := f.reviewer.authenticate(ctx, token)
		f.note(&f.tokensFail, "token", err)
		return u, ok, err
	})
	if err != nil {
		return failed
	}
	if !ok {
		return unauthenticated
	}
	// The hash has a fixed length, so token and path cannot be told apart in another way.
	key = sha256.Sum256(append(key[:], r.URL.Path...))
	_, ok, err = f.rights.of(ctx, key, reviewTimeout, func(ctx context.Context) (struct{}, bool, error) {
		ok, err := f.reviewer.allows(ctx, u, r.URL.Path)
		f.note(&f.accessFail, "access", err)
		return struct{}{}, ok, err
	})
	switch {
	case err != nil:
		return failed
	case !ok:
		return denied
	default:
		return allowed
	}
}

// bearerToken returns the token of a request. A request with several Authorization headers has none: it is not for us to choose.
func bearerToken(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	words := strings.Fields(values[0])
	if len(words) != 2 || !strings.EqualFold(words[0], "Bearer") {
		return "", false
	}
	return words[1], true
}

// note logs when reviews of a kind begin to fail, and when they work again.
func (f *AuthFilter) note(failing *atomic.Bool, kind string, err error) {
	switch {
	case err != nil && failing.CompareAndSwap(false, true):
		f.log.Error("callers cannot be checked; they are answered 503", "review", kind, "err", err)
	case err == nil && failing.CompareAndSwap(true, false):
		f.log.Info("callers can be checked again", "review", kind)
	}
}

// refuse answers without a word about the reason that the API server may have given.
func (o outcome) refuse(w http.ResponseWriter) {
	switch o {
	case unauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "a bearer token that the API server accepts is needed", http.StatusUnauthorized)
	case denied:
		http.Error(w, "the API server does not allow you to get this path", http.StatusForbidden)
	default:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		http.Error(w, "the API server cannot be asked who may get this path", http.StatusServiceUnavailable)
	}
}
