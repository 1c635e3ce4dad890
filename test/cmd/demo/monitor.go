package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/demo"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/graph"
	"github.com/statefleet/statefleet/test/prometheus"
)

// scrapeInterval is short, so that users see changes soon. On a busy machine, scrapes of starting processes take a
// second.
const scrapeInterval = 2 * time.Second

// monitor is a Prometheus that scrapes the demo, and the page with its graphs.
type monitor struct {
	port int

	dir    string
	server *prometheus.Server
	page   *http.Server
	served sync.WaitGroup

	mu    sync.Mutex
	fleet graph.Fleet
}

// Flags implements [demo.Companion].
func (m *monitor) Flags(c *kingpin.CmdClause) {
	c.Flag("graph-port", "Port of the page with Prometheus' graphs.").Default("18070").IntVar(&m.port)
}

// Announce implements [demo.Companion].
func (m *monitor) Announce() string {
	return "Graphs in Prometheus:     " + fleet.Address(m.port) + "/"
}

// Start implements [demo.Companion].
func (m *monitor) Start(scale func(replicas int) error) (err error) {
	if m.dir, err = os.MkdirTemp("", "statefleet-prometheus-"); err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler) // Prometheus logs an error for each target that starts or ends
	// Prometheus finds a new pod within 10 s, which is a sixth of an interval of one minute. The delay, which applies
	// twice, keeps this ratio.
	m.server, err = prometheus.Open(m.dir, prometheus.Options{
		Interval: scrapeInterval, Delay: scrapeInterval / 12, Rules: true, Log: quiet,
	})
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	page, err := graph.New(graph.Options{
		Source: m.server, Interval: scrapeInterval, Fleet: m.replicas, Scale: scale, Now: time.Now,
	})
	if err != nil {
		return err
	}
	address := net.JoinHostPort(fleet.Loopback, strconv.Itoa(m.port))
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("--graph-port: %w", err)
	}
	m.page = &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second}
	m.served.Go(func() {
		if err := m.page.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("server of the page with graphs failed", "err", err)
		}
	})
	return nil
}

// Follow implements [demo.Companion].
func (m *monitor) Follow(replicas []*fleet.Replica) error {
	now := graph.Fleet{Most: demo.MaxReplicas}
	var pods []prometheus.Pod
	for i, r := range replicas {
		name := "statefleet-" + strconv.Itoa(i)
		now.Replicas = append(now.Replicas, graph.Replica{Name: name, Page: r.Telemetry + "/"})
		pods = append(pods, prometheus.Pod{Name: name, Ports: map[string]string{
			"http-metrics": strings.TrimPrefix(r.URL, "http://"), "telemetry": strings.TrimPrefix(r.Telemetry, "http://"),
		}})
	}
	m.mu.Lock()
	m.fleet = now
	m.mu.Unlock()
	return m.server.Follow(pods)
}

func (m *monitor) replicas() graph.Fleet {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fleet
}

// Stop implements [demo.Companion].
func (m *monitor) Stop() {
	if m.page != nil {
		_ = m.page.Close() // an error has no consequence here
		m.served.Wait()
	}
	if m.server != nil {
		_ = m.server.Close() // the data are removed
	}
	_ = os.RemoveAll(m.dir)
}
