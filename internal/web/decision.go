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

// decisionCache caches decisions of yes or no; a yes has a value. Either kind has its own bounded
// cache, so that a client that provokes many refusals evicts no acceptance.
//
// After half of its lifetime a yes is renewed by the next caller. If that fails, it stays valid for
// the rest of its lifetime. An expired yes is still known for a while, see question.
type decisionCache[V any] struct {
	yes, no       *cache.LRUExpireCache // by digest
	yesTTL, noTTL time.Duration
	knownFor      time.Duration // at least yesTTL
	timeout       time.Duration // of a question
	inFlight      singleflight.Group
}

// newDecisionCache returns a cache for up to size decisions of each kind.
func newDecisionCache[V any](size int, yesTTL, noTTL, knownFor, timeout time.Duration) *decisionCache[V] {
	return &decisionCache[V]{
		yes: cache.NewLRUExpireCache(size), no: cache.NewLRUExpireCache(size),
		yesTTL: yesTTL, noTTL: noTTL, knownFor: knownFor, timeout: timeout,
	}
}

// acceptance is a cached yes.
type acceptance[V any] struct {
	value V
	at    time.Time
}

// question asks for a decision, and the value of a yes. known is whether there was a yes before.
type question[V any] func(ctx context.Context, known bool) (value V, yes bool, err error)

// decide returns the decision on a key: a cached one, the one that another caller is waiting for, or
// a new one. An error is not cached.
func (c *decisionCache[V]) decide(ctx context.Context, key digest, ask question[V]) (value V, yes bool, err error) {
	if cached, ok := c.yes.Get(key); ok {
		accepted := cached.(acceptance[V])
		age := time.Since(accepted.at)
		if age >= c.yesTTL {
			return c.renew(ctx, key, true, c.timeout, ask)
		}
		if age >= c.yesTTL/2 {
			if value, yes, err := c.renew(ctx, key, true, min(c.timeout, renewTimeout), ask); err == nil {
				return value, yes, nil
			}
		}
		return accepted.value, true, nil
	}
	if _, ok := c.no.Get(key); ok {
		return value, false, nil
	}
	return c.renew(ctx, key, false, c.timeout, ask)
}

// renew asks and caches the answer. It continues when its caller leaves, because others may wait for
// the same answer.
func (c *decisionCache[V]) renew(ctx context.Context, key digest, known bool, timeout time.Duration, ask question[V]) (V, bool, error) {
	type decision struct {
		value V
		yes   bool
	}
	result, err, _ := c.inFlight.Do(string(key[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		value, yes, err := ask(ctx, known)
		switch {
		case err != nil:
			return decision{}, err
		case yes:
			c.yes.Add(key, acceptance[V]{value, time.Now()}, c.knownFor)
		default:
			c.yes.Remove(key)
			c.no.Add(key, struct{}{}, c.noTTL)
		}
		return decision{value, yes}, nil
	})
	d, _ := result.(decision)
	return d.value, d.yes && err == nil, err
}
