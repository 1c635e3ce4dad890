// Command scale runs measurements that need more than the replicas of a fleet: a fleet at the limits of Kubernetes,
// with an audit of every object, and a Prometheus that scrapes a large cluster.
package main

import (
	"context"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/test/limits"
	"github.com/statefleet/statefleet/test/scrapes"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := kingpin.New("scale", "Measures fleets on large simulated clusters.")
	return command.Run(ctx, app, args, stdout, stderr, limits.Commands, scrapes.Commands)
}
