package simulator

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// runReflector runs a reflector of pods until the test ends.
func runReflector(t *testing.T, set kubernetes.Interface, tweak func(*metav1.ListOptions), pageSize int64) cache.Store {
	t.Helper()
	lw := cache.NewFilteredListWatchFromClient(set.CoreV1().RESTClient(), "pods", "", tweak)
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	r := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(lw, set), &corev1.Pod{}, store, cache.ReflectorOptions{})
	r.WatchListPageSize = pageSize
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.RunWithContext(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return store
}

// mirrors reports whether the store has exactly the pods of the cluster, in their
// current states.
func mirrors(t *testing.T, c *Cluster, store cache.Store) bool {
	t.Helper()
	var got, want []string
	for _, item := range store.List() {
		p, ok := item.(*corev1.Pod)
		if !ok {
			t.Fatalf("store has a %T, want only pods", item)
		}
		got = append(got, p.Namespace+"/"+p.Name+"@"+p.ResourceVersion)
	}
	storage, err := c.storageOf(&corev1.Pod{})
	if err != nil {
		t.Fatal(err)
	}
	for o := range storage.state().all(objectKey{}) {
		want = append(want, o.namespace+"/"+o.name+"@"+formatVersion(o.resourceVersion))
	}
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}

// change adds, updates and deletes pods.
func change(t *testing.T, c *Cluster, round int) {
	t.Helper()
	for i := range 20 {
		put(t, c, pod("ns-0", fmt.Sprintf("pod-%04d", 3*i)), pod("ns-1", fmt.Sprintf("round-%d-%d", round, i)))
		if i%2 == 0 {
			if err := c.Delete(pod("ns-1", fmt.Sprintf("round-%d-%d", round, i))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestReflectorMirrorsTheCluster(t *testing.T) {
	ways := map[string]struct {
		options  Options
		pageSize int64
		watch    bool // the initial state comes by a watch
	}{
		"watch-list": {watch: true},
		"one list":   {options: Options{NoWatchList: true}},
		"paged list": {options: Options{NoWatchList: true}, pageSize: 7},
	}
	for way, settings := range ways {
		for name, content := range contentTypes() {
			t.Run(way+" "+name, func(t *testing.T) {
				c := New(settings.options)
				putPods(t, c, 60)
				server, err := c.Serve("")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(server.Stop)
				store := runReflector(t, client(t, server, content), func(*metav1.ListOptions) {}, settings.pageSize)
				eventually(t, "initial state", func() bool { return mirrors(t, c, store) })
				if lists := server.Traffic().Lists.Load(); (lists == 0) != settings.watch {
					t.Errorf("got %d lists, want none: %t", lists, settings.watch)
				}
				change(t, c, 1)
				eventually(t, "changes", func() bool { return mirrors(t, c, store) })
			})
		}
	}
}

func TestReflectorResumesWhereItWasCutOff(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 60)
	server, err := c.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	store := runReflector(t, client(t, server, contentTypes()["protobuf"]), func(*metav1.ListOptions) {}, 0)
	eventually(t, "initial state", func() bool { return mirrors(t, c, store) })
	for round := range 3 {
		// A watch that ends without an event makes client-go list again.
		change(t, c, 2*round)
		eventually(t, "changes", func() bool { return mirrors(t, c, store) })
		c.CloseWatches()
		change(t, c, 2*round+1)
		eventually(t, "changes after the watch was closed", func() bool { return mirrors(t, c, store) })
	}
	server.Stop()
	change(t, c, 6)
	restarted, err := c.Serve(server.URL()[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(restarted.Stop)
	eventually(t, "changes while the server was down", func() bool { return mirrors(t, c, store) })
	if got := server.Traffic().Events.Load() + restarted.Traffic().Events.Load(); got >= 2*60+7*50 {
		t.Errorf("got %d events, want less than %d: the whole state was sent again", got, 2*60+7*50)
	}
}

func TestReflectorRelistsAfterTheLogHasOverflown(t *testing.T) {
	for way, options := range map[string]Options{"watch-list": {LogEvents: 8}, "list": {LogEvents: 8, NoWatchList: true}} {
		t.Run(way, func(t *testing.T) {
			c := New(options)
			putPods(t, c, 60)
			server, err := c.Serve("")
			if err != nil {
				t.Fatal(err)
			}
			store := runReflector(t, client(t, server, contentTypes()["protobuf"]), func(*metav1.ListOptions) {}, 0)
			eventually(t, "initial state", func() bool { return mirrors(t, c, store) })
			server.Stop()
			change(t, c, 1) // 50 events; the log holds 8
			restarted, err := c.Serve(server.URL()[len("http://"):])
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(restarted.Stop)
			eventually(t, "state after 410 Gone", func() bool { return mirrors(t, c, store) })
		})
	}
}

func TestReflectorsOfShardsAddUpToTheWhole(t *testing.T) {
	c := New(Options{ShardSelector: true})
	putPods(t, c, 90)
	set := serve(t, c, contentTypes()["protobuf"])
	var shards []cache.Store
	for _, text := range []string{lowerHalf, upperHalf} {
		shards = append(shards, runReflector(t, set, func(o *metav1.ListOptions) { o.ShardSelector = text }, 0))
	}
	together := func() bool {
		whole := cache.NewStore(cache.MetaNamespaceKeyFunc)
		n := 0
		for _, shard := range shards {
			for _, item := range shard.List() {
				n++
				if err := whole.Add(item); err != nil {
					t.Fatal(err)
				}
			}
		}
		return n == len(whole.List()) && mirrors(t, c, whole)
	}
	eventually(t, "initial state", together)
	change(t, c, 1)
	eventually(t, "changes", together)
	for i, shard := range shards {
		if n := len(shard.List()); n < 25 || n > 85 {
			t.Errorf("half %d: got %d of %d pods, want 25 to 85", i, n, c.Len())
		}
	}
}

// TestReflectorsMirrorUnderChurn starts lists, pages and watches while objects
// change. No event may be lost between them.
func TestReflectorsMirrorUnderChurn(t *testing.T) {
	for way, noWatchList := range map[string]bool{"watch-list": false, "paged list": true} {
		t.Run(way, func(t *testing.T) {
			c := New(Options{NoWatchList: noWatchList})
			putPods(t, c, 100)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for round := 0; ctx.Err() == nil; round++ {
					change(t, c, round)
					time.Sleep(10 * time.Millisecond)
				}
			}()
			set := serve(t, c, contentTypes()["protobuf"])
			var stores []cache.Store
			for range 5 {
				version := c.ResourceVersion()
				stores = append(stores, runReflector(t, set, func(*metav1.ListOptions) {}, 10))
				eventually(t, "change", func() bool { return c.ResourceVersion() > version+100 })
			}
			cancel()
			<-done
			for _, store := range stores {
				eventually(t, "the state after the change", func() bool { return mirrors(t, c, store) })
			}
		})
	}
}
