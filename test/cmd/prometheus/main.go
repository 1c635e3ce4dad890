// Command prometheus runs Prometheus' own code with the scrape configuration that this repository ships. As a separate
// process, its CPU and memory can be measured. It serves metrics about itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/alecthomas/kingpin/v2"
	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/test/prometheus"
	"github.com/statefleet/statefleet/test/scrapes"
)

// gcPercent is the default GOGC of Prometheus.
const gcPercent = 75

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := kingpin.New("prometheus", "Runs Prometheus' own code to scrape the given replicas.")
	return command.Run(ctx, app, args, stdout, stderr, group)
}

type options struct {
	targets     []string
	listen, dir string
	interval    time.Duration
}

func group(app *kingpin.Application) []command.Command {
	var o options
	c := app.Command("run", "Scrapes until it is interrupted.").Default()
	c.Flag("target", "Address (host and port) of the metrics of a replica, repeatable.").Required().StringsVar(&o.targets)
	c.Flag("listen", "Address (host and port) of the metrics about Prometheus itself.").Required().StringVar(&o.listen)
	c.Flag("dir", "Directory for the data.").Required().StringVar(&o.dir)
	c.Flag("interval", "Scrape interval and timeout.").Default("30s").DurationVar(&o.interval)
	return []command.Command{{Clause: c, Run: o.run}}
}

func (o *options) run(ctx context.Context, _, progress io.Writer) (err error) {
	debug.SetGCPercent(gcPercent)
	registry := client.NewRegistry()
	server, err := prometheus.Open(o.dir, prometheus.Options{
		Interval: o.interval, Delay: time.Second, WAL: true, Registry: registry,
		Log: slog.New(slog.NewTextHandler(progress, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	registry.MustRegister(scrapes.NewCollector(server),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsGC)))
	var pods []prometheus.Pod
	for i, address := range o.targets {
		pods = append(pods, prometheus.Pod{
			Name: "statefleet-" + strconv.Itoa(i), Ports: map[string]string{"http-metrics": address},
		})
	}
	if err := server.Follow(pods); err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	return serve(ctx, o.listen, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

// serve serves until ctx ends.
func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
