package simulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func watchPods(t *testing.T, set kubernetes.Interface, namespace string, options metav1.ListOptions) watch.Interface {
	t.Helper()
	w, err := set.CoreV1().Pods(namespace).Watch(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

// next returns the next event. It fails the test after a minute.
func next(t *testing.T, w watch.Interface) watch.Event {
	t.Helper()
	select {
	case e, open := <-w.ResultChan():
		if !open {
			t.Fatal("watch ended, want an event")
		}
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event within a minute")
	}
	return watch.Event{}
}

// expect requires the next event to be of a type and a pod, and returns the pod.
func expect(t *testing.T, w watch.Interface, typ watch.EventType, name string) *corev1.Pod {
	t.Helper()
	e := next(t, w)
	p, ok := e.Object.(*corev1.Pod)
	if !ok || e.Type != typ || p.Name != name {
		t.Fatalf("got %s %+v, want %s %s", e.Type, e.Object, typ, name)
	}
	return p
}

// expectEnd requires the watch to end without a further event.
func expectEnd(t *testing.T, w watch.Interface) {
	t.Helper()
	select {
	case e, open := <-w.ResultChan():
		if open {
			t.Fatalf("got %s %+v, want the end of the watch", e.Type, e.Object)
		}
	case <-time.After(time.Minute):
		t.Fatal("watch did not end within a minute")
	}
}

func TestWatchFollowsAList(t *testing.T) {
	for name, content := range contentTypes() {
		t.Run(name, func(t *testing.T) {
			c := New(Options{})
			putPods(t, c, 3)
			set := serve(t, c, content)
			list := listPods(t, set, "", metav1.ListOptions{})
			added := pod("ns-0", "new")
			put(t, c, added) // between list and watch
			w := watchPods(t, set, "", metav1.ListOptions{ResourceVersion: list.ResourceVersion})
			if p := expect(t, w, watch.Added, "new"); p.UID != added.UID || p.ResourceVersion != added.ResourceVersion {
				t.Errorf("got %+v, want %+v", p, added)
			}
			err := c.Modify(added, func() { added.Status.Phase = corev1.PodSucceeded })
			if err != nil {
				t.Fatal(err)
			}
			if p := expect(t, w, watch.Modified, "new"); p.Status.Phase != corev1.PodSucceeded {
				t.Errorf("got phase %s, want Succeeded", p.Status.Phase)
			}
			if err := c.Delete(pod("ns-0", "new")); err != nil {
				t.Fatal(err)
			}
			if p := expect(t, w, watch.Deleted, "new"); p.ResourceVersion != formatVersion(c.ResourceVersion()) || p.UID != added.UID {
				t.Errorf("got %+v, want UID %s at the current resourceVersion", p, added.UID)
			}
			replaced := pod("ns-0", "pod-0000")
			replaced.UID = "other"
			put(t, c, replaced)
			expect(t, w, watch.Deleted, "pod-0000")
			if p := expect(t, w, watch.Added, "pod-0000"); p.UID != "other" {
				t.Errorf("got UID %s, want other", p.UID)
			}
		})
	}
}

func TestWatchListEndsWithABookmark(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 7)
	yes := true
	options := metav1.ListOptions{SendInitialEvents: &yes, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true}
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		w := watchPods(t, set, "", options)
		for range 7 {
			if e := next(t, w); e.Type != watch.Added {
				t.Fatalf("got %s, want ADDED", e.Type)
			}
		}
		mark := expect(t, w, watch.Bookmark, "")
		if mark.ResourceVersion != formatVersion(c.ResourceVersion()) || mark.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
			t.Errorf("bookmark %+v", mark.ObjectMeta)
		}
		put(t, c, pod("ns-0", "pod-0000"))
		expect(t, w, watch.Modified, "pod-0000")
	})
}

func TestPeriodicBookmarksCarryTheClusterVersion(t *testing.T) {
	c := New(Options{BookmarkInterval: time.Millisecond})
	set := serve(t, c, rest.ContentConfig{})
	put(t, c, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}) // increments the cluster's resourceVersion
	w := watchPods(t, set, "", metav1.ListOptions{ResourceVersion: "1", AllowWatchBookmarks: true})
	mark := expect(t, w, watch.Bookmark, "")
	if mark.ResourceVersion != "2" || mark.Annotations != nil {
		t.Errorf("bookmark %+v", mark.ObjectMeta)
	}
}

func TestWatchSeesObjectsComeAndGoThroughItsSelector(t *testing.T) {
	c := New(Options{ShardSelector: true})
	p := pod("ns-0", "p")
	p.Spec.NodeName = ""
	p.UID = "fixed"
	put(t, c, p)
	version := formatVersion(c.ResourceVersion())
	move := func(change func()) {
		t.Helper()
		if err := c.Modify(p, change); err != nil {
			t.Fatal(err)
		}
	}
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		here := watchPods(t, set, "", metav1.ListOptions{ResourceVersion: version, FieldSelector: "spec.nodeName=node-1"})
		labelled := watchPods(t, set, "ns-0", metav1.ListOptions{ResourceVersion: version, LabelSelector: "app=other"})
		lower := watchPods(t, set, "", metav1.ListOptions{ResourceVersion: version, ShardSelector: lowerHalf})
		upper := watchPods(t, set, "", metav1.ListOptions{ResourceVersion: version, ShardSelector: upperHalf})
		elsewhere := watchPods(t, set, "ns-1", metav1.ListOptions{ResourceVersion: version})

		move(func() { p.Spec.NodeName = "node-1" })
		expect(t, here, watch.Added, "p")
		move(func() { p.Labels = map[string]string{"app": "other"} })
		expect(t, here, watch.Modified, "p")
		expect(t, labelled, watch.Added, "p")
		move(func() { p.Labels, p.Spec.NodeName = nil, "" })
		gone := expect(t, here, watch.Deleted, "p")
		if gone.Spec.NodeName != "node-1" || gone.ResourceVersion != p.ResourceVersion {
			t.Errorf("got %+v, want the last state that matched, at version %s", gone, p.ResourceVersion)
		}
		expect(t, labelled, watch.Deleted, "p")
		mine, other := lower, upper
		if hash64("fixed")>>63 == 1 {
			mine, other = upper, lower
		}
		for range 3 {
			expect(t, mine, watch.Modified, "p")
		}
		version = p.ResourceVersion
		c.CloseWatches()
		expectEnd(t, other)
		expectEnd(t, elsewhere)
	})
}

func TestWatchBehindTheLogIsGone(t *testing.T) {
	c := New(Options{LogEvents: 4})
	putPods(t, c, 10)
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		w := watchPods(t, set, "", metav1.ListOptions{ResourceVersion: "3"})
		e := next(t, w)
		if err := apierrors.FromObject(e.Object); e.Type != watch.Error || !apierrors.IsResourceExpired(err) {
			t.Fatalf("got %s %+v, want 410 Expired", e.Type, e.Object)
		}
		expectEnd(t, w)
		// The log has the four latest events: versions 8 to 11.
		w = watchPods(t, set, "", metav1.ListOptions{ResourceVersion: "7"})
		expect(t, w, watch.Added, "pod-0006")
		w = watchPods(t, set, "", metav1.ListOptions{ResourceVersion: "999"})
		e = next(t, w)
		if err := apierrors.FromObject(e.Object); !apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
			t.Fatalf("got %s %+v, want cause ResourceVersionTooLarge", e.Type, e.Object)
		}
	})
}

// Open watches that have seen all events continue. Only new ones from an older version get 410 Gone.
func TestCompactEndsNoWatchThatHasSeenAll(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 3)
	set := serve(t, c, rest.ContentConfig{})
	old := formatVersion(c.ResourceVersion())
	w := watchPods(t, set, "", metav1.ListOptions{ResourceVersion: old})
	put(t, c, pod("ns-0", "seen"))
	expect(t, w, watch.Added, "seen")
	put(t, c, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}) // increments the cluster's resourceVersion
	c.Compact()
	put(t, c, pod("ns-0", "next"))
	expect(t, w, watch.Added, "next")
	e := next(t, watchPods(t, set, "", metav1.ListOptions{ResourceVersion: old}))
	if err := apierrors.FromObject(e.Object); e.Type != watch.Error || !apierrors.IsResourceExpired(err) {
		t.Fatalf("got %s %+v, want 410 Expired", e.Type, e.Object)
	}
}

func TestEventLogIsBoundedInBytes(t *testing.T) {
	c := New(Options{})
	c.KeepEvents(10_000)
	p := pod("ns", "p")
	for range 1000 {
		put(t, c, p)
	}
	storage, err := c.storageOf(p)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(storage.log.events); n == 0 || n > 40 || storage.log.bytes > 10_000 {
		t.Errorf("log has %d events of %d bytes, limit 10000", n, storage.log.bytes)
	}
	c.KeepEvents(3000)
	if n := len(storage.log.events); n == 0 || storage.log.bytes > 3000 {
		t.Errorf("log has %d events of %d bytes, limit 3000", n, storage.log.bytes)
	}
	c.KeepEvents(0)
	for range 1000 {
		put(t, c, p)
	}
	if n := len(storage.log.events); n < 1000 {
		t.Errorf("log has %d events, want at least 1000, which fit its limit", n)
	}
}

func TestWatchTimesOut(t *testing.T) {
	c := New(Options{})
	one := int64(1)
	set := serve(t, c, rest.ContentConfig{})
	expectEnd(t, watchPods(t, set, "", metav1.ListOptions{ResourceVersion: "1", TimeoutSeconds: &one}))
}

func TestWatchOfOneObject(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 4)
	set := serve(t, c, rest.ContentConfig{})
	w, err := set.CoreV1().RESTClient().Get().Resource("pods").Namespace("ns-0").Name("pod-0003").
		VersionedParams(&metav1.ListOptions{Watch: true, ResourceVersion: "0"}, metav1.ParameterCodec).Watch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	expect(t, w, watch.Added, "pod-0003")
	put(t, c, pod("ns-0", "pod-0000"), pod("ns-0", "pod-0003"))
	expect(t, w, watch.Modified, "pod-0003")
}

// TestSlowWatcherIsCutOff has a client that does not read while the whole log is
// replaced. Its watch must end, because events are not buffered for it.
func TestSlowWatcherIsCutOff(t *testing.T) {
	c := New(Options{LogEvents: 8})
	server, err := c.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/api/v1/pods?watch=true&resourceVersion=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = response.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	big := pod("ns", "big")
	big.Annotations = map[string]string{"filler": string(make([]byte, 1<<20))}
	for range 64 { // 64 MiB, far more than the sockets buffer
		put(t, c, big)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestTrafficIsCountedPerListener(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 5)
	first, err := c.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Stop()
	second, err := c.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Stop()
	set := client(t, first, contentTypes()["json"])
	listPods(t, set, "", metav1.ListOptions{})
	if _, err := set.CoreV1().Pods("ns-0").Get(context.Background(), "pod-0000", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	w := watchPods(t, set, "", metav1.ListOptions{ResourceVersion: "0"})
	for range 5 {
		next(t, w)
	}
	got := first.Traffic()
	if got.Lists.Load() != 1 || got.Gets.Load() != 1 || got.Watches.Load() != 1 || got.Events.Load() < 5 || got.Bytes.Load() < 1000 {
		t.Errorf("got %+v, want one list, one get, one watch, at least 5 events and 1000 bytes", got)
	}
	if lists, sent := second.Traffic().Lists.Load(), second.Traffic().Bytes.Load(); lists != 0 || sent != 0 {
		t.Errorf("other listener: got %d lists and %d bytes, want none", lists, sent)
	}
}
