package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

// Timeouts of reviews, and how long and how many decisions are cached. An accepted token stays known
// for longer than it is valid, so that its next review does not compete with those of unknown tokens.
const (
	reviewTimeout = 5 * time.Second
	renewTimeout  = time.Second // while the previous decision is valid
	tokenTTL      = time.Minute
	allowTTL      = 5 * time.Minute
	denyTTL       = 30 * time.Second
	knownFor      = time.Hour
	maxDecisions  = 1024 // of each of four kinds; some hundred bytes each
)

// Limits of the reviews that one client can cause, and of those of all clients at once; separately for
// unknown tokens and paths, and for known ones.
const (
	clientReviewQPS   = 10
	clientReviewBurst = 40
	maxReviews        = 50
)

// AuthOptions configure an [AuthFilter].
type AuthOptions struct {
	// Audiences are those of which a token must have at least one; empty: the API server's own.
	Audiences []string
	// PathPrefix is put before the path of a request to form the non-resource URL that a caller needs.
	// With /statefleet, a scraper needs /statefleet/metrics, which permits nothing at the API server
	// itself. Empty: the path as it is.
	PathPrefix string
}

// AuthFilter admits callers whose bearer token the API server accepts (TokenReview) and whom it
// allows to get the path of the request as a non-resource URL (SubjectAccessReview). It fails closed:
// while the API server cannot be asked, only callers with a cached decision are admitted. It keeps
// hashes of tokens, not tokens.
//
// The process needs the permission to create tokenreviews.authentication.k8s.io and
// subjectaccessreviews.authorization.k8s.io. A caller needs a rule such as {nonResourceURLs:
// [/metrics], verbs: [get]}.
type AuthFilter struct {
	prefix   string
	users    *decisionCache // by token
	rights   *decisionCache // by token and path
	unknown  reviewQueue    // clients can exhaust it
	known    reviewQueue    // for tokens and paths that were accepted before
	requests *prometheus.CounterVec

	tokenFailures, accessFailures failureLog
}

// outcome is the result of the checks of a request, and the label of the counter.
type outcome string

const (
	allowed         outcome = "allowed"
	unauthenticated outcome = "unauthenticated"
	denied          outcome = "denied"
	failed          outcome = "error"
	limited         outcome = "limited"
)

// errLimited means that the API server was not asked.
var errLimited = errors.New("too many unknown tokens or paths from this address")

// NewAuthFilter returns a filter with its own clients for the API server of config, and registers its
// counter with r.
func NewAuthFilter(config *rest.Config, o AuthOptions, r prometheus.Registerer, log *slog.Logger) (*AuthFilter, error) {
	f := &AuthFilter{
		prefix: o.PathPrefix,
		users:  newDecisionCache(maxDecisions, tokenTTL, tokenTTL, knownFor, reviewTimeout),
		rights: newDecisionCache(maxDecisions, allowTTL, denyTTL, knownFor, reviewTimeout),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_auth_requests_total",
			Help: "Requests checked by --auth-filter, on both ports, by result; error: the API server could not be asked; " +
				"limited: too many unknown tokens or paths from one address.",
		}, []string{"result"}),
		tokenFailures:  failureLog{log: log, review: "token"},
		accessFailures: failureLog{log: log, review: "access"},
	}
	for _, o := range []outcome{allowed, unauthenticated, denied, failed, limited} {
		f.requests.WithLabelValues(string(o))
	}
	for _, queue := range []*reviewQueue{&f.unknown, &f.known} {
		r, err := newAPIReviewer(config, o.Audiences)
		if err != nil {
			return nil, err
		}
		*queue = reviewQueue{r, newBudget(clientReviewQPS, clientReviewBurst, maxReviews)}
	}
	if err := r.Register(f.requests); err != nil {
		return nil, fmt.Errorf("metric of authentication: %w", err)
	}
	return f, nil
}

// Protect returns a handler that passes admitted requests, and all requests for health paths, to
// next. It checks every other path, whether next serves it or not.
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

func (f *AuthFilter) check(r *http.Request) outcome {
	token, ok := bearerToken(r.Header)
	if !ok {
		return unauthenticated
	}
	from, key := clientOf(r.RemoteAddr), sha256.Sum256([]byte(token))
	authenticate := func(ctx context.Context, by reviewer) (decision, error) { return by.authenticate(ctx, token) }
	caller, err := f.users.decide(r.Context(), key, f.review(from, &f.tokenFailures, authenticate))
	switch {
	case err != nil:
		return failure(err)
	case !caller.yes:
		return unauthenticated
	}
	// The hash of the token has a fixed length, so no other token and path give the same bytes.
	key = sha256.Sum256(append(key[:], r.URL.Path...))
	path := f.prefix + r.URL.Path
	authorize := func(ctx context.Context, by reviewer) (decision, error) { return by.authorize(ctx, caller.user, path) }
	right, err := f.rights.decide(r.Context(), key, f.review(from, &f.accessFailures, authorize))
	switch {
	case err != nil:
		return failure(err)
	case !right.yes:
		return denied
	}
	return allowed
}

func failure(err error) outcome {
	if errors.Is(err, errLimited) {
		return limited
	}
	return failed
}

// reviewQueue is a reviewer with a budget for each client.
type reviewQueue struct {
	reviewer
	*budget
}

// review returns a question that a reviewer answers, within the budget of a client.
func (f *AuthFilter) review(
	from client, failures *failureLog, ask func(ctx context.Context, by reviewer) (decision, error),
) question {
	return func(ctx context.Context, known bool) (decision, error) {
		queue := f.unknown
		if known {
			queue = f.known
		}
		if !queue.acquire(from) {
			return decision{}, errLimited
		}
		defer queue.release(from)
		d, err := ask(ctx, queue)
		return d, failures.note(err)
	}
}

// bearerToken returns the token of a request. A request with several Authorization headers has none,
// because it is ambiguous.
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

// refuse responds without the error of the API server, which may contain addresses.
func (o outcome) refuse(w http.ResponseWriter) {
	switch o {
	case unauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "needs a bearer token that the API server accepts", http.StatusUnauthorized)
	case denied:
		http.Error(w, "the API server does not allow you to get this path", http.StatusForbidden)
	case limited:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		http.Error(w, errLimited.Error(), http.StatusTooManyRequests)
	default:
		notReady(w, errors.New("the API server cannot be asked who may get this path"))
	}
}
