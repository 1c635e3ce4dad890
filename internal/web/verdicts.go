package web

import (
	"context"
	"crypto/sha256"
	"time"

	"golang.org/x/sync/singleflight"
)

// digest stands for a question without holding what is secret in it.
type digest [sha256.Size]byte

// decisionCache are answers of yes or no, and what comes with a yes. They are remembered for a while. Yes and no do not
// push each other out: a client that collects refusals takes no other place.
type decisionCache[V any] struct {
	yes, no ttlCache[V]
	asking  singleflight.Group
}

type decision[V any] struct {
	value V
	yes   bool
}

// inquiry gets one verdict, with what comes with a yes.
type inquiry[V any] func(context.Context) (V, bool, error)

// question is how to get a verdict.
type question[V any] struct {
	first   inquiry[V]    // about a key that had no yes
	again   inquiry[V]    // about a key that had one; nil: as first
	timeout time.Duration // of each
}

// of returns the verdict on key: one that is remembered, one that another caller asks for right now, or a new one. An
// error is not remembered. A caller asks until the timeout, even if it is no longer interested itself, because
// others may wait.
//
// From half of its time on, a yes is renewed by the next caller. If that fails, the yes is good for the rest of its
// time.
func (v *decisionCache[V]) of(ctx context.Context, key digest, q question[V]) (V, bool, error) {
	again := q.again
	if again == nil {
		again = q.first
	}
	value, age := v.yes.get(key)
	switch age {
	case fresh:
		return value, true, nil
	case aging:
		if renewed, yes, err := v.renew(ctx, key, min(q.timeout, renewTimeout), again); err == nil {
			return renewed, yes, nil
		}
		return value, true, nil
	case expired:
		return v.renew(ctx, key, q.timeout, again)
	}
	if value, age := v.no.get(key); age != forgotten {
		return value, false, nil
	}
	return v.renew(ctx, key, q.timeout, q.first)
}

// renew asks, and remembers the answer.
func (v *decisionCache[V]) renew(ctx context.Context, key digest, timeout time.Duration, ask inquiry[V]) (V, bool, error) {
	answer, err, _ := v.asking.Do(string(key[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		value, yes, err := ask(ctx)
		switch {
		case err != nil:
			return decision[V]{}, err
		case yes:
			v.yes.put(key, value)
		default:
			v.yes.remove(key)
			v.no.put(key, value)
		}
		return decision[V]{value, yes}, nil
	})
	a, _ := answer.(decision[V])
	return a.value, a.yes && err == nil, err
}
