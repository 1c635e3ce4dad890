package sharding

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/shard"
)

// A rejected selector is sent again after a while, because the API server may have been upgraded
// since. The API server's filter is verified at the same intervals.
const (
	firstRetry  = 10 * time.Minute
	laterRetry  = time.Hour
	minSelector = 512 // bytes; shorter selectors are not worth sending
)

// ErrMismatch is why an answer is not used: the API server applies another selector than it was
// sent.
var ErrMismatch = errors.New("the API server applies another shard selector than it was sent")

// Server is what the Reflectors of a process know about the API server's sharding. Make one with
// New. It is safe for concurrent use.
type Server struct {
	mismatches prometheus.Counter

	mu       sync.Mutex
	longest  int       // bytes of a selector that is sent; 0 sends none
	retryAt  time.Time // when longest is shard.MaxSelector again
	verifyAt time.Time // when another Reflector may verify the API server's filter
	broken   bool
	mismatch chan struct{} // closed when broken is set
}

// New returns a Server without any knowledge. It increments mismatches once at most, for an API
// server that applies another selector.
func New(mismatches prometheus.Counter) *Server {
	return &Server{mismatches: mismatches, longest: shard.MaxSelector, mismatch: make(chan struct{})}
}

// next returns when something is tried again, by when that was last so; zero for never.
func next(last time.Time) time.Time {
	if last.IsZero() {
		return time.Now().Add(firstRetry)
	}
	return time.Now().Add(laterRetry)
}

func due(at time.Time) bool { return !time.Now().Before(at) }

// Mismatch returns a channel that is closed once an API server turns out to apply another selector
// than it was sent. Objects may be missing then, so the owner of the Reflectors must list
// everything again. The process sends no selector from then on: another attempt would leave out
// objects until the mismatch is found again. A restart of the process tries again.
func (s *Server) Mismatch() <-chan struct{} { return s.mismatch }

// Selector is the shard selector of one request.
type Selector struct {
	// Text is the selector as it is sent; "" asks for everything.
	Text string
	// Wanted is the selector that the Reflector has requested.
	Wanted string

	ranges shard.Ranges // the ranges of Text, unless it is ""
}

// Covers reports whether the selector asks for a hash.
func (q Selector) Covers(hash uint64) bool { return q.Text == "" || q.ranges.Contains(hash) }

// Fraction is the part of all hashes that the selector asks for.
func (q Selector) Fraction() float64 {
	if q.Text == "" {
		return 1
	}
	return q.ranges.Fraction()
}

// equals reports whether the selector of an answer asks for the same ranges. API servers may format
// the terms in another way.
func (q Selector) equals(answered string) bool {
	ranges, err := shard.ParseSelector(answered)
	return err == nil && ranges.Equal(q.ranges)
}

// Selector returns the selector that is sent for a wanted one.
func (s *Server) Selector(wanted string) Selector {
	s.mu.Lock()
	defer s.mu.Unlock()
	if due(s.retryAt) {
		s.longest = shard.MaxSelector
	}
	q := Selector{Text: wanted, Wanted: wanted}
	var err error
	q.ranges, err = shard.ParseSelector(q.Text)
	if err == nil && len(q.Text) > s.longest {
		q.Text = q.ranges.SelectorWithin(s.longest)
		q.ranges, err = shard.ParseSelector(q.Text)
	}
	if s.broken || err != nil { // an answer to what cannot be parsed could not be verified
		return Selector{Wanted: wanted}
	}
	return q
}

// Reject records the error of a request. It reports whether the selector has caused it, so that the
// caller retries with a shorter one or with none.
func (s *Server) Reject(q Selector, err error, logger *slog.Logger) bool {
	tooLong := isTooLong(err)
	if q.Text == "" || !tooLong && !isSelectorError(err) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := 0
	if tooLong && len(q.Text)/2 >= minSelector {
		longest = len(q.Text) / 2
	}
	s.longest = min(s.longest, longest)
	if due(s.retryAt) {
		s.retryAt = next(s.retryAt)
		logger.Info("API server rejected the shard selector; sending a shorter one or none until the next attempt",
			"bytes", len(q.Text), "next", s.retryAt, "err", err)
	}
	return true
}

// isSelectorError reports whether an API server cannot parse the selector.
func isSelectorError(err error) bool {
	return (apierrors.IsInternalError(err) || apierrors.IsBadRequest(err) || apierrors.IsInvalid(err)) &&
		strings.Contains(strings.ToLower(err.Error()), "shard")
}

// isTooLong reports whether a request line was too long for the API server, or for a proxy in front
// of it.
func isTooLong(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code == http.StatusRequestURITooLong || code == http.StatusRequestHeaderFieldsTooLarge
}

// Fail records that an API server applies another selector than it was sent.
func (s *Server) Fail(logger *slog.Logger, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return
	}
	s.broken = true
	close(s.mismatch)
	s.mismatches.Inc()
	logger.Error("API server applies another shard selector than it was sent; sending none from now on and listing everything again",
		"err", err)
}

// MayVerify reports whether the caller should verify the API server's filter now.
func (s *Server) MayVerify() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken || !due(s.verifyAt) {
		return false
	}
	s.verifyAt = next(s.verifyAt)
	return true
}

// VerifyAgain allows another verification immediately, because the last one failed.
func (s *Server) VerifyAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verifyAt = time.Time{}
}
