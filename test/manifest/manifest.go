// Package manifest builds the kustomize folders of this repository and applies them to a cluster, as "kubectl apply -k"
// does.
package manifest

import (
	"context"
	"fmt"
	"path/filepath"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// Folders of kustomizations, relative to the root of the repository.
const (
	Base               = "manifests/base"
	PrometheusOperator = "manifests/prometheus-operator"
	Standby            = "manifests/overlays/standby"
)

const fieldManager = "statefleet-test"

// Build returns the objects of a kustomization, in an order in which they can be applied. The folder is relative to the
// root of the repository.
func Build(folder string) ([]*unstructured.Unstructured, error) {
	root, err := fleet.Root()
	if err != nil {
		return nil, err
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy // namespaces and CRDs first
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), filepath.Join(root, folder))
	if err != nil {
		return nil, fmt.Errorf("kustomize build %s: %w", folder, err)
	}
	var objects []*unstructured.Unstructured
	for _, resource := range resources.Resources() {
		content, err := resource.Map()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", resource.CurId(), err)
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects, nil
}

// Applier applies objects to one cluster.
type Applier struct {
	client dynamic.Interface
	mapper meta.RESTMapper
}

// NewApplier returns an Applier for the cluster that config connects to.
func NewApplier(config *rest.Config) (*Applier, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Applier{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(typed.Discovery()))}, nil
}

// Apply applies one object by server-side apply and returns the stored object. An unknown field is an error.
func (a *Applier) Apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	resource, err := a.resource(object)
	if err != nil {
		return nil, err
	}
	data, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: fieldManager, FieldValidation: metav1.FieldValidationStrict}
	applied, err := resource.Patch(ctx, object.GetName(), "application/apply-patch+yaml", data, options)
	if err != nil {
		return nil, fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return applied, nil
}

// Create creates one object with its status, and returns the stored object. An unknown field is an error.
func (a *Applier) Create(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	resource, err := a.resource(object)
	if err != nil {
		return nil, err
	}
	created, err := resource.Create(ctx, object, metav1.CreateOptions{FieldManager: fieldManager, FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		return nil, fmt.Errorf("creating %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	status, ok := object.Object["status"]
	if !ok {
		return created, nil
	}
	created.Object["status"] = status
	updated, err := resource.UpdateStatus(ctx, created, metav1.UpdateOptions{FieldManager: fieldManager, FieldValidation: metav1.FieldValidationStrict})
	switch {
	case apierrors.IsNotFound(err): // the kind has no status subresource, so Create has stored the status
		return created, nil
	case err != nil:
		return nil, fmt.Errorf("setting the status of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return updated, nil
}

// Delete deletes an object. It leaves owned objects to the garbage collector. A missing object is no error.
func (a *Applier) Delete(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := a.resource(object)
	if err != nil {
		return err
	}
	policy := metav1.DeletePropagationBackground
	err = resource.Delete(ctx, object.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// resource returns the client for an object. The mapper discovers all kinds at the first one. For a kind that is
// installed later, make another Applier.
func (a *Applier) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return a.client.Resource(mapping.Resource).Namespace(object.GetNamespace()), nil
	}
	return a.client.Resource(mapping.Resource), nil
}
