package web

import (
	"sync"
	"time"
)

// ttlCache holds values, each for the same while, and only so many.
type ttlCache[V any] struct {
	ttl   time.Duration // a value is good for so long
	ages  time.Duration // from then on it should be renewed; zero: it never should
	keeps time.Duration // so long it is known that there was one; zero: as lasts
	limit int

	mu      sync.Mutex
	entries map[digest]entry[V]
}

type entry[V any] struct {
	value      V
	made, used time.Time
}

// age is how old a value is that is held.
type age int

const (
	forgotten age = iota // or never known
	fresh
	aging   // good, and to be renewed
	expired // no longer good, but not forgotten
)

func (m *ttlCache[V]) ageOf(e entry[V], now time.Time) age {
	switch old := now.Sub(e.made); {
	case old >= max(m.ttl, m.keeps):
		return forgotten
	case old >= m.ttl:
		return expired
	case m.ages > 0 && old >= m.ages:
		return aging
	default:
		return fresh
	}
}

func (m *ttlCache[V]) get(key digest) (V, age) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var none V
	e, ok := m.entries[key]
	if !ok {
		return none, forgotten
	}
	now := time.Now()
	a := m.ageOf(e, now)
	if a == forgotten {
		return none, forgotten
	}
	e.used = now
	m.entries[key] = e
	return e.value, a
}

// put remembers a value. When there is no room, those go that are over, or else the one that was used least recently.
func (m *ttlCache[V]) put(key digest, value V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.entries == nil {
		m.entries = map[digest]entry[V]{}
	}
	if _, known := m.entries[key]; !known && len(m.entries) >= m.limit {
		m.evict(now)
	}
	m.entries[key] = entry[V]{value: value, made: now, used: now}
}

func (m *ttlCache[V]) remove(key digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, key)
}

func (m *ttlCache[V]) evict(now time.Time) {
	var oldest digest
	var used time.Time
	for key, e := range m.entries {
		if m.ageOf(e, now) == forgotten {
			delete(m.entries, key)
			continue
		}
		if used.IsZero() || e.used.Before(used) {
			oldest, used = key, e.used
		}
	}
	if len(m.entries) >= m.limit {
		delete(m.entries, oldest)
	}
}
