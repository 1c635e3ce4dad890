// Command image builds and pushes the container image without container tools, and pushes the Helm chart.
//
//	image build --version=V --revision=R --created=UNIX-SECONDS --output=DIR ARCH=DIR...
//	image push DIR REPOSITORY
//	image push-chart FILE REPOSITORY
//
// Each ARCH=DIR names a folder with the binary statefleet for linux/ARCH and its SBOM, sbom.json. Build writes an OCI
// layout, an archive of each architecture for "docker load", and the digests. The build is reproducible.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		if _, ok := errors.AsType[usageError](err); ok {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// usageError is an error in the command line.
type usageError struct{ error }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "build":
		return build(args[1:], stdout)
	case len(args) == 3 && args[0] == "push":
		return push(ctx, args[1], args[2], stdout)
	case len(args) == 3 && args[0] == "push-chart":
		return pushChart(ctx, args[1], args[2], stdout)
	}
	return usageError{errors.New(`want "build OPTIONS ARCH=DIR...", "push DIR REPOSITORY" or "push-chart FILE REPOSITORY"`)}
}

func build(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("image build", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o := options{}
	flags.StringVar(&o.version, "version", "", "")
	flags.StringVar(&o.revision, "revision", "", "")
	created := flags.Int64("created", 0, "")
	output := flags.String("output", "", "")
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	for name, value := range map[string]string{"version": o.version, "revision": o.revision, "output": *output} {
		if value == "" {
			return usageError{fmt.Errorf("--%s is required", name)}
		}
	}
	o.created = time.Unix(*created, 0).UTC()
	for _, arg := range flags.Args() {
		arch, dir, ok := strings.Cut(arg, "=")
		if !ok {
			return usageError{fmt.Errorf("want ARCH=DIR, got %q", arg)}
		}
		if arch != "amd64" && arch != "arm64" {
			return usageError{fmt.Errorf("unknown architecture %q: want amd64 or arm64", arch)}
		}
		o.inputs = append(o.inputs, input{arch, dir})
	}
	if len(o.inputs) == 0 {
		return usageError{errors.New("no architecture: want ARCH=DIR")}
	}
	return write(o, *output, stdout)
}
