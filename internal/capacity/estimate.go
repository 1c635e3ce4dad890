package capacity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/statefleet/statefleet/resources"
)

// Options choose what is estimated.
type Options struct {
	Kinds  []resources.Kind
	Filter resources.Filter
	// Given are numbers of objects, by kind. They override those of the Cluster.
	Given map[string]int
	// Cluster is read for the number and size of objects; nil: Given is all that is known.
	Cluster *Cluster
	// Load lacks the kinds, and the events unless they are given.
	Load   Load
	Limits Limits
}

// Estimate writes an estimate, and how to deploy the smallest fleet within the limits. It is an
// error if there is none.
func Estimate(ctx context.Context, o Options, w io.Writer) error {
	costs, err := Measured()
	if err != nil {
		return err
	}
	if o.Cluster != nil {
		o.Load.Kinds, err = o.read(ctx, costs)
	} else {
		var names []string
		for _, k := range o.Kinds {
			names = append(names, k.Name())
		}
		o.Load.Kinds = costs.ScaleFromPods(o.Given, names)
	}
	if err != nil {
		return err
	}
	if o.Load.Events == 0 {
		o.Load.Events = costs.DefaultEvents(o.Load.Kinds)
	}
	fit, ok, err := Report{Costs: costs, Load: o.Load, Limits: o.Limits}.Write(w)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("no fleet of up to %d replicas stays within the limits: one of %d %s",
			MaxReplicas, fit.Replicas, o.Limits.Exceeds(fit))
	}
	return o.writeDeployment(w, fit)
}

// read counts and measures the objects of the cluster.
func (o Options) read(ctx context.Context, costs Costs) ([]Kind, error) {
	var all []Kind
	for _, k := range o.Kinds {
		found, err := o.Cluster.Read(ctx, k, o.Filter)
		if err != nil {
			return nil, err
		}
		if n, ok := o.Given[k.Name()]; ok {
			found.Objects, found.Problem = n, ""
		}
		if found.Sampled == 0 {
			found.Size = costs.Kinds[k.Name()].Size
		}
		all = append(all, found)
	}
	if !slices.ContainsFunc(all, func(k Kind) bool { return k.Problem == "" }) {
		return nil, errors.New("the API server allows to list none of the kinds")
	}
	return all, nil
}

// writeDeployment writes the values of the chart and the kustomization.
func (o Options) writeDeployment(w io.Writer, r Replica) error {
	cpu, memory := r.Requests(o.Limits.Memory)
	standby, base := "", "base"
	if o.Load.Standby {
		standby, base = ",standby.enabled=true", "overlays/standby"
	}
	limit, limits := "null", "" // null removes the chart's default
	if o.Limits.Memory > 0 {
		limit = resource.NewQuantity(o.Limits.Memory, resource.BinarySI).String()
		limits = ", limits: {memory: " + limit + "}"
	}
	_, err := fmt.Fprintf(w, `
Helm
  --set replicas=%d%s
  --set resources.requests.cpu=%s,resources.requests.memory=%s,resources.limits.memory=%s
Kustomize
  resources: [manifests/%s]
  replicas: [{name: statefleet, count: %d}]
  patches:
    - target: {kind: StatefulSet, name: statefleet}
      patch: |
        - {op: replace, path: /spec/template/spec/containers/0/resources, value: {requests: {cpu: %s, memory: %s}%s}}
`, r.Replicas, standby, cpu, memory, limit, base, r.Replicas, cpu, memory, limits)
	return err
}
