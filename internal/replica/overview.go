package replica

import (
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// Overview is what a replica holds and serves at one moment.
type Overview struct {
	// Serves is why nothing is served; nil when something is. See [Replica.Serves].
	Serves error
	// Held and Shown are the hashes whose objects are held, and served.
	Held, Shown shard.Ranges
	// RawBytes and RawLimit are the memory of uncompressed pages and its bound.
	RawBytes, RawLimit int64
	// Kinds are in the order of the page.
	Kinds []KindOverview
}

// KindOverview is one kind of an Overview.
type KindOverview struct {
	Name string
	store.Stats
	// Status is that of the kind's requests taken together; Err is from one of
	// those whose phase counts.
	watch.Status
	// Late is set on a kind that was added while others were served, or on a custom
	// one that does not block readiness any longer. It is not shown before it is complete.
	Late bool
	// Truncated is how many objects lack metric families because of Options.ObjectBytes.
	Truncated int
}

// Overview returns the present state. It may be called at any time by any
// goroutine and costs the same whatever the replica holds.
func (r *Replica) Overview() Overview {
	o := Overview{
		Serves:   r.Serves(),
		Held:     rangesOf(r.held.Load()),
		Shown:    rangesOf(r.visible.Load()),
		RawBytes: r.budget.RawBytes(),
		RawLimit: r.options.RawBytes,
	}
	r.mu.Lock()
	for _, k := range r.kinds {
		o.Kinds = append(o.Kinds, KindOverview{Name: k.Name, Late: k.warming})
	}
	kinds := r.kinds
	r.mu.Unlock()
	for i, k := range kinds {
		o.Kinds[i].Stats = k.store.Stats()
		o.Kinds[i].Status = k.status()
		o.Kinds[i].Truncated = k.truncated.count(k.store.Contains)
		o.Kinds[i].Err = k.lastError(o.Kinds[i].Phase)
	}
	return o
}

func rangesOf(p *shard.Ranges) shard.Ranges {
	if p == nil {
		return nil
	}
	return *p
}

// lastError is why the last request failed of one of the Reflectors in this phase.
func (k *kind) lastError(phase watch.Phase) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.reflectors {
		if st := s.Status(); st.Phase == phase && st.Err != nil {
			return st.Err
		}
	}
	return nil
}
