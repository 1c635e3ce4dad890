// Command page prints the page of a simulated cluster with every kind and every
// family, for tools that check pages.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

func main() { os.Exit(run(context.Background(), os.Stdout, os.Stderr)) }

func run(ctx context.Context, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := page(ctx, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "page:", err)
		return 1
	}
	return 0
}

func page(ctx context.Context, out io.Writer) error {
	cluster := simulator.New(simulator.Options{})
	if err := cluster.Populate(generator.Scale(400).Objects()); err != nil {
		return err
	}
	server, err := cluster.Serve("")
	if err != nil {
		return err
	}
	defer server.Stop()
	kinds, err := everything()
	if err != nil {
		return err
	}
	r, err := replica.New(replica.Options{
		Config:   &rest.Config{Host: server.URL(), QPS: 1000, Burst: 1000},
		Kinds:    kinds,
		RawBytes: 1 << 20,
		Logger:   slog.New(slog.DiscardHandler),
		Metrics:  replica.NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { _ = r.Run(ctx) }) // ends with its context, without an error
	r.Assign(shard.Assignment{Ordinal: 0, Total: 1})
	for r.Ready() != nil {
		select {
		case <-ctx.Done():
			return r.Ready()
		case <-time.After(10 * time.Millisecond):
		}
	}
	page, err := r.Collect(store.Text, func(string) bool { return true })
	if err != nil {
		return err
	}
	return page.WriteText(out)
}

// everything is every kind with every family, labels and annotations included.
func everything() ([]replica.Kind, error) {
	all, err := resources.ParseAllowlist([]string{"*=[*]"})
	if err != nil {
		return nil, err
	}
	f, err := resources.NewFilter(resources.Selection{OptIn: []string{"."}, Labels: all, Annotations: all})
	if err != nil {
		return nil, err
	}
	return replica.Builtin(resources.All(), f)
}
