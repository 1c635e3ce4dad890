package capacity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/statefleet/statefleet/resources"
)

// Options choose what is estimated.
type Options struct {
	Kinds  []resources.Kind
	Filter resources.Filter
	// Given are numbers of objects, by kind. They override those of the Cluster.
	Given map[string]int
	// Cluster is read for the number and size of objects; nil: Given is the only source.
	Cluster *Cluster
	// Load is the load except for the kinds, and for the events unless they are given.
	Load   Load
	Limits Limits
	// JSON chooses JSON as the format; otherwise it is text for people.
	JSON bool
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
	r := newReport(costs, o.Load, o.Limits)
	write := r.writeText
	if o.JSON {
		write = r.writeJSON
	}
	if err := write(w); err != nil {
		return err
	}
	if !r.fits {
		return fmt.Errorf("no fleet of up to %d replicas stays within the limits: each of %d exceeds %s",
			MaxReplicas, r.smallest.Replicas, usableShare(o.Limits.Exceeds(r.smallest)))
	}
	return nil
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
		return nil, errors.New("the API server allows listing none of the kinds")
	}
	return all, nil
}
