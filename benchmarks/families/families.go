// Package families prints the exposition of a simulated cluster with every kind and every family, for tools
// that check expositions.
package families

import (
	"context"
	"io"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/resources"
)

// Commands registers the subcommand families.
func Commands(app *kingpin.Application) []command.Command {
	c := app.Command("families", "Print the exposition of a simulated cluster with every kind and family.")
	binary := command.Binary(c)
	return []command.Command{{Clause: c, Run: func(ctx context.Context, out, _ io.Writer) error {
		return write(ctx, *binary, out)
	}}}
}

func write(ctx context.Context, binary string, out io.Writer) error {
	cluster, err := generator.NewCluster(400, simulator.Options{})
	if err != nil {
		return err
	}
	server, err := cluster.Serve("")
	if err != nil {
		return err
	}
	defer server.Stop()
	var kinds []string
	for _, k := range resources.All() {
		kinds = append(kinds, k.Name())
	}
	f, err := fleet.StartOne(fleet.On(binary, "--apiserver="+server.URL(), "--resources="+strings.Join(kinds, ","),
		"--metric-opt-in-list=.", "--metric-labels-allowlist=*=[*]", "--metric-annotations-allowlist=*=[*]"))
	if err != nil {
		return err
	}
	defer f.Stop()
	if err := f.WaitReady(ctx, fleet.DefaultTimeout); err != nil {
		return err
	}
	r := f.Replicas[0]
	return r.Read(ctx, r.URL+"/metrics", func(body io.Reader) error {
		_, err := io.Copy(out, body)
		return err
	})
}
