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

// rateLimitedReviewer is a reviewer with the rate limits of a client of the API server.
type rateLimitedReviewer struct {
	*fakeReviewer
	tokens, access *rate.Limiter
}

func newRateLimitedReviewer(r *fakeReviewer) rateLimitedReviewer {
	return rateLimitedReviewer{r, rate.NewLimiter(reviewQPS, reviewBurst), rate.NewLimiter(reviewQPS, reviewBurst)}
}

func (b rateLimitedReviewer) authenticate(ctx context.Context, token string) (decision, error) {
	if err := b.tokens.Wait(ctx); err != nil {
		return decision{}, err
	}
	return b.fakeReviewer.authenticate(ctx, token)
}

func (b rateLimitedReviewer) authorize(ctx context.Context, u user, path string) (decision, error) {
	if err := b.access.Wait(ctx); err != nil {
		return decision{}, err
	}
	return b.fakeReviewer.authorize(ctx, u, path)
}

// floodFilter returns the handler of the main port, behind a filter with the limits of a real one.
func floodFilter(t *testing.T, reviews *fakeReviewer) http.Handler {
	t.Helper()
	f, _, _ := newLimitedFilter(t, reviews)
	f.unknown.reviewer, f.known.reviewer = newRateLimitedReviewer(reviews), newRateLimitedReviewer(reviews)
	return protected(t, f)["metrics"]
}

const floodEvery = 16 * time.Millisecond

// flood sends more than 60 requests per second from a number of addresses, each with another token or path. It returns
// the number of responses by status.
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
				codes <- doFrom(t, h, from, "GET", path, "Authorization", "Bearer "+token).status
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

// prometheusScrape returns the response to a scrape by Prometheus.
func prometheusScrape(t *testing.T, h http.Handler, from string) response {
	t.Helper()
	return doFrom(t, h, from, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus")
}

func stranger(i int) (path, token string) { return "/metrics", fmt.Sprintf("stranger-%d", i) }

// Prometheus scrapes from another address or from the same one, and more or less often than cached tokens expire.
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
					if a := prometheusScrape(t, h, c.prometheus); a.status != http.StatusOK {
						t.Errorf("a scrape: got status %d, want 200", a.status)
					}
				}
				scrape()
				lasts := max(2*c.every, 2*time.Minute)
				counts := flood(t, h, c.addresses, lasts, func() {
					for range lasts / c.every {
						time.Sleep(c.every + 7*time.Millisecond) // not when the budget is refilled
						scrape()
					}
				}, stranger)
				if counts[http.StatusTooManyRequests] == 0 || counts[http.StatusOK] > 0 {
					t.Errorf("unknown tokens: got the statuses %v, want 429 and no 200", counts)
				}
			})
		})
	}
}

// One address may cause at most half of the reviews, so that others get theirs and the API server is spared.
func TestOneAddressCausesFewReviews(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		reviews := &fakeReviewer{}
		h := floodFilter(t, reviews)
		flood(t, h, 1, time.Minute, func() {}, stranger)
		if n, most := len(reviews.authentications.n), clientReviewBurst+61*clientReviewQPS; n > most || n < most/2 {
			t.Errorf("got %d reviews in a minute, want %d to %d", n, most/2, most)
		}
	})
}

// A new token from an address that does not take part in a flood is reviewed during the flood.
func TestNewTokenIsReviewedDuringAFlood(t *testing.T) {
	for _, addresses := range []int{1, 4} {
		faketime.Test(t, func(t *testing.T) {
			h := floodFilter(t, &fakeReviewer{})
			flood(t, h, addresses, time.Minute, func() {
				time.Sleep(30 * time.Second)
				if a := prometheusScrape(t, h, "192.0.2.1:1"); a.status != http.StatusOK {
					t.Errorf("%d addresses: a new token got status %d, want 200", addresses, a.status)
				}
			}, stranger)
		})
	}
}

// The same holds for access reviews: a client with an accepted token requests one path after the other.
func TestUnknownPathsDoNotLockPrometheusOut(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		h := floodFilter(t, &fakeReviewer{})
		flood(t, h, 1, 6*time.Minute, func() {
			for range 6 {
				if a := prometheusScrape(t, h, "192.0.2.1:1"); a.status != http.StatusOK {
					t.Errorf("a scrape: got status %d, want 200", a.status)
				}
				time.Sleep(time.Minute)
			}
		}, func(i int) (path, token string) { return fmt.Sprintf("/path-%d", i), "key-of-guest" })
	})
}

// While the API server fails, an accepted token stays valid for the rest of its minute, and no longer.
func TestTokenStaysValidWhenRenewalFails(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		reviews := &fakeReviewer{}
		f, _, _ := newFilter(t, reviews)
		h := protected(t, f)["metrics"]
		for i, want := range []int{200, 200, 200, 200, 503} {
			if a := do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus"); a.status != want {
				t.Errorf("scrape %d: got status %d, want %d", i, a.status, want)
			}
			reviews.wait = func(ctx context.Context) { <-ctx.Done() } // the API server hangs
			time.Sleep(15 * time.Second)
		}
	})
}

// A revoked token is refused at its renewal.
func TestRevokedTokenIsRefusedAtRenewal(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		c := newDecisionCache(2, time.Minute, time.Minute, time.Hour, time.Second)
		for i, step := range []struct {
			yes  bool
			err  error
			want bool
		}{
			{true, nil, true},
			{false, nil, true}, // still cached
			{false, nil, false},
			{true, errors.New("the API server is unavailable"), false},
		} {
			ask := func(context.Context, bool) (decision, error) { return decision{yes: step.yes}, step.err }
			if d, err := c.decide(t.Context(), digest{}, ask); d.yes != step.want || err != nil {
				t.Errorf("question %d: got %v, error %v; want %v", i, d.yes, err, step.want)
			}
			time.Sleep(15 * time.Second)
		}
	})
}
