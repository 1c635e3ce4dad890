package web

import (
	"context"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	promconfig "github.com/prometheus/common/config"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
)

// How long and how many results of comparing passwords are cached. A comparison takes some 50 ms of
// CPU, on purpose, and waits for those before it. A client whose password matched must not wait for
// strangers who try passwords, so a match is cached for long. It stays true, because its key includes
// the hash in the file.
const (
	matchTTL     = 365 * 24 * time.Hour
	mismatchTTL  = 5 * time.Minute
	maxPasswords = 128 // of each kind
	matchTimeout = time.Minute
)

// Limits of the passwords that one client may try, and of the comparisons of all clients that may wait.
const (
	clientTriesPerSecond = 1
	clientTriesAtOnce    = 10
	maxTries             = 16
)

// unknownUserHash is compared with the password of an unknown user, so that the time of a response
// does not reveal which users exist. It is the hash of a random text.
const unknownUserHash = "$2a$10$Ow5DamXaM98zrXRuqsuzeeQ/CM2PtD7Q6d7Nq8931srDbjjnQwYci"

// gate applies the web configuration file to requests: headers, a rate limit and basic
// authentication. Requests for health paths always pass.
type gate struct {
	file    *ConfigFile
	next    http.Handler
	limit   *rate.Limiter // nil: none
	matches *decisionCache
	tries   *budget
	compare sync.Mutex // one comparison at a time, so that strangers do not take all CPUs
}

func newGate(file *ConfigFile, next http.Handler) *gate {
	g := &gate{
		file: file, next: next,
		matches: newDecisionCache(maxPasswords, matchTTL, mismatchTTL, matchTTL, matchTimeout),
		tries:   newBudget(clientTriesPerSecond, clientTriesAtOnce, maxTries),
	}
	if l := file.valid.Load().RateLimiterConfig; l.Interval != 0 {
		g.limit = rate.NewLimiter(rate.Every(l.Interval), l.Burst)
	}
	return g
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isProbe(r.URL.Path) {
		g.next.ServeHTTP(w, r)
		return
	}
	if g.limit != nil && !g.limit.Allow() {
		http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
		return
	}
	c := g.file.valid.Load()
	for name, value := range c.HTTPConfig.Header {
		w.Header().Set(name, value)
	}
	if len(c.Users) > 0 {
		switch ok, err := g.authenticate(r, c); {
		case err != nil:
			http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
			return
		case !ok:
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
	}
	g.next.ServeHTTP(w, r)
}

// authenticate reports whether a request has the name and password of a user. It returns errLimited
// for a client that tries too many.
func (g *gate) authenticate(r *http.Request, c *config) (bool, error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return false, nil
	}
	hash, known := c.Users[user]
	if !known {
		hash = unknownUserHash
	}
	match, err := g.matches.decide(r.Context(), matchKey(hash, password), func(context.Context, bool) (decision, error) {
		from := clientOf(r.RemoteAddr)
		if !g.tries.acquire(from) {
			return decision{}, errLimited
		}
		defer g.tries.release(from)
		g.compare.Lock()
		defer g.compare.Unlock()
		return decision{yes: bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil}, nil
	})
	return known && match.yes, err
}

// matchKey identifies the comparison of a password with a hash. The digest of the password has a fixed
// length, so that no other pair gives the same bytes.
func matchKey(hash promconfig.Secret, password string) digest {
	secret := sha256.Sum256([]byte(password))
	return sha256.Sum256(append(secret[:], hash...))
}
