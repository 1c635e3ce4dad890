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
			"grace_period", r.options.CustomGrace, "visible", !k.hidden.Load(), "err", k.lastError(k.status().Phase))
	}
}

// showComplete makes hidden kinds visible that are complete now, and ends the exemption of complete
// ones. A kind that is refused counts as complete, and stays hidden. Before the replica is ready, a
// kind that was complete may be incomplete again, and is hidden then. While everything is held, an
// incomplete kind is only being listed again. It stays visible, for the replica may become ready soon.
// showComplete returns false if readiness must wait for a kind that is hidden.
func (r *Replica) showComplete() (all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all = true
	for _, k := range r.kinds {
		if !r.ready && !r.holdsAll() {
			k.hidden.Store(true)
		}
		if !k.hidden.Load() && !k.exempt {
			continue
		}
		if !k.complete() || k.hidden.Load() && k.status().Synced && !k.show() {
			all = all && k.exempt
			continue
		}
		k.exempt = false
	}
	return all
}

// show makes a hidden kind visible, unless it is incomplete again. The caller holds the Replica's mutex,
// so that no scrape sees the kind meanwhile.
//
// The Reflector of a namespace that was refused may have begun to list it since the caller has asked.
// While hidden was set, its handler has not hidden the objects. It leaves the phase of a refusal before
// it puts the first one, and so complete, which is called after hidden was cleared, returns false. A list
// that begins later puts its objects into buckets that Show makes visible. A list that breaks off with
// another refusal leaves nothing; see unconfirmed.
func (k *kind) show() (ok bool) {
	k.hidden.Store(false)
	if !k.complete() {
		k.hidden.Store(true)
		return false
	}
	k.store.EndBulkLoad()
	return true
}

// hide hides a kind.
func (r *Replica) hide(k *kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k.hidden.Store(true)
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
		hidden := k.hidden.Load()
		if hidden && !k.refused() && !k.overdue() {
			return syncPoll
		}
		if hidden || k.exempt {
			interval = overduePoll
		}
	}
	return interval
}
