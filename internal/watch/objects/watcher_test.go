package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type configMap = *corev1.ConfigMap

var (
	errUnavailable = apierrors.NewServiceUnavailable("unavailable")
	errForbidden   = apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "", errors.New("no rule"))
	errNotFound    = apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, "a")
)

func object(name, version string) configMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), ResourceVersion: version}}
}

// fakeAPI answers lists and watches as its fields say. The zero value of a field means success.
type fakeAPI struct {
	API[configMap]
	listed    []configMap
	listErr   error
	watchErr  error
	takes     time.Duration // how long a list takes
	hangs     bool          // whether lists wait until their context ends
	watchLife time.Duration // 0: until it is stopped

	lists, watches []metav1.ListOptions
	listedAt       []time.Duration // since the start
	began          time.Time
	watch          *watch.RaceFreeFakeWatcher
}

func (f *fakeAPI) List(ctx context.Context, opts metav1.ListOptions) ([]configMap, string, error) {
	f.lists, f.listedAt = append(f.lists, opts), append(f.listedAt, time.Since(f.began))
	if f.hangs {
		<-ctx.Done()
		return nil, "", ctx.Err()
	}
	time.Sleep(f.takes)
	return f.listed, "7", f.listErr
}

func (f *fakeAPI) Watch(_ context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	f.watches = append(f.watches, opts)
	if f.watchErr != nil {
		return nil, f.watchErr
	}
	f.watch = watch.NewRaceFreeFake()
	if f.watchLife > 0 {
		w := f.watch
		time.AfterFunc(f.watchLife, w.Stop)
	}
	return f.watch, nil
}

// harness runs a Watcher with a fakeAPI in fake time.
type harness struct {
	*Watcher[configMap]
	t       *testing.T
	api     *fakeAPI
	log     strings.Builder
	changes int
}

// run runs f with a Watcher whose Options the function options may change. The Watcher ends before run returns.
func run(t *testing.T, api *fakeAPI, options func(*Options[configMap]), f func(h *harness)) {
	faketime.Test(t, func(t *testing.T) {
		api.began = time.Now()
		h := &harness{t: t, api: api}
		o := Options[configMap]{
			API: api, Noun: "the object", Logger: slog.New(slog.NewTextHandler(&h.log, nil)),
			Backoff: wait.Backoff{Duration: time.Second, Factor: 2, Steps: 8, Cap: 30 * time.Second},
			Changed: func(State[configMap]) { h.changes++ },
		}
		if options != nil {
			options(&o)
		}
		h.Watcher = NewWatcher(o)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { h.Run(ctx) })
		settle()
		f(h)
		cancel()
		running.Wait()
	})
}

// settle waits until all goroutines are blocked.
func settle() {
	time.Sleep(time.Millisecond)
	synctest.Wait()
}

// holds fails the test unless exactly these objects are held, such as "a=1 b=2".
func (h *harness) holds(want string) {
	h.t.Helper()
	settle()
	var all []string
	for name, o := range h.State().Objects {
		all = append(all, name+"="+o.ResourceVersion)
	}
	slices.Sort(all)
	if got := strings.Join(all, " "); got != want {
		h.t.Errorf("holds %q, want %q", got, want)
	}
}

func TestEventsChangeTheObjects(t *testing.T) {
	api := &fakeAPI{listed: []configMap{object("a", "1"), object("b", "2")}}
	run(t, api, nil, func(h *harness) {
		h.holds("a=1 b=2")
		for _, c := range []struct {
			event watch.EventType
			of    runtime.Object
			want  string
		}{
			{watch.Added, object("c", "8"), "a=1 b=2 c=8"},
			{watch.Modified, object("a", "10"), "a=10 b=2 c=8"},
			{watch.Modified, object("a", "9"), "a=10 b=2 c=8"}, // late
			{watch.Modified, object("a", "other"), "a=other b=2 c=8"},
			{watch.Modified, object("a", "3"), "a=3 b=2 c=8"},
			{watch.Modified, object("a", "99999999999999999999"), "a=99999999999999999999 b=2 c=8"}, // more than 64 bits
			{watch.Modified, object("a", "3"), "a=3 b=2 c=8"},
			{watch.Modified, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "recreated", ResourceVersion: "2"}}, "a=2 b=2 c=8"},
			{watch.Deleted, object("a", "11"), "b=2 c=8"},
			{watch.Deleted, object("unknown", "11"), "b=2 c=8"},
			{watch.Modified, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, "b=2 c=8"},
			{watch.Deleted, (*metav1.Status)(nil), "b=2 c=8"},
		} {
			api.watch.Action(c.event, c.of)
			h.holds(c.want)
		}
		if h.changes != 1+10 || len(api.lists) != 1 {
			t.Errorf("got %d changes and %d lists, want 11 and 1", h.changes, len(api.lists))
		}
	})
}

func TestStateThatWasReadIsNotModified(t *testing.T) {
	api := &fakeAPI{listed: []configMap{object("a", "1")}}
	run(t, api, nil, func(h *harness) {
		before := h.State().Objects
		api.watch.Delete(object("a", "9"))
		api.watch.Add(object("b", "8"))
		h.holds("b=8")
		if len(before) != 1 || before["a"] == nil {
			t.Errorf("the objects of an earlier state are now %v, want them unchanged", before)
		}
	})
}

func TestBookmarksCountAsContact(t *testing.T) {
	api := &fakeAPI{}
	run(t, api, nil, func(h *harness) {
		time.Sleep(time.Minute)
		settle()
		api.watch.Action(watch.Bookmark, object("", "99"))
		h.holds("")
		if at := h.State().LastContact; time.Since(at) > time.Second || h.changes != 1 {
			t.Errorf("after a bookmark: last contact %v ago and %d changes, want now and 1", time.Since(at), h.changes)
		}
		time.Sleep(time.Minute)
		api.watch.Add(object("a", "100"))
		h.holds("a=100")
		if at := h.State().LastContact; time.Since(at) > time.Second || h.changes != 2 {
			t.Errorf("after an event: last contact %v ago and %d changes, want now and 2", time.Since(at), h.changes)
		}
	})
}

// TestOtherNamesAreIgnored covers API servers that do not implement field selectors.
func TestOtherNamesAreIgnored(t *testing.T) {
	api := &fakeAPI{listed: []configMap{object("b", "1"), object("a", "2")}}
	run(t, api, func(o *Options[configMap]) { o.Name = "a" }, func(h *harness) {
		api.watch.Add(object("c", "8"))
		h.holds("a=2")
		api.watch.Delete(object("b", "9"))
		h.holds("a=2")
	})
}

func TestRequestsHaveTheSelectors(t *testing.T) {
	for _, cached := range []bool{false, true} {
		label := "app=a"
		api := &fakeAPI{}
		run(t, api, func(o *Options[configMap]) {
			o.Name, o.Cached, o.Labels = "a", cached, func() string { return label }
		}, func(h *harness) {
			label = "app=b"
			h.Relist()
			settle()
		})
		if len(api.lists) != 2 || len(api.watches) != 2 {
			t.Fatalf("got %d lists and %d watches, want 2 of each", len(api.lists), len(api.watches))
		}
		for i, label := range []string{"app=a", "app=b"} {
			version := map[bool]string{true: "0"}[cached]
			if l := api.lists[i]; l.FieldSelector != "metadata.name=a" || l.LabelSelector != label || l.ResourceVersion != version {
				t.Errorf("list %d has options %+v, want name a, label %s and version %q", i, l, label, version)
			}
			w := api.watches[i]
			if w.FieldSelector != "metadata.name=a" || w.LabelSelector != label || w.ResourceVersion != "7" || !w.AllowWatchBookmarks ||
				*w.TimeoutSeconds < 300 || *w.TimeoutSeconds > 600 {
				t.Errorf("watch %d has options %+v, want name a, label %s, version 7, bookmarks and 300 to 600 s", i, w, label)
			}
		}
	}
}

// TestReadWinsOverTheWatch covers answers to reads. An answer is at least as new as the object that was held when the
// read began.
func TestReadWinsOverTheWatch(t *testing.T) {
	api := &fakeAPI{listed: []configMap{object("a", "9")}}
	run(t, api, nil, func(h *harness) {
		for i, c := range []struct {
			answer, during string // versions of the answer, and of an event during the request
			want           string
			rewinds, lists int
		}{
			{"9", "", "a=9", 0, 1},
			{"10", "", "a=10", 0, 1},
			{"10", "11", "a=11", 0, 1},
			{"12", "11", "a=12", 0, 1},
			{"5", "", "a=5", 1, 2},
			{"6", "", "a=6", 1, 2},
		} {
			api.listed = []configMap{object("a", c.answer)}
			if err := h.Send(t.Context(), "a", func(context.Context) (configMap, error) {
				if c.during != "" {
					api.watch.Modify(object("a", c.during))
					settle()
				}
				return object("a", c.answer), nil
			}); err != nil {
				t.Error(err)
			}
			h.holds(c.want)
			if n := h.State().Rewinds; n != c.rewinds || len(api.lists) != c.lists {
				t.Errorf("read %d: got %d rewinds and %d lists, want %d and %d", i, n, len(api.lists), c.rewinds, c.lists)
			}
		}
		if err := h.Send(t.Context(), "a", func(context.Context) (configMap, error) { return nil, errUnavailable }); !errors.Is(err, errUnavailable) {
			t.Errorf("got error %v, want %v", err, errUnavailable)
		}
		h.holds("a=6")
		api.listed = nil
		if err := h.Send(t.Context(), "a", func(context.Context) (configMap, error) { return nil, errNotFound }); !errors.Is(err, errNotFound) {
			t.Errorf("got error %v, want %v", err, errNotFound)
		}
		h.holds("")
		if len(api.lists) != 3 {
			t.Errorf("got %d lists after a read that found no object, want 3", len(api.lists))
		}
	})
}

// TestListReplacesTheObjects checks that a list replaces everything, except an object of which a write was answered
// with a newer version meanwhile.
func TestListReplacesTheObjects(t *testing.T) {
	api := &fakeAPI{listed: []configMap{object("a", "9"), object("b", "9")}}
	run(t, api, nil, func(h *harness) {
		api.listed = []configMap{object("b", "8"), object("c", "3")}
		h.Relist()
		h.holds("b=8 c=3")
		if n := h.State().Rewinds; n != 1 {
			t.Errorf("got %d rewinds, want 1", n)
		}
		api.listed = nil
		h.Relist()
		h.holds("")
		if h.State().Objects == nil {
			t.Error("Objects is nil after an empty list, want an empty map")
		}
	})
	listed := State[configMap]{Objects: map[string]configMap{"a": object("a", "10")}}
	if held, rewound := listed.accept(object("a", "9"), map[string]configMap{"a": object("a", "9")}); rewound || held.ResourceVersion != "10" {
		t.Errorf("after a list that began before a write: accept returned version %s and rewound %t, want 10 and false", held.ResourceVersion, rewound)
	}
}

func TestListsBeginAtOnceOrBackOff(t *testing.T) {
	expired := apierrors.NewResourceExpired("too old").Status()
	for name, c := range map[string]struct {
		api      fakeAPI
		interval time.Duration
		during   func(h *harness)
		want     string // seconds since the start at which lists began
	}{
		"watch lives":             {want: "0"},
		"watch lives a while":     {api: fakeAPI{watchLife: 30 * time.Second}, want: "0 30 60 90"},
		"watch lives just enough": {api: fakeAPI{watchLife: 5 * time.Second}, want: "0 5 10 15 20 25 30 35 40 45 50 55 60 65 70 75 80 85 90"},
		"watch ends soon":         {api: fakeAPI{watchLife: time.Second}, want: "0 1 3 7 15 31 61 91"},
		"watch is unavailable":    {api: fakeAPI{watchErr: errUnavailable}, want: "0 1 3 7 15 31 61 91"},
		"watch is forbidden":      {api: fakeAPI{watchErr: errForbidden}, want: "0 1 3 7 15 31 61 91"},
		"list is unavailable":     {api: fakeAPI{listErr: errUnavailable}, want: "0 1 3 7 15 31 61 91"},
		"relists do not back off": {
			during: func(h *harness) {
				for range 5 {
					h.Relist()
					settle()
				}
				h.api.listErr = errUnavailable
				h.Relist()
			},
			want: "0 0 0 0 0 0 0 1 3 7 15 31 61 91",
		},
		"list hangs":         {api: fakeAPI{hangs: true}, want: "0 61"},
		"watch is silent":    {interval: 20 * time.Second, want: "0 20 40 60 80"},
		"watch is restarted": {during: func(h *harness) { time.Sleep(9 * time.Second); settle(); h.Relist() }, want: "0 9"},
		"hanging list is ended by Relist": {
			api:    fakeAPI{hangs: true},
			during: func(h *harness) { time.Sleep(9 * time.Second); settle(); h.api.hangs = false; h.Relist() }, want: "0 9",
		},
		"delay is ended by Relist": {
			api:    fakeAPI{listErr: errUnavailable},
			during: func(h *harness) { time.Sleep(9 * time.Second); settle(); h.api.listErr = nil; h.Relist() }, want: "0 1 3 7 9",
		},
		"version expires": {during: func(h *harness) { time.Sleep(9 * time.Second); settle(); h.api.watch.Error(&expired) }, want: "0 9"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, &c.api, func(o *Options[configMap]) { o.RelistInterval = c.interval }, func(h *harness) {
				if c.during != nil {
					c.during(h)
				}
				time.Sleep(time.Until(c.api.began.Add(92 * time.Second)))
				settle()
				var at []string
				for _, d := range c.api.listedAt {
					at = append(at, fmt.Sprint(int(d.Round(100*time.Millisecond).Seconds())))
				}
				if got := strings.Join(at, " "); got != c.want {
					t.Errorf("lists began %s seconds after the start, want %s", got, c.want)
				}
			})
		})
	}
}

// TestBackoffBeginsAgain checks that a watch that lived for a while resets the back-off.
func TestBackoffBeginsAgain(t *testing.T) {
	api := &fakeAPI{listErr: errUnavailable}
	run(t, api, nil, func(h *harness) {
		time.Sleep(time.Minute)
		settle()
		api.listErr = nil
		h.Relist()
		time.Sleep(time.Minute)
		settle()
		api.listErr, api.listedAt, api.began = errUnavailable, nil, time.Now()
		api.watch.Stop()
		time.Sleep(2 * time.Second)
		settle()
		if len(api.listedAt) != 2 {
			t.Errorf("got lists %v after the end of the watch, want 2", api.listedAt)
		}
	})
}

func TestFailuresAreLoggedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		list, watch error
		quiet       bool
		want        string
	}{
		"list":                    {list: errUnavailable, want: "cannot list"},
		"watch":                   {watch: errUnavailable, want: "cannot watch"},
		"list is forbidden":       {list: errForbidden, want: "cannot list"},
		"list forbidden, logged":  {list: errForbidden, quiet: true},
		"watch forbidden, logged": {watch: errForbidden, quiet: true},
	} {
		t.Run(name, func(t *testing.T) {
			api := &fakeAPI{listErr: c.list, watchErr: c.watch}
			run(t, api, func(o *Options[configMap]) { o.DenialsLogged = c.quiet }, func(h *harness) {
				time.Sleep(10 * time.Minute)
				settle()
				text := h.log.String()
				if n := strings.Count(text, "\n"); c.want == "" && n > 0 || c.want != "" && (n != 1 || !strings.Contains(text, c.want+" the object; retrying")) {
					t.Errorf("got log, want one failure %q:\n%s", c.want, text)
				}
				api.listErr, api.watchErr = nil, nil
				h.Relist()
				settle()
				again := strings.Replace(cmp.Or(c.want, "nothing"), "cannot", "can", 1) + " the object again"
				if got := strings.Contains(h.log.String(), again); got != (c.want != "") {
					t.Errorf("the log has %q: %t, want %t:\n%s", again, got, c.want != "", h.log.String())
				}
			})
		})
	}
}

func TestAnotherErrorIsLogged(t *testing.T) {
	api := &fakeAPI{listErr: errUnavailable}
	run(t, api, nil, func(h *harness) {
		api.listErr = errForbidden
		h.Relist()
		settle()
		if text := h.log.String(); strings.Count(text, "cannot list") != 2 || !strings.Contains(text, "no rule") {
			t.Errorf("got log, want two failures of lists with their reasons:\n%s", text)
		}
	})
}

func TestCancelledRequestsAreNoFailures(t *testing.T) {
	api := &fakeAPI{hangs: true}
	run(t, api, nil, func(h *harness) {
		h.Relist()
		settle()
		api.hangs = false
		h.Relist()
		settle()
		ended := api.watch
		h.Relist()
		settle()
		if !ended.IsStopped() || h.log.Len() > 0 || len(api.lists) != 4 {
			t.Errorf("the watch is stopped: %t, want true; got %d lists, want 4; got log, want none:\n%s", ended.IsStopped(), len(api.lists), h.log.String())
		}
	})
}

// TestDenialLastsUntilAWatchBegins checks that a list alone does not lift a denial: without a watch the objects would
// become stale.
func TestDenialLastsUntilAWatchBegins(t *testing.T) {
	api := &fakeAPI{listErr: errForbidden}
	run(t, api, nil, func(h *harness) {
		since := h.State().DeniedSince
		if since.IsZero() || h.changes != 1 || h.State().Objects != nil {
			t.Fatalf("got denied since %v, %d changes and objects %v, want a time, 1 and none", since, h.changes, h.State().Objects)
		}
		for _, c := range []struct {
			list, watch error
			denied      bool
		}{{errForbidden, nil, true}, {errUnavailable, nil, true}, {nil, errForbidden, true}, {nil, errUnavailable, true}, {nil, nil, false}, {errUnavailable, nil, false}} {
			before, want, until := h.changes, 0, h.State().DeniedUntil
			if c.list == nil {
				want++
			}
			denied, lifted := errors.Is(c.list, errForbidden) || errors.Is(c.watch, errForbidden), c.list == nil && c.watch == nil
			if denied || lifted {
				want++
			}
			api.listErr, api.watchErr = c.list, c.watch
			h.Relist()
			settle()
			now := h.State()
			if now.DeniedSince.IsZero() == c.denied || c.denied && !now.DeniedSince.Equal(since) {
				t.Errorf("list %v, watch %v: got denied since %v, want denied %t", c.list, c.watch, now.DeniedSince, c.denied)
			}
			if now.DeniedUntil.After(until) != denied || now.DeniedUntil.IsZero() == c.denied {
				t.Errorf("list %v, watch %v: got denied until %v after %v", c.list, c.watch, now.DeniedUntil, until)
			}
			if h.changes != before+want {
				t.Errorf("list %v, watch %v: got %d changes, want %d: of a list, and of a denial or its end", c.list, c.watch, h.changes-before, want)
			}
		}
	})
}

func TestListedAtIsWhenTheListBegan(t *testing.T) {
	api := &fakeAPI{takes: time.Second}
	run(t, api, nil, func(h *harness) {
		if now := h.State(); now.Objects != nil || !now.ListedAt.IsZero() {
			t.Errorf("got %+v during the first list, want no objects and no time", now)
		}
		time.Sleep(time.Second)
		settle()
		first := h.State().ListedAt
		if !first.Equal(api.began) {
			t.Errorf("ListedAt is %v, want %v", first, api.began)
		}
		time.Sleep(time.Second)
		api.watch.Add(object("a", "8"))
		settle()
		if now := h.State().ListedAt; !now.Equal(first) {
			t.Errorf("ListedAt is %v after an event, want %v", now, first)
		}
		h.Relist()
		time.Sleep(time.Second)
		settle()
		if now := h.State().ListedAt; !now.After(first) {
			t.Errorf("ListedAt is %v after another list, want a later time", now)
		}
	})
}
