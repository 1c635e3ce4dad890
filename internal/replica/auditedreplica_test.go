package replica

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/statefleet/statefleet/internal/testing/history"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// auditedReplica is a replica whose expositions are compared with the history.
type auditedReplica struct {
	*run
	c      *recordedCluster
	view   int
	reader *history.Reader  // nil while nothing is expected
	since  history.Position // the position of its last complete list
}

// startAudited starts a replica with the kinds of one view.
func (c *recordedCluster) startAudited(view int, change func(*Options)) *auditedReplica {
	w := &world{t: c.t, cluster: c.cluster, server: c.server}
	return &auditedReplica{c: c, view: view, run: w.start(func(o *Options) {
		o.Kinds = slices.Clone(c.views[view])
		o.ForbiddenGrace = time.Hour // a 403 of a fault counts as transient
		o.verify(2*time.Second, time.Second)
		o.Backoff = fastBackoff()
		if change != nil {
			change(o)
		}
	})}
}

// expect starts to compare expositions with the history. They must have the objects that the plan
// serves, in no state older than since.
func (w *auditedReplica) expect(p shard.Plan, since history.Position) {
	w.reader = w.c.history.Reader(w.view, served(p).Contains, since)
}

// served returns the ranges that a plan serves.
func served(p shard.Plan) (all shard.Ranges) {
	for _, s := range p.Serves(p.Shards()) {
		all = all.Union(s)
	}
	return all
}

// servesPlan reports whether the replica serves exactly the ranges of the plan.
func (w *auditedReplica) servesPlan(p shard.Plan) bool {
	return w.visible.Load().Equal(served(p))
}

// exposition returns the exposition of the replica, or nil if it does not serve.
func (w *auditedReplica) exposition() history.Exposition {
	w.t.Helper()
	snapshot, err := w.Snapshot(store.Text, allKinds)
	if err != nil {
		return nil
	}
	defer snapshot.Release()
	var text bytes.Buffer
	if err := snapshot.WriteText(&text); err != nil {
		w.t.Fatal(err)
	}
	read, err := historyKinds().Read(text.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	return read
}

// check compares the exposition with the history.
func (w *auditedReplica) check() error {
	if w.reader == nil {
		return nil
	}
	exposition := w.exposition()
	if exposition == nil {
		return nil
	}
	if len(exposition) > 0 {
		w.c.checked++
	}
	return w.reader.Check(exposition)
}

// converge waits until the expositions of the replicas equal the state of the cluster.
func (c *recordedCluster) converge(replicas ...*auditedReplica) time.Duration {
	c.t.Helper()
	start := time.Now()
	var err error
	for time.Since(start) < convergeIn {
		if err = c.equal(replicas); err == nil {
			return time.Since(start)
		}
		time.Sleep(c.pollInterval)
	}
	c.t.Fatalf("the expositions differ from the cluster after %s: %v", convergeIn, err)
	return 0
}

// equal compares the expositions of the replicas with the state of the cluster.
func (c *recordedCluster) equal(replicas []*auditedReplica) error {
	for i, w := range replicas {
		exposition := w.exposition()
		if exposition == nil {
			return fmt.Errorf("replica %d does not serve", i)
		}
		if err := w.reader.Equal(exposition); err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
		if len(exposition) > 0 {
			c.checked++
		}
	}
	return nil
}

// churn changes objects, sometimes ends watches or compacts the log of events, and checks the
// expositions meanwhile.
func (c *recordedCluster) churn(steps int, replicas ...*auditedReplica) {
	c.t.Helper()
	for end := c.steps + steps; c.steps < end; {
		for range 1 + c.random.IntN(40) { // a burst
			c.step()
			switch c.random.IntN(60) {
			case 0:
				c.cluster.CloseWatches()
			case 1:
				c.cluster.Compact()
			}
		}
		time.Sleep(time.Duration(c.random.IntN(10)) * time.Millisecond)
		for i, w := range replicas {
			if err := w.check(); err != nil {
				c.t.Fatalf("after %d changes, %v: replica %d: %v", c.steps, c.injector.Counts(), i, err)
			}
		}
	}
}
