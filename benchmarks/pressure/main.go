// Command pressure runs statefleet with hardly more memory than it needs, and has
// clients and objects do their worst to it: it must not be killed, must stay within
// its limit, and must go on serving what is not at fault. The limit is one of a
// control group, which takes root.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	binary  string
	pods    int
	crowd   int
	factor  float64
	room    int64
	seed    uint64
	storms  int
	clients int
	scrape  time.Duration
}

// flags returns the program's flags, and where their values come.
func flags() (*kingpin.Application, *options) {
	o := &options{seed: 1}
	app := kingpin.New("pressure", "Runs statefleet with little memory against clients and objects that do their worst.")
	app.Flag("binary", "The statefleet binary.").Default("bin/statefleet").StringVar(&o.binary)
	app.Flag("pods", "Number of pods in the simulated cluster; everything else is in proportion.").Default("20000").IntVar(&o.pods)
	app.Flag("crowd", "Number of objects in the namespace with many objects.").Default("100000").IntVar(&o.crowd)
	app.Flag("factor", "Memory limit, as a multiple of the memory that is needed at rest, files such as the program itself not counted.").Default("1.3").Float64Var(&o.factor)
	app.Flag("room", "MiB that the limit is above what is needed at rest at least: clients take the same of a small replica as of a large one.").Default("12").Int64Var(&o.room)
	app.Flag("storms", "Number of times that everything has to be listed again.").Default("5").IntVar(&o.storms)
	app.Flag("clients", "Number of clients that scrape without pause; ten of them never read.").Default("50").IntVar(&o.clients)
	app.Flag("scrape", "How long they do.").Default("20s").DurationVar(&o.scrape)
	return app, o
}

// check refuses what puts nothing under pressure.
func (o *options) check(string) error {
	if o.pods < 1 || o.crowd < 1 || o.factor <= 1 || o.clients <= idlers {
		return fmt.Errorf("--pods and --crowd have to be above 0, --factor above 1 and --clients above %d", idlers)
	}
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app, o := flags()
	return command.Program{App: app, Check: o.check, Work: func(ctx context.Context) error {
		return press(ctx, *o, stdout,
			part{"start and scrapes", (*pressure).scrapes}, part{"objects", (*pressure).objects}, part{"custom resource", (*pressure).custom})
	}}.Run(ctx, args, stdout, stderr)
}
