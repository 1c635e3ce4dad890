package web

import (
	"context"
	"crypto/sha256"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/util/cache"
)

// digest identifies a question without its secrets.
type digest [sha256.Size]byte

// decision is a yes or no about a caller.
type decision struct {
	yes  bool
	user user // the owner of an accepted token
}

// question asks for a decision. known is whether there was a yes before.
type question func(ctx context.Context, known bool) (decision, error)

// decisionCache caches decisions. Those of either kind have a bounded cache of their own, so that a
// client that provokes many refusals evicts no acceptance.
//
// After half of its lifetime a yes is renewed by the next caller. If that fails, it stays valid for
// the rest of its lifetime. An expired yes is still known for a while, see question.
type decisionCache struct {
	yes, no       *cache.LRUExpireCache // by digest; an acceptance and nil
	yesTTL, noTTL time.Duration
	knownFor      time.Duration // at least yesTTL
	timeout       time.Duration // of a question
	inFlight      singleflight.Group
}

// newDecisionCache returns a cache for up to size decisions of each kind.
func newDecisionCache(size int, yesTTL, noTTL, knownFor, timeout time.Duration) *decisionCache {
	return &decisionCache{
		yes: cache.NewLRUExpireCache(size), no: cache.NewLRUExpireCache(size),
		yesTTL: yesTTL, noTTL: noTTL, knownFor: knownFor, timeout: timeout,
	}
}

// acceptance is a cached yes.
type acceptance struct {
	decision
	at time.Time
}

// decide returns the decision on a key: a cached one, the one that another caller is waiting for, or
// a new one. An error is not cached.
func (c *decisionCache) decide(ctx context.Context, key digest, ask question) (decision, error) {
	if cached, ok := c.yes.Get(key); ok {
		accepted := cached.(acceptance)
		age := time.Since(accepted.at)
		if age >= c.yesTTL {
			return c.renew(ctx, key, true, c.timeout, ask)
		}
		if age >= c.yesTTL/2 {
			if d, err := c.renew(ctx, key, true, min(c.timeout, renewTimeout), ask); err == nil {
				return d, nil
			}
		}
		return accepted.decision, nil
	}
	if _, ok := c.no.Get(key); ok {
		return decision{}, nil
	}
	return c.renew(ctx, key, false, c.timeout, ask)
}

// renew asks and caches the answer. It continues when its caller leaves, because others may wait for
// the same answer.
func (c *decisionCache) renew(ctx context.Context, key digest, known bool, timeout time.Duration, ask question) (decision, error) {
	result, err, _ := c.inFlight.Do(string(key[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		d, err := ask(ctx, known)
		switch {
		case err != nil:
			return decision{}, err
		case d.yes:
			c.yes.Add(key, acceptance{d, time.Now()}, c.knownFor)
		default:
			c.yes.Remove(key)
			c.no.Add(key, nil, c.noTTL)
		}
		return d, nil
	})
	return result.(decision), err
}
