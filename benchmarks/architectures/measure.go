package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// architecture is one of those that are compared.
type architecture struct {
	name    string
	command fleet.Command
}

func architectures(self, binary string) []architecture {
	serve := func(as string) fleet.Command {
		return fleet.Command{self, "serve", "--as=" + as, "--kubeconfig={{.Kubeconfig}}", "--port={{.Port}}"}
	}
	return []architecture{
		{"cache, copied into a registry every 10 s", serve(asRegistry)},
		{"cache, collected for each scrape", serve(asCollector)},
		{"statefleet", fleet.Default(binary, "--resources=pods,jobs", "--metric-allowlist=^("+strings.Join(names(), "|")+")$")},
	}
}

// row is what is found of one architecture.
type row struct {
	series    int64
	restMiB   float64
	scrape    time.Duration // mean
	scrapeCPU time.Duration // mean
	stale     time.Duration // the longest of several
	ghosts    int64         // series that are left of objects that are gone
	afterMiB  float64       // when they are gone
}

type measurement struct {
	options
	cluster *simulator.Cluster
}

func (m measurement) measure(ctx context.Context, a architecture) (r row, err error) {
	dir, err := os.MkdirTemp("", "statefleet-architectures-")
	if err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server, err := m.cluster.Serve("")
	if err != nil {
		return r, err
	}
	defer server.Stop()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := m.cluster.WriteKubeconfig(kubeconfig); err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f, err := fleet.Start(ctx, fleet.Options{Command: a.command, Kubeconfig: func(int) string { return kubeconfig }, Shards: 1, Dir: dir})
	if err != nil {
		cancel()
		return r, err
	}
	defer f.Wait()
	defer cancel()
	shard := f.Shards[0]
	for !shard.Answers(ctx, "/readyz") {
		select {
		case err := <-f.Failed():
			return r, err
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, step := range []func(context.Context, *fleet.Shard, *row) error{m.rest, m.staleness, m.ghosts} {
		if err := step(ctx, shard, &r); err != nil {
			return r, fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return r, nil
}

// rest measures scrapes and memory when nothing changes.
func (m measurement) rest(ctx context.Context, shard *fleet.Shard, r *row) error {
	if err := pause(ctx, m.settle); err != nil {
		return err
	}
	if _, err := shard.Scrape(ctx, "gzip"); err != nil {
		return err
	}
	before, err := shard.Usage()
	if err != nil {
		return err
	}
	start := time.Now()
	for range m.scrapes {
		if _, err := shard.Scrape(ctx, "gzip"); err != nil {
			return err
		}
	}
	r.scrape = time.Since(start) / time.Duration(m.scrapes)
	after, err := shard.Usage()
	if err != nil {
		return err
	}
	r.scrapeCPU = (after.CPU - before.CPU) / time.Duration(m.scrapes)
	r.restMiB = float64(after.Resident) / (1 << 20)
	plain, err := shard.Scrape(ctx, "identity")
	r.series = plain.Series
	return err
}

// staleness restarts a container several times and looks how long pages go on
// showing the count of before: the longest time from the change to the start of
// the last scrape that did.
func (m measurement) staleness(ctx context.Context, shard *fleet.Shard, r *row) error {
	name := m.cluster.Names("pods")[0]
	for n := range m.changes {
		if err := pause(ctx, time.Duration(n)*3*time.Second/2); err != nil { // at other moments of the interval
			return err
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		restarts := int32(1_000_001 + n) // found nowhere else
		err := m.cluster.Modify(pod, func() { pod.Status.ContainerStatuses[0].RestartCount = restarts })
		if err != nil {
			return err
		}
		changed := time.Now()
		for {
			started := time.Now()
			shown, err := shows(ctx, shard, restarts)
			if err != nil {
				return err
			}
			if shown {
				break
			}
			r.stale = max(r.stale, started.Sub(changed))
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// shows reports whether a page has the sample.
func shows(ctx context.Context, shard *fleet.Shard, restarts int32) (bool, error) {
	lines, err := page(ctx, shard.Metrics)
	for _, line := range lines {
		if name, value, ok := strings.Cut(line, "} "); ok && strings.HasPrefix(name, "kube_pod_container_status_restarts_total{") {
			if v, err := strconv.ParseFloat(value, 64); err == nil && v == float64(restarts) {
				return true, nil
			}
		}
	}
	return false, err
}

// page returns the samples of a page.
func page(ctx context.Context, url string) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var samples []string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "#") {
			samples = append(samples, lines.Text())
		}
	}
	return samples, lines.Err()
}

// ghosts lets many Jobs come and go, and counts what is left of them.
func (m measurement) ghosts(ctx context.Context, shard *fleet.Shard, r *row) error {
	churning, cancel := context.WithTimeout(ctx, m.churn)
	defer cancel()
	c := simulator.Churn{JobsPerSecond: m.jobs, JobRuns: 2 * time.Second, JobStays: 12 * time.Second, Tidy: true, Seed: 3}
	if err := c.Run(churning, m.cluster); err != nil {
		return err
	}
	if err := pause(ctx, m.settle); err != nil {
		return err
	}
	plain, err := shard.Scrape(ctx, "identity")
	if err != nil {
		return err
	}
	r.ghosts = plain.Series - r.series
	u, err := shard.Usage()
	r.afterMiB = float64(u.Resident) / (1 << 20)
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// print is the table, as Markdown.
func print(out io.Writer, all []architecture, rows []row) {
	_, _ = fmt.Fprintln(out, "| architecture | series | resident, MiB | gzip scrape, ms | its CPU, ms | staleness, s | series of gone objects | resident then, MiB |")
	_, _ = fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- |")
	for i, r := range rows {
		_, _ = fmt.Fprintf(out, "| %s | %d | %.0f | %.1f | %.1f | %.2f | %d | %.0f |\n", all[i].name, r.series, r.restMiB,
			float64(r.scrape.Microseconds())/1e3, float64(r.scrapeCPU.Microseconds())/1e3, r.stale.Seconds(), r.ghosts, r.afterMiB)
	}
}
