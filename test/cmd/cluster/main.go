//go:build linux

// Command cluster runs a fleet on a real Kubernetes cluster on this machine, and a Prometheus that scrapes it, until it is
// interrupted. Nothing of it is left then.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/test/node"
)

// namespace is where the fleet is installed; the scrape configuration names it.
const namespace = "statefleet"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

type options struct {
	image, fleet string
	nodes, port  int
}

func run(ctx context.Context, args []string, out io.Writer) error {
	app := kingpin.New("cluster", "Runs a fleet on a real Kubernetes cluster on this machine, until it is interrupted.")
	var o options
	app.Flag("image", `Folder that "make image" has written.`).Default("dist/image").StringVar(&o.image)
	app.Flag("fleet", "Kustomization that installs the fleet.").Default("manifests/base").StringVar(&o.fleet)
	app.Flag("nodes", "Number of nodes.").Default("2").IntVar(&o.nodes)
	app.Flag("port", "Port of the page of graphs on 127.0.0.1. The proxy into the cluster has the next one.").
		Default("18070").IntVar(&o.port)
	if _, err := app.Parse(args); err != nil {
		return err
	}
	archive, image, err := node.Image(o.image)
	if err != nil {
		return fmt.Errorf("--image: %w", err)
	}
	_, _ = fmt.Fprintf(out, "Starting %d nodes (the first time, programs are built for some minutes) ...\n", o.nodes)
	cluster, err := node.Start(ctx, node.Options{Nodes: o.nodes, Archives: []string{archive}})
	if err != nil {
		return err
	}
	s := &stand{cluster: cluster, out: out}
	err = s.show(ctx, o, image)
	if ctx.Err() != nil {
		err = nil // interrupted
	}
	_, _ = fmt.Fprintln(out, "Removing everything ...")
	return errors.Join(err, s.stop(), cluster.Stop())
}
