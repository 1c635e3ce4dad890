package web

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// calls counts questions.
type calls struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *calls) add(question string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[question]++
}

func (c *calls) of(question string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[question]
}

func TestDecisionsAreCached(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		reviews := &fakeReviewer{}
		f, _, _ := newFilter(t, reviews)
		h := protected(t, f)["metrics"]
		began := time.Now()
		for _, step := range []struct {
			at                             time.Duration
			accepted, refused, may, mayNot int // reviews so far
		}{
			{0, 1, 1, 1, 1},
			{29 * time.Second, 1, 1, 1, 1},
			{31 * time.Second, 2, 1, 1, 2},  // an accepted token is renewed; a denial has expired
			{59 * time.Second, 2, 1, 1, 2},  // all are cached
			{62 * time.Second, 3, 2, 1, 3},  // renewed again; a refused token and the second denial have expired
			{299 * time.Second, 4, 3, 2, 4}, // a permission is renewed
			{301 * time.Second, 4, 3, 2, 4},
		} {
			time.Sleep(step.at - time.Since(began))
			for range 3 {
				for token, want := range map[string]int{"prometheus": 200, "guest": 403, "stranger": 401} {
					if a := do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-"+token); a.status != want {
						t.Errorf("%s, %s: got status %d, want %d", step.at, token, a.status, want)
					}
				}
			}
			for token, want := range map[string]int{"prometheus": step.accepted, "guest": step.accepted, "stranger": step.refused} {
				if n := reviews.authentications.of("key-of-" + token); n != want {
					t.Errorf("%s: token of %s was reviewed %d times, want %d", step.at, token, n, want)
				}
			}
			if may, mayNot := reviews.rules.of("prometheus /metrics"), reviews.rules.of("guest /metrics"); may != step.may || mayNot != step.mayNot {
				t.Errorf("%s: got %d and %d access reviews, want %d and %d",
					step.at, may, mayNot, step.may, step.mayNot)
			}
		}
	})
}

func TestConcurrentCallersShareOneReview(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		reviews := &fakeReviewer{wait: func(context.Context) { time.Sleep(time.Second) }}
		f, _, _ := newFilter(t, reviews)
		h := protected(t, f)["metrics"]
		var asking sync.WaitGroup
		for range 50 {
			asking.Go(func() {
				if a := do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus"); a.status != http.StatusOK {
					t.Errorf("got status %d, want 200", a.status)
				}
			})
		}
		asking.Wait()
		if n, m := reviews.authentications.of("key-of-prometheus"), reviews.rules.of("prometheus /metrics"); n != 1 || m != 1 {
			t.Errorf("got %d token reviews and %d access reviews, want 1 and 1", n, m)
		}
	})
}

func TestReviewTimeoutAdmitsNoCaller(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f, _, _ := newFilter(t, &fakeReviewer{wait: func(ctx context.Context) { <-ctx.Done() }})
		h := protected(t, f)["metrics"]
		began := time.Now()
		a := do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus")
		if took := time.Since(began); a.status != http.StatusServiceUnavailable || took != reviewTimeout {
			t.Errorf("got status %d after %s, want 503 after %s", a.status, took, reviewTimeout)
		}
	})
}

// A caller that leaves must not make the review fail for other callers that wait for it.
func TestReviewContinuesWhenItsCallerLeaves(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		c := newDecisionCache(1, time.Minute, time.Minute, time.Minute, time.Minute)
		leaving, leave := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for _, ctx := range []context.Context{leaving, t.Context()} {
			asking.Go(func() {
				d, err := c.decide(ctx, digest{}, func(ctx context.Context, _ bool) (decision, error) {
					time.Sleep(time.Second)
					return decision{yes: true, user: user{Username: "prometheus"}}, ctx.Err()
				})
				if d.user.Username != "prometheus" || !d.yes || err != nil {
					t.Errorf("got %+v, error %v; want the user prometheus accepted", d, err)
				}
			})
			synctest.Wait()
		}
		leave()
		asking.Wait()
	})
}

func TestDecisionCacheIsBounded(t *testing.T) {
	reviews := &fakeReviewer{}
	f, _, _ := newFilter(t, reviews)
	h := protected(t, f)["metrics"]
	for range 2 {
		do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus")
		for i := range 3 * maxDecisions {
			do(t, h, "GET", "/metrics", "Authorization", fmt.Sprintf("Bearer stranger-%d", i))
			do(t, h, "GET", fmt.Sprintf("/path-%d", i), "Authorization", "Bearer key-of-guest")
		}
	}
	for what, n := range map[string]int{
		"refused tokens": len(f.users.no.Keys()), "refused paths": len(f.rights.no.Keys()),
	} {
		if n != maxDecisions {
			t.Errorf("got %d cached %s, want %d", n, what, maxDecisions)
		}
	}
	if n, m := reviews.authentications.of("key-of-prometheus"), reviews.rules.of("prometheus /metrics"); n != 1 || m != 1 {
		t.Errorf("refusals evicted an acceptance: got %d token reviews and %d access reviews, want 1 and 1", n, m)
	}
}
