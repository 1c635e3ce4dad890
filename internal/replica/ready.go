package replica

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
)

var (
	errNoShard         = errors.New("no shard assigned yet")
	errNoShardOwned    = errors.New("this replica has no shard: its ordinal is outside of the fleet, or the fleet has not changed over to include it")
	errNoNamespaces    = errors.New("the selected namespaces are not listed yet")
	errServedByStandby = errors.New("another replica serves this shard until the pod of this one is ready")
)

// Ready returns nil when the replica can serve all of its shard; else an error
// that says what it waits for. Once ready it stays so: while the API server is
// away, or the shard changes, what is known is served on. Only when it comes to
// own nothing it is not ready any more.
func (r *Replica) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ready:
		return nil
	case r.waiting != nil:
		return r.waiting
	}
	return r.unready(incomplete(r.kinds))
}

// Serves returns nil while the replica serves what is its to serve; else an
// error that says why not, which is Ready's unless another replica does it.
func (r *Replica) Serves() error {
	if err := r.Ready(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.serving {
		return errServedByStandby
	}
	return nil
}

func (r *Replica) isReady() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready
}

// incomplete returns the kinds that have to be waited for.
//
// When none has been listed, all are: an API server that has just started
// refuses for a moment everything that it allows, and what is served must not
// be nothing for that.
func incomplete(kinds []*kind) []*kind {
	var missing, waited []*kind
	listed := len(kinds) == 0
	for _, k := range kinds {
		listed = listed || k.status().Synced
		if k.warming || k.exempt {
			continue
		}
		waited = append(waited, k)
		if !k.complete() {
			missing = append(missing, k)
		}
	}
	if !listed {
		return waited
	}
	return missing
}

// unready is the error that says for which kinds the replica waits, and how much longer
// where that is known.
func (r *Replica) unready(kinds []*kind) error {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name+r.reason(k))
	}
	if len(names) == 0 {
		return errors.New("synced, about to serve")
	}
	return fmt.Errorf("not synced yet: %s", strings.Join(names, ", "))
}

// reason says in parentheses why a kind is waited for, and for how much longer.
func (r *Replica) reason(k *kind) string {
	var why []string
	st, bounded := k.status(), false
	left := time.Duration(0)
	if st.Phase == watch.Forbidden {
		why, bounded, left = append(why, "forbidden"), true, k.forbiddenGrace-time.Since(st.Since)
	}
	if grace := r.options.CustomGrace; k.Custom && grace > 0 && (!bounded || k.graceLeft(grace) < left) {
		bounded, left = true, k.graceLeft(grace)
	}
	if left = (left + time.Second - 1).Truncate(time.Second); bounded && left > 0 {
		why = append(why, "waits for "+left.String()+" at most")
	}
	if len(why) == 0 {
		return ""
	}
	return " (" + strings.Join(why, "; ") + ")"
}
