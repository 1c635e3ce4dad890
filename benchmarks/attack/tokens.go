package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	tokensPerSecond = 60
	// outlastsTokens is longer than statefleet remembers that it knows a token.
	outlastsTokens = 80 * time.Second
)

// tokenAttacks come from a client without a token.
func tokenAttacks() []attack {
	return []attack{{name: "token-flood", tls: true, tokens: true, lasts: outlastsTokens, play: floodTokens}}
}

// floodTokens sends requests, each with another unknown token.
func floodTokens(ctx context.Context, s *site) (string, error) {
	client := s.client(attackerAddress, scrapeTimeout)
	var sent, admitted atomic.Int64
	tick := time.NewTicker(time.Second / tokensPerSecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		n := sent.Add(1)
		go func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.shard.Metrics, nil)
			if err != nil {
				return
			}
			request.Header.Set("Authorization", fmt.Sprintf("Bearer guess-%d", n))
			if response, err := client.Do(request); err == nil {
				if response.StatusCode == http.StatusOK {
					admitted.Add(1)
				}
				_ = response.Body.Close()
			}
		}()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	if admitted.Load() > 0 {
		return "", fmt.Errorf("%d wrong tokens were let in", admitted.Load())
	}
	return fmt.Sprintf("%d wrong tokens a second; the API server reviewed %d of %d", tokensPerSecond, s.api.reviews.Load(), sent.Load()), nil
}
