package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/graph"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// demonstration is a running demo of three replicas whose cluster does not change.
type demonstration struct {
	page string
	out  *os.File // what the demo prints
}

func start(t *testing.T) *demonstration {
	t.Helper()
	binary, err := fleet.Build(fleet.Statefleet)
	if err != nil {
		t.Fatal(err)
	}
	ports, release, err := fleet.ReservePorts(fleet.Loopback, 1)
	defer release()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	d := &demonstration{page: fleet.Address(ports[0]), out: out}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{
			"demo", "--binary=" + binary, "--pods=60", "--port=0", "--jobs-per-second=0", "--updates-per-second=0",
			"--further-shards=0", fmt.Sprintf("--graph-port=%d", ports[0]),
		}, out, out)
	}()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		if code := <-ended; code != 0 || t.Failed() {
			t.Errorf("the demo ended with status %d, want 0:\n%s", code, d.printed(t))
		}
		_ = out.Close()
	})
	return d
}

// printed returns what the demo has printed so far.
func (d *demonstration) printed(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(d.out.Name())
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// waitFor waits until the latest value of a query on the demo's page is the wanted one.
func (d *demonstration) waitFor(t *testing.T, query, want string) {
	t.Helper()
	err := fleet.Until(t.Context(), fleet.DefaultTimeout, query, func(ctx context.Context) error {
		got, err := d.latest(ctx, query)
		if err == nil && got != want {
			err = fmt.Errorf("%s: got %q, want %q", query, got, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// latest returns the latest value of the first line of a query.
func (d *demonstration) latest(ctx context.Context, query string) (string, error) {
	page, err := d.get(ctx, "/?range=2m&query="+url.QueryEscape(query))
	if err != nil {
		return "", err
	}
	_, own, _ := strings.Cut(page, "Your query")
	own, _, _ = strings.Cut(own, "</section>")
	_, value, _ := strings.Cut(own, `<td class="number">`)
	value, _, _ = strings.Cut(value, "<")
	return value, nil
}

func (d *demonstration) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.page+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// scale submits the form of the page, and returns the page in the answer.
func (d *demonstration) scale(t *testing.T, replicas string) string {
	t.Helper()
	answer, err := http.PostForm(d.page+"/scale", url.Values{"replicas": {replicas}}) //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestScalingShowsNoGap scales the fleet with the form of the page, and reads the graphs of the page. The page also
// shows why a number of replicas was rejected.
func TestScalingShowsNoGap(t *testing.T) {
	d := start(t)
	// The pods of the fleet itself are excluded, because their number changes.
	others := strings.ReplaceAll(graph.PodsQuery(scrapeInterval), "kube_pod_info", `kube_pod_info{namespace!="statefleet"}`)
	const shards = "statefleet:shards:max" // a shipped recording rule
	d.waitFor(t, shards, "3")
	d.waitFor(t, "sum(up)", "6")
	pods, err := d.latest(t.Context(), others)
	if n, bad := strconv.Atoi(pods); err != nil || bad != nil || n < 60 {
		t.Fatalf("got %q pods, error %v; want at least 60", pods, err)
	}
	began := time.Now()
	if page := d.scale(t, "99"); !strings.Contains(page, "between 1 and 12, got 99") {
		t.Errorf("the page does not show that 99 replicas were rejected:\n%s", page)
	}
	d.scale(t, "5")
	d.waitFor(t, shards, "5")
	d.waitFor(t, "sum(up)", "10")
	d.waitFor(t, `count(count by (instance) (kube_pod_info))`, "5")
	d.scale(t, "3")
	d.waitFor(t, shards, "3")
	d.waitFor(t, "sum(up)", "6")
	for _, extreme := range []string{"min", "max"} {
		span := time.Since(began).Truncate(time.Second)
		got, err := d.latest(t.Context(), fmt.Sprintf("%s_over_time((%s)[%s:250ms])", extreme, others, span))
		if err != nil || got != pods {
			t.Errorf("%s of the number of pods over %s: got %q, error %v; want %s", extreme, span, got, err, pods)
		}
	}
	if out := d.printed(t); !strings.HasPrefix(out, "Graphs in Prometheus: ") {
		t.Errorf("the output must begin with the URL of the graphs, got\n%s", out)
	}
}
