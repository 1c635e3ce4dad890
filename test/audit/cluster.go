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

// forgetAfter is how long a deleted object is remembered. It is longer than any exposition may be outdated.
const forgetAfter = time.Minute

// Kinds whose objects are audited.
const (
	Jobs = "jobs"
	Pods = "pods"
)

// Cluster watches which pods and jobs exist. All methods except Relist and Close may be called concurrently.
type Cluster struct {
	client metadata.Interface
	kinds  []string
	stop   func() // ends the watches

	mu      sync.Mutex
	objects map[string]lifetime
}

// lifetime has the times when the creation and the deletion of an object were received. The object exists while deleted
// is zero.
type lifetime struct {
	created, deleted time.Time
	uid              string
}

// Follow watches the jobs and pods of the cluster that config connects to, until the end of the test.
func Follow(t testing.TB, config *rest.Config) *Cluster {
	t.Helper()
	c, err := Open(config, Jobs, Pods)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Open watches the objects of some kinds in the cluster that config connects to. It returns when it has listed them.
// The caller closes the Cluster.
func Open(config *rest.Config, kinds ...string) (*Cluster, error) {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c := &Cluster{client: client, kinds: kinds, objects: map[string]lifetime{}}
	_, err = c.watch()
	return c, err
}

// Close ends the watches.
func (c *Cluster) Close() { c.stop() }

// Relist lists the objects again. It is necessary after a cluster was restored from a backup, because its watches do
// not report which objects have changed.
func (c *Cluster) Relist(t testing.TB) {
	t.Helper()
	c.stop()
	began := time.Now()
	listed, err := c.watch()
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, l := range c.objects {
		if !listed[key] && l.deleted.IsZero() && l.created.Before(began) {
			l.deleted = time.Now()
			c.objects[key] = l
		}
	}
}

// keyOf returns the key of an object. It has the labels that identify the object in its info family.
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

// identity drops all metadata, such as managed fields, that does not identify an object.
func identity(object any) (any, error) {
	o, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	return &metav1.PartialObjectMetadata{TypeMeta: o.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion,
	}}, nil
}

// watch starts the watches, and returns the keys of the objects in the first lists.
func (c *Cluster) watch() (listed map[string]bool, err error) {
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
			AddFunc:    func(object any) { c.record(object, kind, false) },
			DeleteFunc: func(object any) { c.record(object, kind, true) },
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

func (c *Cluster) record(object any, kind string, deleted bool) {
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
	case deleted:
		seen.deleted = now
	case seen.uid == uid && seen.deleted.IsZero(): // listed again
	default:
		seen = lifetime{created: now, uid: uid}
	}
	c.objects[key] = seen
}

// lifetimes returns all objects that exist or were deleted less than forgetAfter ago, by key.
func (c *Cluster) lifetimes() map[string]lifetime {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.objects, func(_ string, l lifetime) bool {
		return !l.deleted.IsZero() && time.Since(l.deleted) > forgetAfter
	})
	return maps.Clone(c.objects)
}
