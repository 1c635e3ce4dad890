package replica

import (
	"slices"
	"time"
)

// overduePoll is how often the loop polls kinds that block neither readiness nor a change of shard.
const overduePoll = time.Second

// startWaiting notes that the kind begins to list; since is zero if it has nothing to list. A kind that
// is still incomplete from before keeps its first start, and gets no further grace period.
func (r *Replica) startWaiting(k *kind, since time.Time) {
	again := !since.IsZero() && !k.complete()
	k.mu.Lock()
	if !again || k.incompleteSince.IsZero() {
		k.incompleteSince = since
	}
	k.mu.Unlock()
	if !again {
		r.mu.Lock()
		k.exempt = false
		r.mu.Unlock()
	}
}

// overdue reports whether the kind is a custom one that has been incomplete for the grace period.
func (k *kind) overdue() bool {
	return k.Custom && k.options.CustomGrace > 0 && !k.complete() && k.graceLeft() <= 0
}

// graceLeft returns the rest of the grace period. It is the whole period before the kind is listed.
func (k *kind) graceLeft() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.incompleteSince.IsZero() {
		return k.options.CustomGrace
	}
	return k.options.CustomGrace - time.Since(k.incompleteSince)
}

// exemptOverdue ends the wait for custom kinds that are overdue: a single failing conversion
// webhook, for example, must not block the scaling of a fleet. A visible kind stays visible, with the
// objects of the shard that are held, and with those of added ranges once they are listed.
//
// No kind is exempt before any kind was listed: an unavailable API server is not the fault of a
// custom kind.
func (r *Replica) exemptOverdue() {
	kinds := r.current()
	if !slices.ContainsFunc(kinds, func(k *kind) bool { return k.status().Synced }) {
		return
	}
	for _, k := range kinds {
		if k.exempt || !k.overdue() {
			continue
		}
		r.mu.Lock()
		k.exempt = true
		r.mu.Unlock()
		k.logger.Warn("the custom resource was not listed within the grace period; readiness and changes of shard no longer wait for it",
			"grace_period", r.options.CustomGrace, "visible", !k.hidden, "err", k.lastError(k.status().Phase))
	}
}

// showComplete makes hidden kinds visible that are complete now, and ends the exemption of complete
// ones. A kind that is refused counts as complete, and stays hidden. Before the replica is ready, a
// kind that was complete may be incomplete again, and is hidden then. While everything is held, an
// incomplete kind is only being listed again. It stays visible, for the replica may become ready soon.
func (r *Replica) showComplete() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kinds {
		k.hidden = k.hidden || !r.ready && !r.holdsAll()
		if !k.hidden && !k.exempt || !k.complete() {
			continue
		}
		k.exempt = false
		if k.hidden && k.status().Synced {
			k.hidden = false
			k.store.EndBulkLoad()
		}
	}
}

// pollInterval returns how often the loop must poll the kinds; 0 if none is incomplete.
func (r *Replica) pollInterval() time.Duration {
	switch {
	case !r.holdsAll():
		return syncPoll
	case r.Idle():
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	interval := time.Duration(0)
	for _, k := range r.kinds {
		if k.hidden && !k.refused() && !k.overdue() {
			return syncPoll
		}
		if k.hidden || k.exempt {
			interval = overduePoll
		}
	}
	return interval
}
