package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// comparePages holds the pages of the fleet, taken together, against that of a
// process that has only just started and has no shard, and against the cluster.
func (t *trial) comparePages(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	dir := filepath.Join(t.dir, "fresh")
	if err := os.Mkdir(dir, 0o700); err != nil {
		cancel()
		return err
	}
	fresh, err := fleet.Start(ctx, fleet.Options{
		Command: t.command(), Kubeconfig: func(int) string { return "" }, Shards: 1, Dir: dir,
	})
	if err != nil {
		cancel()
		return err
	}
	defer fresh.Wait()
	defer cancel()
	for !fresh.Shards[0].Answers(ctx, "/readyz") {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-fresh.Failed():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
	return t.converge(ctx, fresh.Shards)
}

// convergeTime is how long the fleet may take, once all is quiet, until its pages are
// right. A watch that failed is tried again after 15 seconds at most.
const convergeTime = time.Minute

// converge waits until the pages of the fleet are those of the process that has just
// started, and of the cluster.
func (t *trial) converge(ctx context.Context, fresh []*fleet.Shard) error {
	for start := time.Now(); ; {
		want, err := linesOf(ctx, fresh)
		if err != nil {
			return err
		}
		got, err := linesOf(ctx, t.fleet.Shards)
		if err != nil {
			return err
		}
		wrong := errors.Join(difference(got, want), t.compareNames(got))
		if took := time.Since(start); wrong == nil || took > convergeTime {
			t.say("\n%d series of the fleet, %d of a process that has just started, compared %.0f s after all was quiet.", len(got), len(want), took.Seconds())
			return wrong
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// linesOf returns how often each sample is on the pages of the shards.
func linesOf(ctx context.Context, shards []*fleet.Shard) (map[string]int, error) {
	lines := map[string]int{}
	for _, s := range shards {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Metrics, nil)
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		err = addLines(lines, resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s answers %s", s.Metrics, resp.Status)
		}
	}
	return lines, nil
}

func addLines(lines map[string]int, page io.Reader) error {
	in := bufio.NewScanner(page)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		if !strings.HasPrefix(in.Text(), "#") {
			lines[in.Text()]++
		}
	}
	return in.Err()
}

// difference is an error that names some of the lines that only one of two pages has.
func difference(got, want map[string]int) error {
	var examples []string
	n := 0
	note := func(what, line string) {
		if n++; n <= 5 {
			examples = append(examples, what+" "+line)
		}
	}
	for line, times := range got {
		if times > 1 {
			note("twice:", line)
		}
		if want[line] == 0 {
			note("too much:", line)
		}
	}
	for line := range want {
		if got[line] == 0 {
			note("missing:", line)
		}
	}
	if n > 0 {
		return fmt.Errorf("%d lines differ\n%s", n, strings.Join(examples, "\n"))
	}
	return nil
}

// compareNames checks that each object of some kinds is on the pages, by number: the lines
// were compared.
func (t *trial) compareNames(lines map[string]int) error {
	var failed error
	for resource, family := range map[string]string{
		"pods": "kube_pod_info{", "jobs": "kube_job_info{", "nodes": "kube_node_info{", "configmaps": "kube_configmap_info{", "deployments": "kube_deployment_created{",
	} {
		on := 0
		for line := range lines {
			if strings.HasPrefix(line, family) {
				on++
			}
		}
		there := len(t.cluster.Names(resource))
		if on != there {
			failed = errors.Join(failed, fmt.Errorf("%d %s are in the cluster and %d on the pages", there, resource, on))
		}
	}
	return failed
}
