package watch

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/shard"
)

// How long a shard selector that was rejected is not sent again, unless the options say so: the API server may have been
// upgraded since.
const (
	firstRetry  = 10 * time.Minute
	laterRetry  = time.Hour
	minSelector = 512 // bytes; a selector that has to be shorter is not worth sending
)

// ServerShardingOptions say how Reflectors treat server-side sharding.
type ServerShardingOptions struct {
	// Metrics count what is found out.
	Metrics *Metrics
	// FirstRetry and LaterRetry are how long a selector that was rejected for the first time, and once more, is not
	// sent; 0 means 10 minutes and an hour. As often, an API server that ignores the selector is asked whether it does.
	FirstRetry, LaterRetry time.Duration
}

// ServerSharding is what the Reflectors of a process know of server-side sharding (KEP-5866): an API server may reject the
// shard selector, or apply another one than it was sent. It is safe for concurrent use.
type ServerSharding struct {
	options ServerShardingOptions

	mu       sync.Mutex
	longest  int     // bytes of a selector that is sent; 0 sends none
	rejected backoff // until longest is MaxSelector again
	verified backoff // until another Reflector may verify the API server's filter
	broken   bool
	mismatch chan struct{} // closed when broken is set
}

// NewServerSharding returns what a process knows when it starts.
func NewServerSharding(o ServerShardingOptions) *ServerSharding {
	if o.FirstRetry == 0 {
		o.FirstRetry = firstRetry
	}
	if o.LaterRetry == 0 {
		o.LaterRetry = laterRetry
	}
	return &ServerSharding{options: o, longest: shard.MaxSelector, mismatch: make(chan struct{})}
}

// backoff is a time before which something is not tried again.
type backoff struct {
	until time.Time
	pause time.Duration
}

func (b *backoff) over() bool { return !time.Now().Before(b.until) }

func (b *backoff) begin(o ServerShardingOptions) {
	if b.pause == 0 {
		b.pause = o.FirstRetry
	} else {
		b.pause = o.LaterRetry
	}
	b.until = time.Now().Add(b.pause)
}

// Mismatch returns a channel that is closed once an API server turns out to apply another selector than it was sent.
// What it has left out is missing then: the owner of the Reflectors has to list everything again. No selector is sent any
// more in the life of the process. Trying again would leave objects out again until it is noticed, and the upgrade of
// an API server to other hashes and back is rarer than restarts of this process, which try again.
func (s *ServerSharding) Mismatch() <-chan struct{} { return s.mismatch }

// sentSelector is the shard selector of one request.
type sentSelector struct {
	text   string       // "" asks for everything
	ranges shard.Ranges // what text asks for, unless it is ""
	wanted string       // what the Reflector wanted to be sent
}

// covers reports whether the selector asks for a hash.
func (q sentSelector) covers(hash uint64) bool { return q.text == "" || q.ranges.Contains(hash) }

// says reports whether the selector of an answer asks for the same. An API server writes the terms again, in the order
// in which it has read them.
func (q sentSelector) says(answered string) bool {
	if answered == q.text {
		return true
	}
	ranges, err := shard.ParseSelector(answered)
	return err == nil && ranges.Equal(q.ranges)
}

// selector returns what is sent in place of a selector that is wanted.
func (s *ServerSharding) selector(wanted string) sentSelector {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.longest < shard.MaxSelector && s.rejected.over() {
		s.longest = shard.MaxSelector
	}
	none := sentSelector{wanted: wanted}
	if wanted == "" || s.broken {
		return none
	}
	ranges, err := shard.ParseSelector(wanted)
	if err != nil {
		return none // an answer to it could not be verified
	}
	if len(wanted) <= s.longest {
		return sentSelector{wanted, ranges, wanted}
	}
	text := ranges.SelectorWithin(s.longest)
	if ranges, err = shard.ParseSelector(text); err != nil {
		return none
	}
	return sentSelector{text, ranges, wanted}
}

// reject notes the error of a request. It reports whether the selector was at fault, so that a shorter one, or none, is
// to be tried at once.
func (s *ServerSharding) reject(q sentSelector, err error, logger *slog.Logger) bool {
	tooLong := isTooLong(err)
	if q.text == "" || !tooLong && !isSelectorError(err) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := 0
	if tooLong && len(q.text)/2 >= minSelector {
		longest = len(q.text) / 2
	}
	s.longest = min(s.longest, longest)
	if s.rejected.over() {
		s.rejected.begin(s.options)
		logger.Info("API server rejected the shard selector; sending a shorter one or none until the next attempt",
			"bytes", len(q.text), "next", s.rejected.until, "err", err)
	}
	return true
}

// isSelectorError reports whether an API server can't read the selector.
func isSelectorError(err error) bool {
	return (apierrors.IsInternalError(err) || apierrors.IsBadRequest(err) || apierrors.IsInvalid(err)) &&
		strings.Contains(strings.ToLower(err.Error()), "shard")
}

// isTooLong reports whether a request line was too long for the API server, or for a proxy in front of it.
func isTooLong(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code == http.StatusRequestURITooLong || code == http.StatusRequestHeaderFieldsTooLarge
}

// fail notes that an API server applies another selector than it was sent.
func (s *ServerSharding) fail(logger *slog.Logger, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return
	}
	s.broken = true
	close(s.mismatch)
	s.options.Metrics.mismatches.Inc()
	logger.Error("API server applies another shard selector than it was sent; sending none from now on and listing everything again",
		"err", err)
}

// mayVerify reports whether the caller is to verify the API server's filter now.
func (s *ServerSharding) mayVerify() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken || !s.verified.over() {
		return false
	}
	s.verified.begin(s.options)
	return true
}

// verifyAgain lets the filter be verified again at once: the attempt failed.
func (s *ServerSharding) verifyAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verified = backoff{}
}
