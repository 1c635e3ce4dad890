package replica

import (
	"context"
	"slices"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
)

// newSubject returns the Subject by which the Verifier compares a kind.
func (r *Replica) newSubject(k *kind) *verify.Subject {
	return r.options.Verifier.NewSubject(verify.SubjectOptions{
		Name:           k.Name,
		Store:          k.store,
		Reflectors:     k.currentReflectors,
		ID:             k.id,
		Ready:          func() bool { return r.holdsAll() && !r.Idle() && k.verifiable() },
		Full:           func() bool { return k.limitReached(k.store.Stats()) },
		DeletedAt:      k.tombstones.deletedAt,
		NewestDeletion: k.tombstones.newestVersion,
		Relist: func(ctx context.Context, reset bool) {
			if reset {
				k.versionsReset.Store(true)
			}
			r.requestRelist(ctx, k)
		},
		Logger: k.logger,
	})
}

// verifiable reports whether a Reflector of the kind is synced, and none is being listed. Namespaces
// that the API server refuses do not keep the others from being compared.
func (k *kind) verifiable() bool {
	phase := k.status().Phase
	return phase == watch.Synced || phase != watch.Pending && slices.ContainsFunc(k.currentReflectors(),
		func(s *watch.Reflector) bool { return s.Status().Phase == watch.Synced })
}
