// Package faults stands between a client and an API server and does to their
// traffic what networks, load and upgrades do, on a schedule that follows from a
// seed. It is for tests.
package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// Fault is one thing that can go wrong with a request.
type Fault string

// The faults. Those of frames are for watches.
const (
	Expired      Fault = "expired"           // 410 for a list or a watch, which may also be told by an event
	ExpiredPage  Fault = "expired-page"      // 410 for a further page of a list
	Throttled    Fault = "throttled"         // 429 with Retry-After
	Broken       Fault = "broken"            // 500
	Unavailable  Fault = "unavailable"       // 503
	Refused      Fault = "refused"           // the connection ends without an answer
	Reset        Fault = "reset"             // the connection is reset somewhere in the answer
	Truncated    Fault = "truncated"         // the answer ends somewhere, as if it were complete
	Garbled      Fault = "garbled"           // a bit is wrong in the type of a frame
	Slow         Fault = "slow"              // 1 KiB a second for a while
	Stalled      Fault = "stalled"           // nothing comes any more for a while, then a reset
	NoBookmarks  Fault = "no-bookmarks"      // a watch whose bookmarks are withheld, but for the end of a streamed list
	Duplicated   Fault = "duplicated"        // frames come twice
	Lost         Fault = "lost"              // now and then an event does not come, and the watch goes on
	Replayed     Fault = "replayed"          // a watch that begins with events that were seen already
	Stale        Fault = "stale"             // a list that may be from a cache is answered with an earlier answer
	Unsharded    Fault = "unsharded"         // a server that does not know the shard selector
	NoStreaming  Fault = "no-streamed-lists" // a server that does not know streamed lists
	Forbidden    Fault = "forbidden"         // 403
	Absent       Fault = "absent"            // 404
	nothingWrong Fault = ""
)

// All returns all faults.
func All() []Fault {
	return []Fault{
		Expired, ExpiredPage, Throttled, Broken, Unavailable, Refused, Reset, Truncated, Garbled, Slow, Stalled, NoBookmarks, Duplicated,
		Lost, Replayed, Stale, Unsharded, NoStreaming, Forbidden, Absent,
	}
}

// Injector is a handler that passes requests on to another and spoils some. Its
// methods may be called concurrently.
type Injector struct {
	next        http.Handler
	unavailable atomic.Bool

	mu     sync.Mutex
	seed   uint64
	asked  map[string]uint64 // requests so far, by what they ask for
	faults []Fault
	share  float64
	page   int
	watch  int
	lists  bool
	counts map[Fault]int
	stale  map[string][]byte // the first answer to each list
}

// New returns an Injector that spoils nothing until Spoil is called.
func New(next http.Handler, seed uint64) *Injector {
	return &Injector{next: next, seed: seed, asked: map[string]uint64{}, counts: map[Fault]int{}, stale: map[string][]byte{}}
}

// SetFaults makes a share of the requests, 0 to 1, suffer one of the faults each.
func (i *Injector) SetFaults(share float64, faults ...Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.share, i.faults = share, faults
}

// Pages makes pages of lists no longer than this, where a list is asked for in
// pages; 0 leaves them as they are.
func (i *Injector) Pages(objects int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.page = objects
}

// Watches makes watches last no longer than this many seconds; 0 leaves them as they
// are. An API server sends a bookmark two seconds before it ends one.
func (i *Injector) Watches(seconds int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.watch = seconds
}

// Unstreamed refuses all streamed lists, or ends that. It is not counted.
func (i *Injector) Unstreamed(on bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lists = on
}

// SetUnavailable makes every request fail without an answer, or ends that.
func (i *Injector) SetUnavailable(away bool) { i.unavailable.Store(away) }

// Counts returns how many requests suffered each fault.
func (i *Injector) Counts() map[Fault]int {
	i.mu.Lock()
	defer i.mu.Unlock()
	counts := make(map[Fault]int, len(i.counts))
	for f, n := range i.counts {
		counts[f] = n
	}
	return counts
}

// draw chooses what happens to a request, and how far into its answer. That
// follows from the seed and from how often the same was asked for before, whatever
// else is asked for meanwhile.
func (i *Injector) draw(what string) (f Fault, after int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked[what]++
	random := rand.New(rand.NewPCG(i.seed, xxhash.Sum64String(what)+i.asked[what]))
	after = random.IntN(1 << random.IntN(17))
	if len(i.faults) == 0 || random.Float64() >= i.share {
		return nothingWrong, after
	}
	return i.faults[random.IntN(len(i.faults))], after
}

// counter counts a fault when it strikes, and not more than once for a request.
func (i *Injector) counter(f Fault) (struck func()) { return sync.OnceFunc(func() { i.count(f) }) }

func (i *Injector) count(f Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts[f]++
}

// ServeHTTP implements http.Handler.
func (i *Injector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if i.unavailable.Load() {
		panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http ends a connection without an answer
	}
	if i.refusesStream(r) {
		refuse(w, http.StatusUnprocessableEntity, "Invalid")
		return
	}
	r = i.adapted(r)
	f, after := i.draw(r.URL.Path + " " + r.URL.Query().Get("watch"))
	if !f.appliesTo(r) {
		f = nothingWrong
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
		panic(http.ErrAbortHandler) //nolint:forbidigo // as above
	case Replayed, Unsharded:
		i.count(f)
		r = f.rewritten(r, after)
	case Stale:
		i.serveStale(w, r)
		return
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	r = r.WithContext(ctx)
	spoiled := f.faultWriter(w, r, end, i.counter(f), after)
	defer func() {
		// A handler whose answer ended in the middle may abort it. It has to look complete.
		if c, ok := spoiled.(*truncatingWriter); ok && c.ended {
			_ = recover()
		}
	}()
	i.next.ServeHTTP(spoiled, r)
}

func (i *Injector) refusesStream(r *http.Request) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.lists && r.URL.Query().Get("sendInitialEvents") != ""
}

// adapted is a request as Pages and Watches want it.
func (i *Injector) adapted(r *http.Request) *http.Request {
	i.mu.Lock()
	most := map[string]int{"limit": i.page, "timeoutSeconds": i.watch}
	i.mu.Unlock()
	r = r.Clone(r.Context())
	query := r.URL.Query()
	for parameter, n := range most {
		if asked, err := strconv.Atoi(query.Get(parameter)); err == nil && n > 0 && asked > n {
			query.Set(parameter, strconv.Itoa(n))
			r.URL.RawQuery = query.Encode()
		}
	}
	return r
}

// appliesTo says whether a fault makes sense for a request.
func (f Fault) appliesTo(r *http.Request) bool {
	query := r.URL.Query()
	watching, streaming := query.Get("watch") != "", query.Get("sendInitialEvents") != ""
	switch f {
	case NoBookmarks, Duplicated, Garbled, Lost:
		return watching
	case Replayed:
		_, known := older(query.Get("resourceVersion"), 1)
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

// answer is what a request gets instead of the true answer; 0 for nothing.
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

// rewritten is a request as another server would understand it.
func (f Fault) rewritten(r *http.Request, back int) *http.Request {
	r = r.Clone(r.Context())
	query := r.URL.Query()
	if f == Unsharded {
		query.Del("shardSelector")
	} else if version, known := older(query.Get("resourceVersion"), 1+back%64); known {
		query.Set("resourceVersion", version)
	}
	r.URL.RawQuery = query.Encode()
	return r
}

// older is an earlier version, if there is one.
func older(version string, by int) (string, bool) {
	n, err := strconv.Atoi(version)
	if err != nil || n < 2 {
		return "", false
	}
	return strconv.Itoa(max(n-by, 1)), true
}
