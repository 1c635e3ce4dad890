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

// witness is a replica whose pages are held against the history.
type witness struct {
	*run
	c      *chronicle
	view   int
	reader *history.Reader  // nil while it is not known what must be served
	since  history.Position // what it has listed completely
}

// witness starts a replica that shows one of the views.
func (c *chronicle) witness(view int, change func(*Options)) *witness {
	w := &world{t: c.t, cluster: c.cluster, server: c.server}
	return &witness{c: c, view: view, run: w.start(func(o *Options) {
		o.Kinds = slices.Clone(c.views[view])
		o.ForbiddenGrace = time.Hour // a fault is not a role
		o.verify(2*time.Second, time.Second)
		o.Backoff = soon()
		if change != nil {
			change(o)
		}
	})}
}

// reads begins to hold pages against the history: those of what a plan serves, which
// show nothing older than since.
func (w *witness) reads(p shard.Plan, since history.Position) {
	w.reader = w.c.history.Reader(w.view, served(p).Contains, since)
}

// served is what a plan has its replica serve.
func served(p shard.Plan) (all shard.Ranges) {
	for _, s := range p.Serves(p.Shards()) {
		all = all.Union(s)
	}
	return all
}

// shows reports whether a replica serves what its plan says.
func (w *witness) shows(p shard.Plan) bool {
	want, shown := served(p), w.visible.Load()
	return shown == nil && len(want) == 0 || shown != nil && shown.Equal(want)
}

// page returns what the replica shows; nil without a page.
func (w *witness) page() history.Page {
	w.t.Helper()
	page, err := w.Collect(store.Text, func(string) bool { return true })
	if err != nil {
		return nil
	}
	defer page.Release()
	var text bytes.Buffer
	if err := page.WriteText(&text); err != nil {
		w.t.Fatal(err)
	}
	read, err := identities().Read(text.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	return read
}

// check holds the page against the history.
func (w *witness) check() error {
	if w.reader == nil {
		return nil
	}
	page := w.page()
	if page == nil {
		return nil
	}
	if len(page) > 0 {
		w.c.checked++
	}
	return w.reader.Check(page)
}

// converge waits until all pages agree with the cluster.
func (c *chronicle) converge(witnesses ...*witness) time.Duration {
	c.t.Helper()
	start := time.Now()
	var err error
	for time.Since(start) < convergeIn {
		if err = c.equal(witnesses); err == nil {
			return time.Since(start)
		}
		time.Sleep(c.often)
	}
	c.t.Fatalf("the pages do not agree with the cluster after %s: %v", convergeIn, err)
	return 0
}

func (c *chronicle) equal(witnesses []*witness) error {
	for i, w := range witnesses {
		page := w.page()
		if page == nil {
			return fmt.Errorf("replica %d has no page", i)
		}
		if err := w.reader.Equal(page); err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
		if len(page) > 0 {
			c.checked++
		}
	}
	return nil
}

// live changes objects, and now and then ends watches or forgets events, while
// pages are checked.
func (c *chronicle) live(steps int, witnesses ...*witness) {
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
		for i, w := range witnesses {
			if err := w.check(); err != nil {
				c.t.Fatalf("after %d changes, %v: replica %d: %v", c.steps, c.injector.Counts(), i, err)
			}
		}
	}
}
