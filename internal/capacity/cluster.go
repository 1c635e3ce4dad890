package capacity

import (
	"context"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// Cluster reads a cluster for an estimate.
type Cluster struct {
	// Client reaches the API server; see [watch.NewClient].
	Client rest.Interface
	// Namespaces restricts namespaced kinds; none means all.
	Namespaces []string
	// Sample is how many objects of each kind, in each of the Namespaces, are read and rendered.
	// With 0, objects are only counted, by their metadata.
	Sample int64
}

// Kind is the number of objects of a kind, and their mean size.
type Kind struct {
	Name    string
	Objects int
	Size    Size
	// Sampled is the number of objects whose mean is Size; 0 if Size is not from this cluster.
	Sampled int
	// Containers is the mean number of containers per pod; 0 for other kinds.
	Containers float64
	// Problem is the API server's reason why the kind cannot be counted, such as Forbidden; "" if it
	// was counted.
	Problem string
}

// Read counts the objects of a kind and measures some of them, with the families of the filter. It
// returns no error for a kind that the API server refuses, or does not have.
func (c Cluster) Read(ctx context.Context, k resources.Kind, f resources.Filter) (Kind, error) {
	counted := Kind{Name: k.Name()}
	r, err := k.Renderer(f)
	if err != nil {
		return counted, err
	}
	namespaces := c.Namespaces
	if !k.Namespaced || len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	s := newSample(r)
	for _, namespace := range namespaces {
		n, err := c.count(ctx, k.Resource, r.Form(), namespace, s)
		switch {
		case apierrors.IsForbidden(err) || apierrors.IsNotFound(err):
			return Kind{Name: k.Name(), Problem: string(apierrors.ReasonForError(err))}, nil
		case err != nil:
			return counted, fmt.Errorf("list %s: %w", k.Name(), err)
		}
		s.setPopulation(n)
		counted.Objects += n
	}
	counted.Size, counted.Sampled, counted.Containers = s.size(), s.objects, s.containers()
	return counted, nil
}

// listLimit is the size of the pages after the first, which are needed only if the API server does
// not say how many objects remain.
const listLimit = 500

// count counts the objects of a resource, and adds those of the first page to the sample.
func (c Cluster) count(ctx context.Context, resource schema.GroupVersionResource, form wire.Form, namespace string,
	to *sample) (n int, err error) {
	o := metav1.ListOptions{Limit: max(c.Sample, 1)}
	for {
		accept, read := form.AcceptIdentity(), wire.ReadList
		sampled := c.Sample > 0 && o.Continue == ""
		if sampled {
			accept, read = form.Accept(false), form.ReadList
		}
		list, err := c.list(ctx, resource, namespace, o, accept, func(body io.Reader) (metav1.ListMeta, error) {
			return read(body, func(enc wire.Encoding, raw []byte) error {
				n++
				if sampled {
					_ = to.add(enc, raw) // an object that cannot be rendered is not served
				}
				return nil
			})
		})
		switch {
		case err != nil:
			return n, err
		case list.RemainingItemCount != nil:
			return n + int(*list.RemainingItemCount), nil
		case list.Continue == "":
			return n, nil
		}
		o.Continue, o.Limit = list.Continue, listLimit
	}
}

func (c Cluster) list(ctx context.Context, resource schema.GroupVersionResource, namespace string, o metav1.ListOptions, accept string,
	read func(body io.Reader) (metav1.ListMeta, error)) (metav1.ListMeta, error) {
	path := []string{"/apis", resource.Group, resource.Version}
	if resource.Group == "" {
		path = []string{"/api", resource.Version}
	}
	if namespace != metav1.NamespaceAll {
		path = append(path, "namespaces", namespace)
	}
	request := c.Client.Get().AbsPath(append(path, resource.Resource)...).
		SpecificallyVersionedParams(&o, metav1.ParameterCodec, schema.GroupVersion{Version: "v1"})
	if accept != "" {
		request.SetHeader("Accept", accept)
	}
	body, err := request.Stream(ctx)
	if err != nil {
		return metav1.ListMeta{}, err
	}
	defer func() { _ = body.Close() }()
	list, err := read(body)
	if err == nil {
		_, err = io.Copy(io.Discard, body) // so that the connection can be reused
	}
	return list, err
}
