package web

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// digest stands for a question without holding what is secret in it.
type digest [sha256.Size]byte

// verdicts are answers of yes or no, and what comes with a yes. They are remembered for a while. Yes and no do not push
// each other out: who collects refusals takes nobody's place.
type verdicts[V any] struct {
	yes, no memory[V]
	asking  singleflight.Group
}

type verdict[V any] struct {
	value V
	yes   bool
}

// of returns the verdict on key: one that is remembered, one that another caller asks for right now, or a new one. An error is
// not remembered. Whoever asks does so until timeout, even if it is no longer interested itself, because others may wait.
func (v *verdicts[V]) of(ctx context.Context, key digest, timeout time.Duration, ask func(context.Context) (V, bool, error)) (V, bool, error) {
	if value, ok := v.yes.get(key); ok {
		return value, true, nil
	}
	if value, ok := v.no.get(key); ok {
		return value, false, nil
	}
	answer, err, _ := v.asking.Do(string(key[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		value, yes, err := ask(ctx)
		switch {
		case err != nil:
			return verdict[V]{}, err
		case yes:
			v.yes.put(key, value)
		default:
			v.no.put(key, value)
		}
		return verdict[V]{value, yes}, nil
	})
	a, _ := answer.(verdict[V])
	return a.value, a.yes && err == nil, err
}

// memory holds values, each for the same while, and only so many.
type memory[V any] struct {
	lasts time.Duration
	limit int

	mu      sync.Mutex
	entries map[digest]entry[V]
}

type entry[V any] struct {
	value V
	until time.Time
}

func (m *memory[V]) get(key digest) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	if !ok || !time.Now().Before(e.until) {
		var none V
		return none, false
	}
	return e.value, true
}

// put remembers a value. When there is no room, one goes that is over, or else any.
func (m *memory[V]) put(key digest, value V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.entries == nil {
		m.entries = map[digest]entry[V]{}
	}
	if _, known := m.entries[key]; !known && len(m.entries) >= m.limit {
		m.makeRoom(now)
	}
	m.entries[key] = entry[V]{value, now.Add(m.lasts)}
}

func (m *memory[V]) makeRoom(now time.Time) {
	for key, e := range m.entries {
		if !now.Before(e.until) {
			delete(m.entries, key)
		}
	}
	for key := range m.entries {
		if len(m.entries) < m.limit {
			return
		}
		delete(m.entries, key)
	}
}
