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

// How long the API server may take for a review, and how long and how many of its answers are remembered. An accepted
// token is known for longer than it is good: its next review does not compete with those of tokens that no one has
// seen.
const (
	reviewTimeout = 5 * time.Second
	renewTimeout  = time.Second // while the answer before is still good
	tokenTTL      = time.Minute
	allowTTL      = 5 * time.Minute
	denyTTL       = 30 * time.Second
	knownFor      = time.Hour
	maxVerdicts   = 1024 // of each of four kinds; some hundred bytes each
)

// How many reviews one client can cause, and how many of all clients may wait at once. This holds for tokens and
// paths that are not known, and for those that are known once more.
const (
	clientReviewQPS   = 10
	clientReviewBurst = 40
	maxReviews        = 50
	maxClients        = 1024 // to remember; some hundred bytes each
)

// AuthOptions are the choices of an [AuthFilter].
type AuthOptions struct {
	// Audiences a token may be meant for, at least one of them; empty: the API server's own.
	Audiences []string
	// PathPrefix is put before the path of a request to make the non-resource URL that the caller needs. With
	// /statefleet, a scraper needs /statefleet/metrics, a right that is of no use at the API server itself. Empty:
	// the path as it is.
	PathPrefix string
}

// AuthFilter admits callers whose bearer token the API server accepts (TokenReview) and whom it allows to get the
// path of the request as a non-resource URL (SubjectAccessReview). It fails closed: while the API server cannot be
// asked, no one is admitted whose admission is not remembered. Tokens are never held, only hashes of them.
//
// The process needs the right to create tokenreviews.authentication.k8s.io and
// subjectaccessreviews.authorization.k8s.io. A caller needs a rule such as {nonResourceURLs: [/metrics], verbs:
// [get]}.
type AuthFilter struct {
	prefix   string
	first    reviewer // of what is not known, with a budget that strangers can use up
	again    reviewer // of what was accepted before, with a budget of its own
	users    decisionCache[user]
	rights   decisionCache[struct{}] // by token and path
	unknown  *budget
	known    *budget
	requests *prometheus.CounterVec

	tokensFail, accessFail failing
}

// outcome is what became of a request; the text is the label of the counter.
type outcome string

const (
	allowed         outcome = "allowed"
	unauthenticated outcome = "unauthenticated"
	denied          outcome = "denied"
	failed          outcome = "error"
	limitedOutcome  outcome = "limited"
)

// errLimited is why the API server was not asked about a token or a path.
var errLimited = errors.New("too many unknown tokens or paths from this address")

// NewAuthFilter makes a filter that asks the API server of config, with clients of its own. If there can be no such
// client, the filter answers 503 to every request that it does not exempt, and says why in the log. Its counter is
// registered with r; that is the only error.
func NewAuthFilter(config *rest.Config, o AuthOptions, r prometheus.Registerer, log *slog.Logger) (*AuthFilter, error) {
	f := &AuthFilter{
		prefix: o.PathPrefix,
		users: decisionCache[user]{
			yes: ttlCache[user]{ttl: tokenTTL, ages: tokenTTL / 2, keeps: knownFor, limit: maxVerdicts},
			no:  ttlCache[user]{ttl: tokenTTL, limit: maxVerdicts},
		},
		rights: decisionCache[struct{}]{
			yes: ttlCache[struct{}]{ttl: allowTTL, ages: allowTTL / 2, keeps: knownFor, limit: maxVerdicts},
			no:  ttlCache[struct{}]{ttl: denyTTL, limit: maxVerdicts},
		},
		unknown: newBudget(),
		known:   newBudget(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_auth_requests_total",
			Help: "Requests that --auth-filter has checked, on both ports, by result; error: the API server could not be " +
				"asked; limited: too many unknown tokens or paths from one address.",
		}, []string{"result"}),
		tokensFail: failing{log: log, kind: "token"},
		accessFail: failing{log: log, kind: "access"},
	}
	for _, o := range []outcome{allowed, unauthenticated, denied, failed, limitedOutcome} {
		f.requests.WithLabelValues(string(o))
	}
	f.first, f.again = newReviewer(config, o.Audiences), newReviewer(config, o.Audiences)
	if err := r.Register(f.requests); err != nil {
		return nil, fmt.Errorf("metric about callers: %w", err)
	}
	return f, nil
}

// Protect returns a handler that passes what the filter admits on to next, and so do requests for the health paths,
// whichever client sends them: kubelets have no token. Every other path is covered, whether next knows it or not.
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
	from, key := clientOf(r.RemoteAddr), sha256.Sum256([]byte(token))
	u, ok, err := f.users.of(r.Context(), key, f.whose(from, token))
	if err != nil {
		return failure(err)
	}
	if !ok {
		return unauthenticated
	}
	// The hash has a fixed length, so token and path cannot be told apart in another way.
	key = sha256.Sum256(append(key[:], r.URL.Path...))
	_, ok, err = f.rights.of(r.Context(), key, f.may(from, u, f.prefix+r.URL.Path))
	switch {
	case err != nil:
		return failure(err)
	case !ok:
		return denied
	default:
		return allowed
	}
}

func failure(err error) outcome {
	if errors.Is(err, errLimited) {
		return limitedOutcome
	}
	return failed
}

// whose is the question who bears a token.
func (f *AuthFilter) whose(from client, token string) question[user] {
	review := func(by reviewer) inquiry[user] {
		return func(ctx context.Context) (user, bool, error) {
			u, ok, err := by.authenticate(ctx, token)
			f.tokensFail.note(err)
			return u, ok, err
		}
	}
	first, again := within(f.unknown, from, review(f.first)), within(f.known, from, review(f.again))
	return question[user]{first: first, again: again, timeout: reviewTimeout}
}

// may is the question whether a user may get a path.
func (f *AuthFilter) may(from client, u user, path string) question[struct{}] {
	review := func(by reviewer) inquiry[struct{}] {
		return func(ctx context.Context) (struct{}, bool, error) {
			ok, err := by.allows(ctx, u, path)
			f.accessFail.note(err)
			return struct{}{}, ok, err
		}
	}
	first, again := within(f.unknown, from, review(f.first)), within(f.known, from, review(f.again))
	return question[struct{}]{first: first, again: again, timeout: reviewTimeout}
}

// budget limits the reviews that a client can cause, so that the reviews of others do not wait for them.
type budget struct {
	rates
	waiting *slots
}

func newBudget() *budget {
	return &budget{rates{limit: clientReviewQPS, burst: clientReviewBurst, clients: maxClients}, newSlots(maxReviews)}
}

// within asks if the client's budget allows it.
func within[V any](b *budget, from client, review inquiry[V]) inquiry[V] {
	return func(ctx context.Context) (none V, yes bool, err error) {
		if !b.allow(from) || !b.waiting.take(from) {
			return none, false, errLimited
		}
		defer b.waiting.leave(from)
		return review(ctx)
	}
}

// bearerToken returns the token of a request. A request with several Authorization headers has none: it is not for us
// to choose.
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

// refuse answers without a word about the reason that the API server may have given.
func (o outcome) refuse(w http.ResponseWriter) {
	switch o {
	case unauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "a bearer token that the API server accepts is needed", http.StatusUnauthorized)
	case denied:
		http.Error(w, "the API server does not allow you to get this path", http.StatusForbidden)
	case limitedOutcome:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		http.Error(w, errLimited.Error(), http.StatusTooManyRequests)
	default:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		http.Error(w, "the API server cannot be asked who may get this path", http.StatusServiceUnavailable)
	}
}
