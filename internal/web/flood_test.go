package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// budgeted is a reviewer with the budget of reviews that a client of the API server has.
type budgeted struct {
	*fakeReviewer
	tokens, access *rate.Limiter
}

func newBudgeted(r *fakeReviewer) budgeted {
	return budgeted{r, rate.NewLimiter(reviewQPS, reviewBurst), rate.NewLimiter(reviewQPS, reviewBurst)}
}

func (b budgeted) authenticate(ctx context.Context, token string) (user, bool, error) {
	if err := b.tokens.Wait(ctx); err != nil {
		return user{}, false, err
	}
	return b.fakeReviewer.authenticate(ctx, token)
}

func (b budgeted) allows(ctx context.Context, u user, path string) (bool, error) {
	if err := b.access.Wait(ctx); err != nil {
		return false, err
	}
	return b.fakeReviewer.allows(ctx, u, path)
}

// floodFilter returns the handler of the page behind a filter with the budgets of a real one.
func floodFilter(t *testing.T, reviews *fakeReviewer) http.Handler {
	t.Helper()
	f, _, _ := newLimitedFilter(t, reviews)
	f.unknown.reviewer, f.known.reviewer = newBudgeted(reviews), newBudgeted(reviews)
	return protected(t, f)["metrics"]
}

const floodEvery = 16 * time.Millisecond

// flood sends more than 60 requests a second from so many addresses, each with another token or path, and returns how many got
// which status.
func flood(
	t *testing.T, h http.Handler, addresses int, lasts time.Duration, meanwhile func(), request func(i int) (path, token string),
) map[int]int {
	t.Helper()
	codes := make(chan int, 1<<16)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := range int(lasts / floodEvery) {
			time.Sleep(floodEvery)
			go func() {
				path, token := request(i)
				from := fmt.Sprintf("192.0.2.%d:1", 100+i%addresses)
				codes <- askFrom(t, h, from, "GET", path, "Authorization", "Bearer "+token).status
			}()
		}
		time.Sleep(2 * reviewTimeout)
	}()
	meanwhile()
	<-ended
	counts := map[int]int{}
	for len(codes) > 0 {
		counts[<-codes]++
	}
	return counts
}

// scraped is the answer that Prometheus gets.
func scraped(t *testing.T, h http.Handler, from string) answer {
	t.Helper()
	return askFrom(t, h, from, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus")
}

func stranger(i int) (path, token string) { return "/metrics", fmt.Sprintf("stranger-%d", i) }

// Prometheus scrapes from another address or from the same one, more often than a token is remembered or less.
func TestUnknownTokensDoNotLockPrometheusOut(t *testing.T) {
	for name, c := range map[string]struct {
		every      time.Duration
		prometheus string
		addresses  int
	}{
		"every 15 s":                  {15 * time.Second, "192.0.2.1:1", 1},
		"every minute":                {time.Minute, "192.0.2.1:1", 1},
		"every 2 minutes":             {2 * time.Minute, "192.0.2.1:1", 1},
		"from the attacker's address": {time.Minute, "192.0.2.100:1", 1},
		"from 30 addresses":           {30 * time.Second, "192.0.2.1:1", 30},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				h := floodFilter(t, &fakeReviewer{})
				scrape := func() {
					t.Helper()
					if a := scraped(t, h, c.prometheus); a.status != http.StatusOK {
						t.Errorf("a scrape is answered %d", a.status)
					}
				}
				scrape()
				lasts := max(2*c.every, 2*time.Minute)
				counts := flood(t, h, c.addresses, lasts, func() {
					for range lasts / c.every {
						time.Sleep(c.every + 7*time.Millisecond) // not when the budget has just grown by one
						scrape()
					}
				}, stranger)
				if counts[http.StatusTooManyRequests] == 0 || counts[http.StatusOK] > 0 {
					t.Errorf("the strangers are answered %v", counts)
				}
			})
		})
	}
}

// One address leaves half of the reviews to others, and spares the API server.
func TestOneAddressCausesFewReviews(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		reviews := &fakeReviewer{}
		h := floodFilter(t, reviews)
		flood(t, h, 1, time.Minute, func() {}, stranger)
		if n, most := len(reviews.authentications.n), clientReviewBurst+61*clientReviewQPS; n > most || n < most/2 {
			t.Errorf("%d reviews in a minute, want about %d", n, most)
		}
	})
}

// A token that was never seen, of an address that is not the attacker's, is reviewed during a flood.
func TestNewTokenIsReviewedDuringAFlood(t *testing.T) {
	for _, addresses := range []int{1, 4} {
		faketime.Test(t, func(t *testing.T) {
			h := floodFilter(t, &fakeReviewer{})
			flood(t, h, addresses, time.Minute, func() {
				time.Sleep(30 * time.Second)
				if a := scraped(t, h, "192.0.2.1:1"); a.status != http.StatusOK {
					t.Errorf("%d addresses: a new token is answered %d", addresses, a.status)
				}
			}, stranger)
		})
	}
}

// Access reviews are the same: someone with a token that is accepted asks for one path after the other.
func TestUnknownPathsDoNotLockPrometheusOut(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		h := floodFilter(t, &fakeReviewer{})
		flood(t, h, 1, 6*time.Minute, func() {
			for range 6 {
				if a := scraped(t, h, "192.0.2.1:1"); a.status != http.StatusOK {
					t.Errorf("a scrape is answered %d", a.status)
				}
				time.Sleep(time.Minute)
			}
		}, func(i int) (path, token string) { return fmt.Sprintf("/path-%d", i), "key-of-guest" })
	})
}

// While the API server fails, an accepted token is good for the rest of its minute, and then no more.
func TestTokenStaysValidWhenRenewalFails(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		reviews := &fakeReviewer{}
		f, _, _ := newFilter(t, reviews)
		h := protected(t, f)["metrics"]
		for i, want := range []int{200, 200, 200, 200, 503} {
			if a := ask(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus"); a.status != want {
				t.Errorf("scrape %d: status %d, want %d", i, a.status, want)
			}
			reviews.wait = func(ctx context.Context) { <-ctx.Done() } // it hangs
			time.Sleep(15 * time.Second)
		}
	})
}

// A token that is revoked is refused when it is renewed.
func TestRevokedTokenIsRefusedAtRenewal(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		c := newDecisionCache[string](2, time.Minute, time.Minute, time.Hour, time.Second)
		for i, step := range []struct {
			answer bool
			err    error
			want   bool
		}{
			{true, nil, true},
			{false, nil, true}, // it is not asked
			{false, nil, false},
			{true, errors.New("the API server is away"), false},
		} {
			answer := func(context.Context, bool) (string, bool, error) { return "", step.answer, step.err }
			if _, yes, err := c.decide(t.Context(), digest{}, answer); yes != step.want || err != nil {
				t.Errorf("question %d: %v, %v", i, yes, err)
			}
			time.Sleep(15 * time.Second)
		}
	})
}
