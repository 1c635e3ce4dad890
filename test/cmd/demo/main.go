// Command demo runs the demo of the benchmarks, a Prometheus in the same process, and a page with graphs of its data.
package main

import (
	"context"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/demo"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := kingpin.New("demo", "Runs a fleet on a simulated cluster, and a Prometheus that scrapes it.")
	return command.Run(ctx, app, args, stdout, stderr, demo.With(&monitor{}))
}
