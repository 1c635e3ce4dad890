//go:build linux

// Command cluster runs a fleet on a real Kubernetes cluster on this machine, and a Prometheus that scrapes the fleet.
// It runs until it is interrupted, and then removes everything.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/test/node"
)

// namespace is the namespace of the fleet. The scrape configuration contains it.
const namespace = "statefleet"

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := kingpin.New("cluster", "Runs a fleet on a real Kubernetes cluster on this machine until it is interrupted.")
	return command.Run(ctx, app, args, stdout, stderr, group)
}

type options struct {
	folder string
	port   int

	archive, image string // in the folder
}

func group(app *kingpin.Application) []command.Command {
	var o options
	c := app.Command("run", "Starts the cluster.").Default()
	c.Flag("image", `Folder that "make image" has written.`).Default("dist/image").StringVar(&o.folder)
	c.Flag("port", "Port of the page with graphs on 127.0.0.1. The proxy into the cluster uses the next port.").
		Default("18070").IntVar(&o.port)
	return []command.Command{{Clause: c, Check: o.check, Run: o.run}}
}

func (o *options) check() (err error) {
	if o.archive, o.image, err = node.Image(o.folder); err != nil {
		return fmt.Errorf("--image: %w", err)
	}
	return nil
}

func (o *options) run(ctx context.Context, out, _ io.Writer) error {
	s := &services{out: out}
	if err := s.listen(o.port); err != nil { // first, because the cluster takes long to start
		return errors.Join(fmt.Errorf("--port: %w", err), s.stop())
	}
	_, _ = fmt.Fprintln(out, "Starting 2 nodes (the first time, it takes some minutes to build programs) ...")
	cluster, err := node.Start(ctx, node.Options{Nodes: 2, Archives: []string{o.archive}})
	if err != nil {
		return errors.Join(err, s.stop())
	}
	s.cluster = cluster
	err = s.show(ctx, *o)
	if ctx.Err() != nil {
		err = nil // interrupted
	}
	_, _ = fmt.Fprintln(out, "Removing everything ...")
	return errors.Join(err, s.stop(), cluster.Stop())
}
