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
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// forgetAfter is how long a deleted object is remembered: longer than any page may be behind.
const forgetAfter = time.Minute

// Kinds whose objects are audited.
const (
	Jobs = "jobs"
	Pods = "pods"
)

// Cluster follows which pods and jobs there are. All methods may be called concurrently, but for Relist and Close.
type Cluster struct {
	client metadata.Interface
	kinds  []string
	stop   func() // following

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
	c, err := Open(config, Jobs, Pods)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Open follows the objects of some kinds of the cluster that config connects to, and returns when it has listed them.
// The caller closes it.
func Open(config *rest.Config, kinds ...string) (*Cluster, error) {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c := &Cluster{client: client, kinds: kinds, objects: map[string]life{}}
	_, err = c.follow()
	return c, err
}

// Close ends following.
func (c *Cluster) Close() { c.stop() }

// Relist lists the objects again. A cluster that was restored from a backup has other objects than before, and its watches
// do not report the difference.
func (c *Cluster) Relist(t testing.TB) {
	t.Helper()
	c.stop()
	began := time.Now()
	listed, err := c.follow()
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, l := range c.objects {
		if !listed[key] && l.gone.IsZero() && l.came.Before(began) {
			l.gone = time.Now()
			c.objects[key] = l
		}
	}
}

// keyOf is what an object of a kind is called here: by what a sample of its info family says of it.
func keyOf(kind string, o metav1.Object) string {
	if kind == Jobs {
		return "job " + o.GetNamespace() + " " + o.GetName()
	}
	return "pod " + string(o.GetUID())
}

func resourceOf(kind string) schema.GroupVersionResource {
	if kind == Jobs {
		return batchv1.SchemeGroupVersion.WithResource(kind)
	}
	return corev1.SchemeGroupVersion.WithResource(kind)
}

// identity drops all metadata that is not needed to tell objects apart: most of it are managed fields.
func identity(object any) (any, error) {
	o, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	return &metav1.PartialObjectMetadata{TypeMeta: o.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion,
	}}, nil
}

// follow returns the keys of the objects that the first list had.
func (c *Cluster) follow() (listed map[string]bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	factory := metadatainformer.NewSharedInformerFactoryWithOptions(c.client, 0, metadatainformer.WithTransform(identity))
	c.stop = sync.OnceFunc(func() {
		cancel()
		factory.Shutdown()
	})
	stores := map[string]cache.Store{}
	for _, kind := range c.kinds {
		informer := factory.ForResource(resourceOf(kind)).Informer()
		stores[kind] = informer.GetStore()
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { c.note(object, kind, false) },
			DeleteFunc: func(object any) { c.note(object, kind, true) },
		})
		if err != nil {
			c.stop()
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	listed = map[string]bool{}
	for kind, store := range stores {
		for _, object := range store.List() {
			if o, ok := object.(metav1.Object); ok {
				listed[keyOf(kind, o)] = true
			}
		}
	}
	return listed, nil
}

func (c *Cluster) note(object any, kind string, gone bool) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	o, ok := object.(metav1.Object)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key, now := keyOf(kind, o), time.Now()
	seen := c.objects[key]
	switch uid := string(o.GetUID()); {
	case gone:
		seen.gone = now
	case seen.uid == uid && seen.gone.IsZero(): // listed again
	default:
		seen = life{came: now, uid: uid}
	}
	c.objects[key] = seen
}

// lives are all objects that are there, or were until lately.
func (c *Cluster) lives() map[string]life {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.objects, func(_ string, l life) bool { return !l.gone.IsZero() && time.Since(l.gone) > forgetAfter })
	return maps.Clone(c.objects)
}
