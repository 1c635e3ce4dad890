package replica

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/watch"
)

// following is a set of running Sources, one for each scope of each kind.
type following struct {
	sources []*watch.Source
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// follow starts the Sources. They hold what r.held says, at every moment.
func (r *Replica) follow(ctx context.Context) *following {
	ctx, cancel := context.WithCancel(ctx)
	f := &following{cancel: cancel}
	for _, k := range r.kinds {
		for i, sc := range k.scopes {
			s := watch.NewSource(watch.Options{
				Client:        r.client,
				Resource:      k.Resource,
				Namespace:     sc.namespace,
				FieldSelector: sc.fieldSelector,
				CachedReads:   r.options.UseAPIServerCache,
				Owned:         r.owned,
				Selector:      func() string { return r.held.Load().Selector() },
				Sink:          &sink{kind: k, source: uint32(i)},
				Metrics:       r.watchMetrics,
				Logger:        r.logger,
			})
			f.sources = append(f.sources, s)
			f.running.Go(func() { s.Run(ctx) })
		}
	}
	return f
}

// stop ends the Sources and waits until nothing of them reaches the stores.
func (f *following) stop() {
	f.cancel()
	f.running.Wait()
}

func (r *Replica) owned(hash uint64) bool { return r.held.Load().Contains(hash) }

// missing says which kinds are not complete yet; nil when all are. Kinds that
// the API server refuses or does not have are no reason to wait.
func (f *following) missing() error {
	var names []string
	for _, s := range f.sources {
		st := s.Status()
		if st.Synced || st.Phase == watch.Forbidden || st.Phase == watch.Absent {
			continue
		}
		name := s.Resource.Resource
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("not synced yet: %s", strings.Join(names, ", "))
}

// ranges are the parts of the hash ring that matter to a replica: what it serves
// now, and what it will serve once a change that is under way is done.
type ranges struct{ now, next shard.Ranges }

func (g ranges) changing() bool { return !g.now.Equal(g.next) }
