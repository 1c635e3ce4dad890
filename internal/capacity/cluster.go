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

// Cluster is what is read for an estimate.
type Cluster struct {
	// Client reaches the API server; see [watch.NewClient].
	Client rest.Interface
	// Namespaces are those that namespaced kinds are read in; none means all.
	Namespaces []string
	// Sample is how many objects of each kind, in each of the Namespaces, are
	// read and rendered. 0 only counts, by metadata.
	Sample int64
}

// Kind is how many objects of a kind there are, and what one of them takes.
type Kind struct {
	Name    string
	Objects int
	Size    Size
	// Sampled is how many objects the Size is the mean of; 0 when it is not
	// from this cluster.
	Sampled int
	// Containers is the mean number of containers, of pods.
	Containers float64
	// Problem says why the kind is not counted, as the API server does, such as
	// Forbidden; "" when it is.
	Problem string
}

// containerFamilies have one series for each container of a pod.
func containerFamilies() []string {
	return []string{"kube_pod_container_info", "kube_pod_init_container_info"}
}

// Read counts the objects of a kind and measures some of them, as f shows them.
// A kind that the API server refuses, or does not have, is no error.
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
	sample := NewSample(r, containerFamilies()...)
	for _, namespace := range namespaces {
		n, err := c.count(ctx, k.Resource, r.Form(), namespace, sample)
		switch {
		case apierrors.IsForbidden(err) || apierrors.IsNotFound(err):
			return Kind{Name: k.Name(), Problem: string(apierrors.ReasonForError(err))}, nil
		case err != nil:
			return counted, fmt.Errorf("list %s: %w", k.Name(), err)
		}
		sample.Represent(n)
		counted.Objects += n
	}
	counted.Size, counted.Sampled, counted.Containers = sample.Size(), sample.Len(), sample.Marked()
	return counted, nil
}

// countPage is how many objects are asked for at once where the API server does
// not say how many there are.
const countPage = 500

// count asks for the first objects, and for how many there are beyond. The first
// page goes to the sample.
func (c Cluster) count(ctx context.Context, resource schema.GroupVersionResource, form wire.Form, namespace string, sample *Sample) (n int, err error) {
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
					_ = sample.Add(enc, raw) // an object that no page shows costs nothing
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
		o.Continue, o.Limit = list.Continue, countPage
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
		_, err = io.Copy(io.Discard, body) // what follows the list, so that the connection can be used again
	}
	return list, err
}
