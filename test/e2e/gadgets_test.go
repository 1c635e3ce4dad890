package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/testing/faults"
	"github.com/statefleet/statefleet/test/fleet"
)

// The custom resource that is installed while the replicas run.
const (
	gadgetDefinition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"gadgets.example.com"},
"spec":{"group":"example.com","scope":"Namespaced","names":{"kind":"Gadget","plural":"gadgets","singular":"gadget"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`
	gadget = `{"apiVersion":"example.com/v1","kind":"Gadget","metadata":{"name":"g"},"spec":{"size":7}}`

	gadgetMetrics = `{kind: CustomResourceStateMetrics, spec: {resources: [{groupVersionKind: {group: example.com, version: v1, kind: Gadget},
metricNamePrefix: gadget, labelsFromPath: {name: [metadata, name], namespace: [metadata, namespace]},
metrics: [{name: size, help: Size of the gadget., each: {type: Gauge, gauge: {path: [spec, size]}}}]}]}}`
)

// installGadget installs the kind and an object of it, and returns a function that removes both.
func installGadget(t *testing.T, api rest.Interface, namespace string) (remove func()) {
	t.Helper()
	definitions, gadgets := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/apis/example.com/v1/namespaces/"+namespace+"/gadgets"
	if err := api.Post().AbsPath(definitions).SetHeader("Content-Type", "application/json").Body([]byte(gadgetDefinition)).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	fleet.Eventually(t, "the API server serves the new kind", func(ctx context.Context) error {
		return api.Post().AbsPath(gadgets).SetHeader("Content-Type", "application/json").Body([]byte(gadget)).Do(ctx).Error()
	})
	return func() {
		t.Helper()
		if err := api.Delete().AbsPath(definitions, "gadgets.example.com").Do(t.Context()).Error(); err != nil {
			t.Fatal(err)
		}
	}
}

// installKind installs a kind that is configured but did not exist, and an object of it. The object must be exposed,
// and must disappear when the kind is removed.
func (tr *trial) installKind() {
	api := tr.client.CoreV1().RESTClient()
	tr.makeChanges(10)
	tr.injector.SetFaults(0.2, faults.All()...)
	remove := installGadget(tr.t, api, tr.ns)
	tr.injector.SetFaults(0)
	fleet.Eventually(tr.t, "a replica exposes the object", func(ctx context.Context) error {
		for _, replica := range tr.replicas {
			answer, err := replica.Get(ctx, replica.URL+"/metrics")
			if err != nil {
				return err
			}
			if strings.Contains(answer.Body, "\ngadget_size{") {
				return nil
			}
		}
		return errors.New("no replica exposes it")
	})
	remove()
	fleet.Eventually(tr.t, "no replica exposes the object", func(ctx context.Context) error {
		for _, replica := range tr.replicas {
			answer, err := replica.Get(ctx, replica.URL+"/metrics")
			if err != nil || strings.Contains(answer.Body, "\ngadget_size{") {
				return errors.Join(err, errors.New("a replica exposes it"))
			}
		}
		return nil
	})
}
