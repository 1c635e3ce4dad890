package replica

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/faults"
	"github.com/statefleet/statefleet/shard"
)

// The history of a cluster, against which pages are held. ConfigMaps are its
// objects: their page names the resourceVersion that it was made from.
//
// A page may be behind. But each object on it is as it was at some moment, no
// object goes back to an earlier version or disappears without having been
// deleted, and once nothing goes wrong any more the pages are what there is.

const (
	chronicled   = 60 // names
	convergeIn   = 90 * time.Second
	versionGauge = "kube_configmap_metadata_resource_version{"
)

// chronicle drives a cluster and remembers what it held.
type chronicle struct {
	t        *testing.T
	random   *rand.Rand
	cluster  *simulator.Cluster
	injector *faults.Injector
	server   *httptest.Server

	now     map[string]uint64          // versions, by name
	ever    map[string]map[uint64]bool // versions that there were
	deleted map[string]uint64          // when a name was deleted last
	steps   int
}

func newChronicle(t *testing.T, seed uint64) *chronicle {
	c := &chronicle{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), cluster: simulator.New(simulator.Options{Seed: seed, LogEvents: 2000, BookmarkInterval: 50 * time.Millisecond}),
		now: map[string]uint64{}, ever: map[string]map[uint64]bool{}, deleted: map[string]uint64{},
	}
	c.injector = faults.New(c.cluster.Handler(), seed)
	c.server = httptest.NewServer(c.injector)
	t.Cleanup(func() {
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
}

// step changes one object: it is created, updated, deleted, or deleted and created
// again under its name.
func (c *chronicle) step() {
	c.steps++
	name := "c" + strconv.Itoa(c.random.IntN(chronicled))
	_, exists := c.now[name]
	switch n := c.random.IntN(10); {
	case exists && n < 2:
		c.remove(name)
	case exists && n < 4:
		c.remove(name)
		c.put(name)
	default:
		c.put(name)
	}
}

func (c *chronicle) put(name string) {
	o := configMap(name)
	if err := c.cluster.Put(o); err != nil {
		c.t.Fatal(err)
	}
	c.now[name] = parseVersion(o.ResourceVersion)
	if c.ever[name] == nil {
		c.ever[name] = map[uint64]bool{}
	}
	c.ever[name][c.now[name]] = true
}

func (c *chronicle) remove(name string) {
	if err := c.cluster.Delete(configMap(name)); err != nil {
		c.t.Fatal(err)
	}
	delete(c.now, name)
	c.deleted[name] = c.cluster.ResourceVersion()
}

// witness is a replica, and what its page showed last.
type witness struct {
	*run
	last map[string]uint64
}

func (c *chronicle) witness(change func(*Options)) *witness {
	w := &world{t: c.t, cluster: c.cluster, server: c.server}
	return &witness{run: w.start(func(o *Options) {
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "configmaps" })
		o.Patience = time.Hour // a fault is not a role
		o.CheckEvery, o.CheckGrace = 2*time.Second, time.Second
		o.Backoff = wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 100, Cap: 100 * time.Millisecond}
		if change != nil {
			change(o)
		}
	})}
}

// page returns the versions on the page; nil without one.
func (w *witness) page() map[string]uint64 {
	w.t.Helper()
	lines := w.samples()
	if w.Serves() != nil {
		return nil
	}
	on := map[string]uint64{}
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, versionGauge); ok {
			_, rest, _ = strings.Cut(rest, `configmap="`)
			name, rest, _ := strings.Cut(rest, `"`)
			version, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
			if _, twice := on[name]; twice || err != nil {
				w.t.Fatalf("twice on the page, or without a version (%v): %s", err, l)
			}
			on[name] = uint64(version)
		}
	}
	return on
}

// check holds the page of a replica against history.
func (c *chronicle) check(w *witness) error {
	on := w.page()
	if on == nil {
		return nil
	}
	for name, version := range on {
		switch before := w.last[name]; {
		case !c.ever[name][version]:
			return fmt.Errorf("%s is shown at version %d, which never was", name, version)
		case version < before:
			return fmt.Errorf("%s went back from version %d to %d", name, before, version)
		}
	}
	for name, before := range w.last {
		if _, shown := on[name]; !shown && c.deleted[name] <= before {
			return fmt.Errorf("%s was shown at version %d, was never deleted since, and is gone", name, before)
		}
	}
	w.last = on
	return nil
}

// converge waits until the pages together are what there is.
func (c *chronicle) converge(witnesses ...*witness) time.Duration {
	c.t.Helper()
	start := time.Now()
	var err error
	for time.Since(start) < convergeIn {
		if err = c.equal(witnesses); err == nil {
			return time.Since(start)
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.t.Fatalf("not what there is after %s: %v", convergeIn, err)
	return 0
}

func (c *chronicle) equal(witnesses []*witness) error {
	all := map[string]uint64{}
	for _, w := range witnesses {
		on := w.page()
		if on == nil {
			return errors.New("a replica has no page")
		}
		for name, version := range on {
			if _, twice := all[name]; twice {
				return fmt.Errorf("%s is on two pages", name)
			}
			all[name] = version
		}
	}
	if !maps.Equal(all, c.now) {
		return fmt.Errorf("%d objects on the pages, %d in the cluster, or other versions of them", len(all), len(c.now))
	}
	return nil
}

// shows reports whether a replica serves what its plan says.
func (w *witness) shows(p shard.Plan) bool {
	var want shard.Ranges
	for _, s := range p.Serves(p.Shards()) {
		want = want.Union(s)
	}
	shown := w.shown.Load()
	return shown == nil && len(want) == 0 || shown != nil && shown.Equal(want)
}

// steps is how many changes a scenario makes; STATEFLEET_STEPS asks for more.
func steps() int {
	if n, err := strconv.Atoi(os.Getenv("STATEFLEET_STEPS")); err == nil {
		return n
	}
	if testing.Short() {
		return 500
	}
	return 1500
}

func seed(t *testing.T) uint64 {
	s := rand.Uint64N(1 << 32)
	if given, err := strconv.ParseUint(os.Getenv("STATEFLEET_SEED"), 10, 64); err == nil {
		s = given
	}
	t.Logf("STATEFLEET_SEED=%d", s)
	return s
}

// TestEachFault has one kind of fault at a time strike a third of all requests.
func TestEachFault(t *testing.T) {
	for _, f := range append(faults.All(), "all") {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			c := newChronicle(t, seed(t))
			for range 200 {
				c.step()
			}
			w := c.witness(func(o *Options) { o.UseAPIServerCache = f == faults.Stale })
			w.assign(0, 1)
			w.waitReady()
			list := []faults.Fault{f}
			switch f {
			case faults.Stale: // is for lists
				list = append(list, faults.NoStreaming)
			case "all":
				list = faults.All()
			}
			c.injector.Spoil(1.0/3, list...)
			for turn := 0; turn == 0 || turn < 20 && len(c.injector.Counts()) == 0; turn++ {
				c.live(w)
			}
			c.injector.Spoil(0)
			c.cluster.CloseWatches()
			took := c.converge(w)
			counts := c.injector.Counts()
			if len(counts) == 0 {
				t.Error("nothing went wrong")
			}
			t.Logf("%d changes, %v, converged in %s", c.steps, counts, took.Round(time.Millisecond))
		})
	}
}

// live changes objects, and now and then ends watches or forgets events, while the
// page is checked.
func (c *chronicle) live(witnesses ...*witness) {
	c.t.Helper()
	for i := range steps() / max(len(witnesses), 1) {
		c.step()
		switch c.random.IntN(60) {
		case 0:
			c.cluster.CloseWatches()
		case 1:
			c.cluster.Compact()
		}
		if i%10 == 0 {
			time.Sleep(time.Duration(c.random.IntN(20)) * time.Millisecond)
		}
		for _, w := range witnesses {
			if err := c.check(w); err != nil {
				c.t.Fatalf("after %d changes, %v: %v", c.steps, c.injector.Counts(), err)
			}
		}
	}
}

func TestAPIServerThatIsAway(t *testing.T) {
	t.Parallel()
	c := newChronicle(t, seed(t))
	for range 200 {
		c.step()
	}
	w := c.witness(nil)
	w.assign(0, 1)
	w.waitReady()
	c.converge(w)
	for range 3 {
		c.injector.Away(true)
		c.server.CloseClientConnections()
		c.live(w) // what nobody hears of
		if w.Serves() != nil {
			t.Error("what is known is not served any more")
		}
		c.injector.Away(false)
		t.Logf("converged in %s", c.converge(w).Round(time.Millisecond))
	}
}

// TestFleetThroughFaults has three replicas change over and stand by for one another,
// in step, while requests fail.
func TestFleetThroughFaults(t *testing.T) {
	t.Parallel()
	c := newChronicle(t, seed(t))
	for range 200 {
		c.step()
	}
	fleet := make([]*witness, 4)
	total := 3
	plans := func(active, target, down int) {
		t.Helper()
		for ordinal, w := range fleet {
			p := shard.Plan{Ordinal: ordinal, Active: active, Target: target, Standby: true}
			p.Covers = ordinal < active && down >= 0 && (down+1)%active == ordinal
			p.Covered = ordinal == down
			w.Follow(p)
			eventually(t, "it serves by the plan", func() bool { return w.shows(p) })
			w.last = nil // another served it before
		}
	}
	for i := range fleet {
		fleet[i] = c.witness(nil)
	}
	plans(total, total, -1)
	for _, w := range fleet[:total] {
		w.waitReady()
	}
	c.injector.Spoil(0.2, faults.All()...)
	for range 6 {
		next := 2 + c.random.IntN(len(fleet)-1)
		plans(total, next, -1)
		c.live(fleet[:total]...)
		eventually(t, "all hold what comes", func() bool {
			return !slices.ContainsFunc(fleet[:max(total, next)], func(w *witness) bool {
				return !w.Holds(shard.Plan{Ordinal: slices.Index(fleet, w), Active: total, Target: next, Standby: true})
			})
		})
		total = next
		plans(total, total, -1)
		c.live(fleet[:total]...)
		plans(total, total, c.random.IntN(total))
		c.live(fleet[:total]...)
		plans(total, total, -1)
	}
	c.injector.Spoil(0)
	c.cluster.CloseWatches()
	t.Logf("%d changes, %v, converged in %s", c.steps, c.injector.Counts(), c.converge(fleet[:total]...).Round(time.Millisecond))
}
