// Package faults stands between a client and an API server and does to their
// traffic what networks, load and upgrades do, on a schedule that follows from a
// seed. It is for tests.
package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// Fault is one thing that can go wrong with a request.
type Fault string

// The faults. Those of frames are for watches.
const (
	Expired      Fault = "expired"           // 410, of a watch or in the middle of a list
	Throttled    Fault = "throttled"         // 429 with Retry-After
	Broken       Fault = "broken"            // 500
	Unavailable  Fault = "unavailable"       // 503
	Refused      Fault = "refused"           // the connection ends without an answer
	Reset        Fault = "reset"             // the connection is reset somewhere in the answer
	Truncated    Fault = "truncated"         // the answer ends somewhere, as if it were complete
	Garbled      Fault = "garbled"           // the length, or the beginning, of a frame is wrong
	Slow         Fault = "slow"              // 1 KiB a second for a while
	Stalled      Fault = "stalled"           // nothing comes any more for a while, then a reset
	NoBookmarks  Fault = "no-bookmarks"      // a watch whose bookmarks are withheld, but for the end of a streamed list
	Duplicated   Fault = "duplicated"        // frames come twice
	Replayed     Fault = "replayed"          // a watch that begins with events that were seen already
	Stale        Fault = "stale"             // a list that is answered with an earlier answer
	Unsharded    Fault = "unsharded"         // a server that does not know the shard selector
	NoStreaming  Fault = "no-streamed-lists" // a server that does not know streamed lists
	Forbidden    Fault = "forbidden"         // 403
	Absent       Fault = "absent"            // 404
	nothingWrong Fault = ""
)

// All returns all faults.
func All() []Fault {
	return []Fault{
		Expired, Throttled, Broken, Unavailable, Refused, Reset, Truncated, Garbled, Slow, Stalled, NoBookmarks, Duplicated,
		Replayed, Stale, Unsharded, NoStreaming, Forbidden, Absent,
	}
}

// Injector is a handler that passes requests on to another and spoils some. Its
// methods may be called concurrently.
type Injector struct {
	next http.Handler
	away atomic.Bool

	mu     sync.Mutex
	random *rand.Rand
	faults []Fault
	share  float64
	counts map[Fault]int
	stale  map[string][]byte // the first answer to each list
}

// New returns an Injector that spoils nothing until Spoil is called.
func New(next http.Handler, seed uint64) *Injector {
	return &Injector{next: next, random: rand.New(rand.NewPCG(seed, 0)), counts: map[Fault]int{}, stale: map[string][]byte{}}
}

// Spoil makes a share of the requests, 0 to 1, suffer one of the faults each.
func (i *Injector) Spoil(share float64, faults ...Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.share, i.faults = share, faults
}

// Away makes every request fail without an answer, or ends that.
func (i *Injector) Away(away bool) { i.away.Store(away) }

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

// draw chooses what happens to a request, and how far into its answer.
func (i *Injector) draw() (f Fault, after int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	after = i.random.IntN(1 << i.random.IntN(17))
	if len(i.faults) == 0 || i.random.Float64() >= i.share {
		return nothingWrong, after
	}
	return i.faults[i.random.IntN(len(i.faults))], after
}

func (i *Injector) count(f Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts[f]++
}

// ServeHTTP implements http.Handler.
func (i *Injector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if i.away.Load() {
		panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http ends a connection without an answer
	}
	f, after := i.draw()
	query := r.URL.Query()
	watching := query.Get("watch") != ""
	if !f.suits(watching, query.Get("sendInitialEvents") != "") {
		f = nothingWrong
	}
	if f != nothingWrong {
		i.count(f)
	}
	if status, reason := f.answer(); status != 0 {
		refuse(w, status, reason)
		return
	}
	switch f {
	case Refused:
		panic(http.ErrAbortHandler) //nolint:forbidigo // as above
	case Replayed, Unsharded:
		r = f.rewritten(r, after)
	case Stale:
		i.serveStale(w, r)
		return
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	r = r.WithContext(ctx)
	i.next.ServeHTTP(f.spoiler(w, r, end, after), r)
}

// suits says whether a fault makes sense for a request.
func (f Fault) suits(watching, streaming bool) bool {
	switch f {
	case NoBookmarks, Duplicated, Garbled:
		return watching
	case Replayed:
		return watching && !streaming
	case NoStreaming:
		return streaming
	case Stale:
		return !watching
	}
	return true
}

// answer is what a request gets instead of the true answer; 0 for nothing.
func (f Fault) answer() (status int, reason string) {
	switch f {
	case Expired:
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
	} else if version := older(query.Get("resourceVersion"), back%64); version != "" {
		query.Set("resourceVersion", version)
	}
	r.URL.RawQuery = query.Encode()
	return r
}

// older is an earlier version; "" when there is none.
func older(version string, by int) string {
	var n int
	if _, err := fmt.Sscan(version, &n); err != nil || n-by < 1 {
		return ""
	}
	return fmt.Sprint(n - by)
}

// serveStale answers a list as it was answered at first, as an API server does
// whose cache is behind.
func (i *Injector) serveStale(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Path + "\n" + r.URL.Query().Get("continue") + "\n" + strings.Join(r.Header.Values("Accept"), ",")
	i.mu.Lock()
	body, known := i.stale[key]
	i.mu.Unlock()
	if known && r.URL.Query().Get("continue") == "" {
		head, rest, _ := strings.Cut(string(body), "\n")
		w.Header().Set("Content-Type", head)
		_, _ = w.Write([]byte(rest))
		return
	}
	recorder := &recorder{ResponseWriter: w}
	i.next.ServeHTTP(recorder, r)
	if recorder.status == http.StatusOK && w.Header().Get("Content-Encoding") == "" {
		i.mu.Lock()
		i.stale[key] = append([]byte(w.Header().Get("Content-Type")+"\n"), recorder.body...)
		i.mu.Unlock()
	}
}

// recorder keeps a copy of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.body = append(r.body, p...)
	return r.ResponseWriter.Write(p)
}
