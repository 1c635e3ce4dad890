package replica

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
)

// ErrNoShard is the reason of a replica that is not ready because the table by which the fleet
// serves does not include it.
var ErrNoShard = errors.New("this replica has no shard: its ordinal is outside of the fleet, or the fleet has not " +
	"switched to include it")

var (
	errKindsUnknown    = errors.New("the definitions of custom resources are not known yet")
	errNotAssigned     = errors.New("no shard assigned yet")
	errNoNamespaces    = errors.New("the selected namespaces are not listed yet")
	errServedByStandby = errors.New("another replica serves this shard until the pod of this one is ready")
)

// Ready returns nil when the replica can serve its whole shard, otherwise an error that names what
// it waits for. A ready replica stays ready while the API server is unavailable and while the shard
// changes, and keeps serving what it holds. It ceases to be ready only when it has no shard any
// more.
func (r *Replica) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ready:
		return nil
	case r.waiting != nil:
		return r.waiting
	}
	return notSynced(incomplete(r.kinds))
}

// Serves returns nil while the replica serves its shard, otherwise the error of Ready, or one that
// says that another replica serves the shard.
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

// incomplete returns the kinds that readiness and changes of shard wait for.
//
// Those are all kinds as long as none was listed. An API server that has just started refuses
// allowed requests for a moment, and the replica must not become ready with an empty exposition
// because of that.
func incomplete(kinds []*kind) []*kind {
	var missing, required []*kind
	listed := len(kinds) == 0
	for _, k := range kinds {
		listed = listed || k.status().Synced
		if k.exempt {
			continue
		}
		required = append(required, k)
		if !k.complete() {
			missing = append(missing, k)
		}
	}
	if !listed {
		return required
	}
	return missing
}

// notSynced returns an error that names the kinds that the replica waits for. Kinds that wait for
// one API server are one reason.
func notSynced(kinds []*kind) error {
	var names, outages []string
	unreachable := map[string]int{} // kinds, by outage
	for _, k := range kinds {
		if o := k.outage(); o == "" {
			names = append(names, k.Name+k.waitReason())
		} else if unreachable[o]++; unreachable[o] == 1 {
			outages = append(outages, o)
		}
	}
	var reasons []string
	for _, o := range outages {
		reasons = append(reasons, fmt.Sprintf("cannot reach the API server %s (%s)", o, numberOfKinds(unreachable[o])))
	}
	if len(names) > 0 {
		reasons = append(reasons, "not synced yet: "+strings.Join(names, ", "))
	}
	if len(reasons) == 0 {
		return errors.New("synced, about to serve")
	}
	return errors.New(strings.Join(reasons, "; "))
}

func numberOfKinds(n int) string {
	if n == 1 {
		return "1 kind"
	}
	return fmt.Sprintf("%d kinds", n)
}

// waitReason returns in parentheses why the replica waits for the kind, and how much longer it does so.
func (k *kind) waitReason() string {
	var why []string
	st, bounded := k.status(), false
	left := time.Duration(0)
	if st.Phase == watch.Forbidden {
		why, bounded, left = append(why, "forbidden"), true, k.options.ForbiddenGrace-time.Since(st.Since)
	}
	if k.Custom && k.options.CustomGrace > 0 && (!bounded || k.graceLeft() < left) {
		bounded, left = true, k.graceLeft()
	}
	if left = (left + time.Second - 1).Truncate(time.Second); bounded && left > 0 {
		why = append(why, "waits for "+left.String()+" at most")
	}
	if len(why) == 0 {
		return ""
	}
	return " (" + strings.Join(why, "; ") + ")"
}
