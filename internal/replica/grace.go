package replica

import (
	"slices"
	"time"
)

// latePoll is how often the loop looks after kinds that do not block readiness.
const latePoll = time.Second

// waitFrom notes that the kind begins to list at that time. A kind that has been incomplete
// since before goes on being so, and gets no further grace period.
func (r *Replica) waitFrom(k *kind, now time.Time) {
	complete := k.complete()
	k.mu.Lock()
	if complete || k.waitingSince.IsZero() {
		k.waitingSince = now
	}
	k.mu.Unlock()
	if complete {
		r.mu.Lock()
		defer r.mu.Unlock()
		k.exempt = false
	}
}

// waitForNothing notes that the kind has nothing to list. What comes after that is
// waited for as at the start.
func (r *Replica) waitForNothing(k *kind) {
	k.mu.Lock()
	k.waitingSince = time.Time{}
	k.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	k.exempt = false
}

// overdue reports whether the kind is a custom one that has been incomplete for the grace
// period.
func (k *kind) overdue(grace time.Duration) bool {
	return k.Custom && grace > 0 && !k.complete() && k.graceLeft(grace) <= 0
}

// graceLeft is what is left of the grace period; all of it before anything was asked for.
func (k *kind) graceLeft(grace time.Duration) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waitingSince.IsZero() {
		return grace
	}
	return grace - time.Since(k.waitingSince)
}

// exemptOverdue ends the wait for custom kinds that are overdue: one of them, whose
// conversion webhook fails for example, must not keep a fleet from being scaled. A kind
// that was never shown is late from then on. One that is shown stays so: it shows what it
// holds of the replica's shard, and what it has gained once that is listed.
//
// No kind is exempt before something was listed, since an API server that is away is no
// fault of a custom kind.
func (r *Replica) exemptOverdue() {
	kinds := r.current()
	if !slices.ContainsFunc(kinds, func(k *kind) bool { return k.status().Synced }) {
		return
	}
	for _, k := range kinds {
		if k.warming || k.exempt || !k.overdue(r.options.CustomGrace) {
			continue
		}
		r.mu.Lock()
		k.warming, k.exempt = !r.ready, r.ready
		r.mu.Unlock()
		k.logger.Warn("the custom resource was not listed within the grace period; readiness and changes of shard no longer wait for it",
			"grace_period", r.options.CustomGrace, "on_page", !k.warming, "err", k.lastError(k.status().Phase))
	}
}

// showReady makes visible the late kinds that are complete by now, and has excused ones waited for again.
func (r *Replica) showReady() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kinds {
		switch {
		case !k.warming && !k.exempt, !k.complete():
		case k.warming:
			k.warming = false
			k.store.EndBulkLoad()
		default:
			k.exempt = false
		}
	}
}

// inProgress reports whether something has begun that is not complete, and whether that is
// worth to be looked after often.
func (r *Replica) inProgress() (is, often bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	often = r.appliedPlan.Load() == nil
	for _, k := range r.kinds {
		is = is || k.warming || k.exempt
		often = often || k.warming && !k.overdue(r.options.CustomGrace)
	}
	return is || often, often
}
