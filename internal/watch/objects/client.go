package objects

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// Object is a decoded object of the Kubernetes API.
type Object interface {
	runtime.Object
	metav1.Object
}

// API reads and writes the objects of one resource. It is safe for concurrent use.
type API[T Object] interface {
	// Get reads one object. It never answers from the API server's cache.
	Get(ctx context.Context, name string) (T, error)
	// List returns the selected objects and the resourceVersion of the list.
	List(ctx context.Context, opts metav1.ListOptions) ([]T, string, error)
	// Watch delivers the events of the selected objects.
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
	// Update replaces an object, unless it has changed since it was read.
	Update(ctx context.Context, object T) (T, error)
	// MergePatch changes the fields that a JSON merge patch names.
	MergePatch(ctx context.Context, name string, patch []byte) (T, error)
}

// ClientOptions name a resource.
type ClientOptions struct {
	// Resource is the resource to read and write. Required.
	Resource schema.GroupVersionResource
	// Namespace restricts the requests. Default: all namespaces, or a resource without namespaces.
	Namespace string
	// FieldManager owns the fields that are written. Required for writes.
	FieldManager string
}

type client[T Object] struct {
	ClientOptions
	rest  rest.Interface
	codec runtime.ParameterCodec
}

// NewClient returns a client of the API server for one resource. It decodes only the types of
// object and list, so a program that uses it links no other ones.
func NewClient[T Object](config *rest.Config, object T, list runtime.Object, o ClientOptions) (API[T], error) {
	r, codec, err := NewRESTClient(config, o.Resource.GroupVersion(), object, list)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", o.Resource.Resource, err)
	}
	return &client[T]{o, r, codec}, nil
}

// NewRESTClient returns a client for one version of an API group that knows only the given types,
// and the codec for the options of its requests.
func NewRESTClient(
	config *rest.Config, version schema.GroupVersion, known ...runtime.Object,
) (rest.Interface, runtime.ParameterCodec, error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(version, known...)
	metav1.AddToGroupVersion(scheme, version)
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath = &version, "/apis"
	if version.Group == "" {
		c.APIPath = "/api"
	}
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	r, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, nil, err
	}
	return r, runtime.NewParameterCodec(scheme), nil
}

// request completes a request for the resource.
func (c *client[T]) request(verb *rest.Request, opts runtime.Object) *rest.Request {
	return verb.NamespaceIfScoped(c.Namespace, c.Namespace != "").Resource(c.Resource.Resource).
		VersionedParams(opts, c.codec)
}

// one sends a request whose answer is one object.
func (c *client[T]) one(ctx context.Context, request *rest.Request) (object T, err error) {
	answer, err := request.Do(ctx).Get()
	if err != nil {
		return object, err
	}
	object, ok := answer.(T)
	if !ok {
		return object, fmt.Errorf("%s: the API server answered with a %T, want a %T", c.Resource.Resource, answer, object)
	}
	return object, nil
}

// Get implements [API].
func (c *client[T]) Get(ctx context.Context, name string) (T, error) {
	return c.one(ctx, c.request(c.rest.Get(), &metav1.GetOptions{}).Name(name))
}

// List implements [API].
func (c *client[T]) List(ctx context.Context, opts metav1.ListOptions) ([]T, string, error) {
	list, err := c.request(c.rest.Get(), &opts).Do(ctx).Get()
	if err != nil {
		return nil, "", err
	}
	return Items[T](list)
}

// Items returns the objects in a list, and the list's resourceVersion.
func Items[T Object](list runtime.Object) (items []T, version string, err error) {
	info, err := meta.ListAccessor(list)
	if err != nil {
		return nil, "", err
	}
	err = meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(T)
		if !ok {
			return fmt.Errorf("list has a %T, want a %T", item, object)
		}
		items = append(items, object)
		return nil
	})
	return items, info.GetResourceVersion(), err
}

// Watch implements [API].
func (c *client[T]) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	opts.Watch = true
	return c.request(c.rest.Get(), &opts).Watch(ctx)
}

// Update implements [API].
func (c *client[T]) Update(ctx context.Context, object T) (T, error) {
	opts := &metav1.UpdateOptions{FieldManager: c.FieldManager}
	return c.one(ctx, c.request(c.rest.Put(), opts).Name(object.GetName()).Body(object))
}

// MergePatch implements [API].
func (c *client[T]) MergePatch(ctx context.Context, name string, patch []byte) (T, error) {
	opts := &metav1.PatchOptions{FieldManager: c.FieldManager}
	return c.one(ctx, c.request(c.rest.Patch(types.MergePatchType), opts).Name(name).Body(patch))
}
