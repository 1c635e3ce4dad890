package audit

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// forgetAfter is how long a deleted object is remembered: longer than any page may be behind.
const forgetAfter = time.Minute

// Cluster follows which pods and jobs there are. All methods may be called concurrently.
type Cluster struct {
	client metadata.Interface
	stop   func() // following; belongs to the goroutine of the test

	mu      sync.Mutex
	objects map[string]life
}

// life is when the creation and the deletion of an object were reported; it exists as long as gone is zero.
type life struct {
	came, gone time.Time
	uid        string
}

// Follow follows the cluster that config connects to until the end of the test.
func Follow(t testing.TB, config *rest.Config) *Cluster {
	t.Helper()
	client, err := metadata.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{client: client, objects: map[string]life{}}
	c.follow(t)
	t.Cleanup(func() { c.stop() })
	return c
}

// Relist lists the objects again. A cluster that was restored from a backup has other objects than before, and its watches
// do not report the difference.
func (c *Cluster) Relist(t testing.TB) {
	t.Helper()
	c.stop()
	began := time.Now()
	listed := c.follow(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, l := range c.objects {
		if !listed[key] && l.gone.IsZero() && l.came.Before(began) {
			l.gone = time.Now()
			c.objects[key] = l
		}
	}
}

// follow returns the keys of the objects that the first list had.
func (c *Cluster) follow(t testing.TB) (listed map[string]bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	factory := metadatainformer.NewSharedInformerFactory(c.client, 0)
	c.stop = sync.OnceFunc(func() {
		cancel()
		factory.Shutdown()
	})
	stores := map[cache.Store]func(metav1.Object) string{}
	for resource, key := range map[string]func(metav1.Object) string{
		"pods": func(o metav1.Object) string { return "pod " + string(o.GetUID()) },
		"jobs": func(o metav1.Object) string { return "job " + o.GetNamespace() + " " + o.GetName() },
	} {
		gvr := corev1.SchemeGroupVersion.WithResource(resource)
		if resource == "jobs" {
			gvr = batchv1.SchemeGroupVersion.WithResource(resource)
		}
		informer := factory.ForResource(gvr).Informer()
		stores[informer.GetStore()] = key
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { c.note(object, key, false) },
			DeleteFunc: func(object any) { c.note(object, key, true) },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	listed = map[string]bool{}
	for store, key := range stores {
		for _, object := range store.List() {
			if o, ok := object.(metav1.Object); ok {
				listed[key(o)] = true
			}
		}
	}
	return listed
}

func (c *Cluster) note(object any, key func(metav1.Object) string, gone bool) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	o, ok := object.(metav1.Object)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, now := c.objects[key(o)], time.Now()
	switch uid := string(o.GetUID()); {
	case gone:
		seen.gone = now
	case seen.uid == uid && seen.gone.IsZero(): // listed again
	default:
		seen = life{came: now, uid: uid}
	}
	c.objects[key(o)] = seen
}

// lives are all objects that are there, or were until lately.
func (c *Cluster) lives() map[string]life {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.objects, func(_ string, l life) bool { return !l.gone.IsZero() && time.Since(l.gone) > forgetAfter })
	return maps.Clone(c.objects)
}
