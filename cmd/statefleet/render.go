package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/prometheus/common/promslog"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/render"
)

// renderManifests writes the exposition for manifests.
func renderManifests(_ context.Context, args []string, s streams) (err error) {
	c, done, err := config.LoadRender(args, s.out, s.err)
	if err != nil || done {
		return err
	}
	objects, err := readManifests(c.Manifests, s.in)
	if err != nil {
		return err
	}
	logger := promslog.New(&c.Log)
	for _, w := range c.Warnings() {
		logger.Warn("questionable configuration", "warning", w)
	}
	return render.Write(s.out, objects, render.Options{
		Kinds:             c.Kinds,
		Filter:            c.Filter,
		Custom:            c.Custom,
		Namespaces:        c.Namespaces,
		NamespacesDenied:  c.NamespacesDenied,
		NamespaceSelector: c.NamespaceSelector,
		ObjectSelectors:   c.ObjectSelectors,
		Node:              c.Node,
		TrackUnscheduled:  c.TrackUnscheduled,
		ObjectBytes:       c.ObjectBytes,
		Shard:             c.Ranges,
		Explain:           c.Explain,
		Logger:            logger,
	})
}

// readManifests reads the named files; config.StandardInput stands for stdin.
func readManifests(names []string, stdin io.Reader) (objects []render.Object, err error) {
	var sources []render.Source
	for _, name := range names {
		if name == config.StandardInput {
			sources = append(sources, render.Source{Name: "standard input", Reader: stdin})
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		sources = append(sources, render.Source{Name: name, Reader: f})
	}
	return render.Read(sources...)
}

// checkConfig checks a command line of the exporter and writes what it selects.
func checkConfig(_ context.Context, args []string, s streams) error {
	c, done, err := config.LoadCheck(args, s.out, s.err)
	if err != nil || done {
		return err
	}
	return c.WriteSummary(s.out)
}
