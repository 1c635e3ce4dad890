// Command benchmarks runs statefleet on a simulated cluster: to try it (demo, apisim, families), to measure it
// (load, compare, architectures, curves, guard), and to stress it (soak, pressure, attack). It needs no real
// cluster.
package main

import (
	"context"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/apisim"
	"github.com/statefleet/statefleet/benchmarks/architectures"
	"github.com/statefleet/statefleet/benchmarks/attack"
	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/curves"
	"github.com/statefleet/statefleet/benchmarks/demo"
	"github.com/statefleet/statefleet/benchmarks/families"
	"github.com/statefleet/statefleet/benchmarks/guard"
	"github.com/statefleet/statefleet/benchmarks/load"
	"github.com/statefleet/statefleet/benchmarks/pressure"
	"github.com/statefleet/statefleet/benchmarks/soak"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := kingpin.New("benchmarks", "Runs, measures and stresses statefleet on a simulated cluster.")
	return command.Run(ctx, app, args, stdout, stderr, demo.Commands, apisim.Commands, families.Commands,
		load.Commands, architectures.Commands, curves.Commands, guard.Commands,
		soak.Commands, pressure.Commands, attack.Commands)
}
