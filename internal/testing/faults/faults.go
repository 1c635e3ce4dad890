// Package faults injects faults into the traffic between a client and an API server,
// such as those that networks, load and upgrades cause. They follow from a seed. It is
// for tests.
package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// Fault is a kind of failure of a request.
type Fault string

// The faults. Those that affect frames, events or bookmarks apply only to watches.
const (
	Expired     Fault = "expired"           // 410 for a list or a watch, for a watch sometimes as an ERROR event
	ExpiredPage Fault = "expired-page"      // 410 for a further page of a list
	Throttled   Fault = "throttled"         // 429 with Retry-After
	Broken      Fault = "broken"            // 500
	Unavailable Fault = "unavailable"       // 503
	Refused     Fault = "refused"           // the connection ends without an answer
	Reset       Fault = "reset"             // the connection is reset within the answer
	Truncated   Fault = "truncated"         // the answer ends early, as if it were complete
	Garbled     Fault = "garbled"           // a bit of the event type of a frame is flipped
	Slow        Fault = "slow"              // 1 KiB a second for a while
	Stalled     Fault = "stalled"           // no data for a while, then a reset
	NoBookmarks Fault = "no-bookmarks"      // bookmarks are dropped, except that at the end of a streamed list
	Duplicated  Fault = "duplicated"        // frames are sent twice
	Lost        Fault = "lost"              // some events are dropped, and the watch continues
	Replayed    Fault = "replayed"          // a watch begins with events that the client has already received
	Stale       Fault = "stale"             // a list that may be served from a cache gets the first answer to that list
	Unsharded   Fault = "unsharded"         // the shard selector is ignored, as by an older server
	NoStreaming Fault = "no-streamed-lists" // 422 for a streamed list, as from an older server
	Forbidden   Fault = "forbidden"         // 403
	Absent      Fault = "absent"            // 404
	noFault     Fault = ""
)

// All returns all faults.
func All() []Fault {
	return []Fault{
		Expired, ExpiredPage, Throttled, Broken, Unavailable, Refused, Reset, Truncated, Garbled, Slow, Stalled, NoBookmarks, Duplicated,
		Lost, Replayed, Stale, Unsharded, NoStreaming, Forbidden, Absent,
	}
}

// Injector is an http.Handler that forwards requests to another one and injects faults
// into some of them. Its methods may be called concurrently.
type Injector struct {
	next          http.Handler
	seed          uint64
	refuseStreams atomic.Bool
	maxPage       atomic.Int64 // objects; 0 is unlimited
	maxWatch      atomic.Int64 // seconds; 0 is unlimited

	mu     sync.Mutex
	drawn  map[string]uint64 // number of calls of draw, by key
	faults []Fault
	share  float64
	counts map[Fault]int
	stale  map[string]*httptest.ResponseRecorder // the first answer to each list
}

// New returns an Injector that injects no faults until SetFaults is called.
func New(next http.Handler, seed uint64) *Injector {
	return &Injector{
		next: next, seed: seed, drawn: map[string]uint64{}, counts: map[Fault]int{}, stale: map[string]*httptest.ResponseRecorder{},
	}
}

// SetFaults makes the Injector choose one of the faults for each of a share of the
// requests, 0 to 1. A fault that does not apply to a request is not injected.
func (i *Injector) SetFaults(share float64, faults ...Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.share, i.faults = share, faults
}

// Pages limits the pages of lists to a number of objects, if the request has a limit. 0
// removes the limit.
func (i *Injector) Pages(objects int) { i.maxPage.Store(int64(objects)) }

// Watches limits the duration of watches to a number of seconds, if the request has a
// timeout. 0 removes the limit. An API server sends a bookmark two seconds before it ends
// a watch.
func (i *Injector) Watches(seconds int) { i.maxWatch.Store(int64(seconds)) }

// Unstreamed sets whether all streamed lists are refused. These refusals are not counted.
func (i *Injector) Unstreamed(on bool) { i.refuseStreams.Store(on) }

// Counts returns the number of requests that each fault has affected.
func (i *Injector) Counts() map[Fault]int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.counts)
}

// draw chooses the fault of a request, and a number that determines where in the answer
// it is injected. Both follow from the seed and the number of earlier requests with the
// same key, so they are independent of other requests.
func (i *Injector) draw(key string) (f Fault, after int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.drawn[key]++
	random := rand.New(rand.NewPCG(i.seed, xxhash.Sum64String(key)+i.drawn[key]))
	after = random.IntN(1 << random.IntN(17))
	if len(i.faults) == 0 || random.Float64() >= i.share {
		return noFault, after
	}
	return i.faults[random.IntN(len(i.faults))], after
}

func (i *Injector) count(f Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts[f]++
}

// ServeHTTP implements http.Handler.
func (i *Injector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if i.refuseStreams.Load() && r.URL.Query().Get("sendInitialEvents") != "" {
		refuse(w, http.StatusUnprocessableEntity, "Invalid")
		return
	}
	r = i.limited(r)
	f, after := i.draw(r.URL.Path + " " + r.URL.Query().Get("watch"))
	if !f.appliesTo(r) {
		f = noFault
	}
	if status, reason := f.answer(); status != 0 {
		i.count(f)
		if f == Expired && after%2 == 1 && r.URL.Query().Get("watch") != "" {
			expiredEvent(w, r)
			return
		}
		refuse(w, status, reason)
		return
	}
	switch f {
	case Refused:
		i.count(f)
		panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http ends a connection without an answer
	case Replayed, Unsharded:
		i.count(f)
		f.rewrite(r, after)
	}
	if f == Stale || f == noFault && Stale.appliesTo(r) {
		i.serveList(w, r, f == Stale)
		return
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	r = r.WithContext(ctx)
	faulty := f.faultWriter(w, r, end, sync.OnceFunc(func() { i.count(f) }), after)
	defer func() {
		// A handler may panic to abort a truncated answer, which must still look complete.
		if c, ok := faulty.(*truncatingWriter); ok && c.ended {
			_ = recover()
		}
	}()
	i.next.ServeHTTP(faulty, r)
}

// limited returns a copy of the request with the limits of Pages and Watches.
func (i *Injector) limited(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	query := r.URL.Query()
	for parameter, n := range map[string]int64{"limit": i.maxPage.Load(), "timeoutSeconds": i.maxWatch.Load()} {
		if requested, err := strconv.ParseInt(query.Get(parameter), 10, 64); err == nil && n > 0 && requested > n {
			query.Set(parameter, strconv.FormatInt(n, 10))
			r.URL.RawQuery = query.Encode()
		}
	}
	return r
}

// appliesTo reports whether a fault can be injected into a request.
func (f Fault) appliesTo(r *http.Request) bool {
	query := r.URL.Query()
	watching, streaming := query.Get("watch") != "", query.Get("sendInitialEvents") != ""
	switch f {
	case NoBookmarks, Duplicated, Garbled, Lost:
		return watching
	case Replayed:
		_, known := olderVersion(query.Get("resourceVersion"), 1)
		return watching && !streaming && known
	case NoStreaming:
		return streaming
	case Unsharded:
		return query.Get("shardSelector") != ""
	case ExpiredPage:
		return query.Get("continue") != ""
	case Stale:
		return !watching && query.Get("resourceVersion") != ""
	}
	return true
}

// answer returns the status that replaces the server's answer, or 0 if there is none.
func (f Fault) answer() (status int, reason string) {
	switch f {
	case Expired, ExpiredPage:
		return http.StatusGone, "Expired"
	case Throttled:
		return http.StatusTooManyRequests, "TooManyRequests"
	case Broken:
		return http.StatusInternalServerError, "InternalError"
	case Unavailable:
		return http.StatusServiceUnavailable, "ServiceUnavailable"
	case Forbidden:
		return http.StatusForbidden, "Forbidden"
	case Absent:
		return http.StatusNotFound, "NotFound"
	case NoStreaming:
		return http.StatusUnprocessableEntity, "Invalid"
	}
	return 0, ""
}

func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected","reason":%q,"code":%d}`, reason, status)
}

// rewrite removes the shard selector from the request if f is Unsharded, or else asks for an earlier
// version.
func (f Fault) rewrite(r *http.Request, back int) {
	query := r.URL.Query()
	if f == Unsharded {
		query.Del("shardSelector")
	} else if version, known := olderVersion(query.Get("resourceVersion"), 1+back%64); known {
		query.Set("resourceVersion", version)
	}
	r.URL.RawQuery = query.Encode()
}

// olderVersion returns an earlier version, if there is one.
func olderVersion(version string, by int) (string, bool) {
	n, err := strconv.Atoi(version)
	if err != nil || n < 2 {
		return "", false
	}
	return strconv.Itoa(max(n-by, 1)), true
}
