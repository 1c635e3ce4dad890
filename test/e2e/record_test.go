package e2e

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/statefleet/statefleet/test/fleet"
)

// record holds every observed state of the topology ConfigMap. All methods may be called concurrently.
type record struct {
	mu      sync.Mutex
	entries []entry
}

// entry is one state of the ConfigMap.
type entry struct {
	topology
	version uint64 // the ConfigMap's resourceVersion
	seen    time.Time
}

// recordTopology records the ConfigMap until the end of the test.
func (s *setup) recordTopology(t *testing.T) *record {
	r, maps := &record{}, s.cluster.Client().CoreV1().ConfigMaps(namespace)
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		for ctx.Err() == nil {
			r.follow(ctx, maps)
			time.Sleep(fleet.Tick)
		}
	})
	t.Cleanup(func() {
		cancel()
		working.Wait()
	})
	return r
}

// follow reads the ConfigMap and watches it from there, until the watch ends.
func (r *record) follow(ctx context.Context, maps typedcorev1.ConfigMapInterface) {
	object, err := maps.Get(ctx, topologyName, metav1.GetOptions{})
	if err != nil {
		return
	}
	r.add(object)
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, topologyName).String()
	events, err := maps.Watch(ctx, metav1.ListOptions{FieldSelector: selector, ResourceVersion: object.ResourceVersion})
	if err != nil {
		return
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if object, ok := event.Object.(*corev1.ConfigMap); ok && event.Type != watch.Deleted {
			r.add(object)
		}
	}
}

func (r *record) add(object *corev1.ConfigMap) {
	now, err := parseTopology(object)
	version, invalid := strconv.ParseUint(object.ResourceVersion, 10, 64)
	if err != nil || invalid != nil {
		return // a scenario has made it invalid
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entry{topology: now, version: version, seen: time.Now()})
}

// all returns what has been recorded so far.
func (r *record) all() []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[:len(r.entries):len(r.entries)]
}

// switches returns how often the active number of shards has changed.
func (r *record) switches() (n int) {
	all := r.all()
	for i := 1; i < len(all); i++ {
		if all[i].Active != all[i-1].Active {
			n++
		}
	}
	return n
}

// wentBack reports whether the ConfigMap's resourceVersion has ever decreased.
func (r *record) wentBack() bool {
	all := r.all()
	for i := 1; i < len(all); i++ {
		if all[i].version < all[i-1].version {
			return true
		}
	}
	return false
}

// formats returns the format versions of the recorded topologies.
func (r *record) formats() map[int]bool {
	found := map[int]bool{}
	for _, e := range r.all() {
		found[e.Format] = true
	}
	return found
}

// switchedTo returns the instant last scheduled for a switch to n shards, or one in an hour if none was.
func (r *record) switchedTo(n int) time.Time {
	at := time.Now().Add(time.Hour)
	for _, e := range r.all() {
		if e.Target == n && !e.SwitchAt.IsZero() {
			at = e.SwitchAt
		}
	}
	return at
}
