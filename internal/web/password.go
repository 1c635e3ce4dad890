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

// How long and how many comparisons of passwords are remembered. A comparison takes some 50 ms of CPU, on purpose, and
// waits for those before it. A client whose password matched must not wait for strangers who try passwords, so a match
// is remembered for long. It stays true, because the key includes the hash from the file.
const (
	matchLasts    = 365 * 24 * time.Hour
	mismatchLasts = 5 * time.Minute
	maxPasswords  = 128 // of each
	compareFor    = time.Minute
)

// How many passwords one client may try that are not remembered, and how many of all clients may wait for their comparison.
const (
	clientTriesPerSecond = 1
	clientTriesAtOnce    = 10
	maxTries             = 16
)

// unknownUser is the hash that the password of an unknown user is compared with, so that the time of an answer does not tell
// which users exist. It is the hash of a random text.
const unknownUser = "$2a$10$Ow5DamXaM98zrXRuqsuzeeQ/CM2PtD7Q6d7Nq8931srDbjjnQwYci"

// gate does for each request what the web configuration file asks for: headers, a rate limit and basic authentication.
// Probes pass whatever the file says.
type gate struct {
	file    *configFile
	next    http.Handler
	limit   *rate.Limiter // nil: none
	matches decisionCache[struct{}]
	tries   *budget
	compare sync.Mutex // one comparison at a time: strangers must not have all CPUs
}

func newGate(file *configFile, next http.Handler) *gate {
	g := &gate{file: file, next: next, matches: decisionCache[struct{}]{
		yes: ttlCache[struct{}]{ttl: matchLasts, limit: maxPasswords},
		no:  ttlCache[struct{}]{ttl: mismatchLasts, limit: maxPasswords},
	}, tries: &budget{rates{limit: clientTriesPerSecond, burst: clientTriesAtOnce, clients: maxClients}, newSlots(maxTries)}}
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
		switch known, err := g.knows(r, c); {
		case err != nil:
			http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
			return
		case !known:
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
	}
	g.next.ServeHTTP(w, r)
}

// knows reports whether a request bears the name and the password of a user. The error is that its client tries too many.
func (g *gate) knows(r *http.Request, c *config) (bool, error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return false, nil
	}
	hash, known := c.Users[user]
	if !known {
		hash = unknownUser
	}
	var compare inquiry[struct{}] = func(context.Context) (struct{}, bool, error) {
		g.compare.Lock()
		defer g.compare.Unlock()
		return struct{}{}, bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil, nil
	}
	try := within(g.tries, clientOf(r.RemoteAddr), compare)
	_, matches, err := g.matches.of(r.Context(), comparison(hash, password), question[struct{}]{first: try, timeout: compareFor})
	return known && matches, err
}

// comparison stands for the comparison of a password with a hash. The digest of the password has a fixed length, so that
// no other pair gives the same bytes.
func comparison(hash promconfig.Secret, password string) digest {
	secret := sha256.Sum256([]byte(password))
	return sha256.Sum256(append(secret[:], hash...))
}
