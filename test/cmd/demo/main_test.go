package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/graph"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is what the demo prints, while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// interval is that of the scrapes, and their timeout. On a busy machine, scrapes of processes that start take a second.
const interval = 2 * time.Second

// demonstration is a running demo of three replicas whose cluster does not change.
type demonstration struct {
	page string
	out  output
	end  func() int
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
	d := &demonstration{page: fleet.Address(ports[0])}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{
			"demo", "--binary=" + binary, "--pods=60", "--port=0", "--jobs-per-second=0", "--updates-per-second=0",
			"--further-shards=0", "--scrape-interval=" + interval.String(), fmt.Sprintf("--graph-port=%d", ports[0]),
		}, &d.out, &d.out)
	}()
	d.end = sync.OnceValue(func() int {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		return <-ended
	})
	t.Cleanup(func() {
		if code := d.end(); code != 0 || t.Failed() {
			t.Errorf("the demo ended with status %d:\n%s", code, d.out.String())
		}
	})
	return d
}

// shows waits until the demo's page answers a query with a line whose number is now as given.
func (d *demonstration) shows(t *testing.T, query, want string) {
	t.Helper()
	err := fleet.Until(t.Context(), fleet.Patience, query, func(ctx context.Context) error {
		got, err := d.now(ctx, query)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %q, want %q", query, got, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// now is the latest number of the first line of a query.
func (d *demonstration) now(ctx context.Context, query string) (string, error) {
	page, err := d.get(ctx, "/?range=2m&query="+url.QueryEscape(query))
	if err != nil {
		return "", err
	}
	_, own, _ := strings.Cut(page, "Your query")
	own, _, _ = strings.Cut(own, "</section>")
	_, number, _ := strings.Cut(own, `<td class="number">`)
	number, _, _ = strings.Cut(number, "<")
	return number, nil
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

// scale sends the form of the page, and returns the page that follows.
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

// TestScalingShowsNoGap scales the fleet as a newcomer does, on the page, and reads the graph of the page.
func TestScalingShowsNoGap(t *testing.T) {
	d := start(t)
	// Pods of the fleet itself come and go.
	others := strings.ReplaceAll(graph.PodsQuery(interval), "kube_pod_info", `kube_pod_info{namespace!="statefleet"}`)
	const shards = "statefleet:shards:max" // one of the rules that are shipped
	d.shows(t, shards, "3")
	d.shows(t, "sum(up)", "6")
	pods, err := d.now(t.Context(), others)
	if n, bad := strconv.Atoi(pods); err != nil || bad != nil || n < 60 {
		t.Fatalf("%q pods: %v", pods, err)
	}
	began := time.Now()
	d.scale(t, "5")
	d.shows(t, shards, "5")
	d.shows(t, "sum(up)", "10")
	d.shows(t, `count(count by (instance) (kube_pod_info))`, "5")
	d.scale(t, "3")
	d.shows(t, shards, "3")
	d.shows(t, "sum(up)", "6")
	for _, extreme := range []string{"min", "max"} {
		span := time.Since(began).Truncate(time.Second)
		got, err := d.now(t.Context(), fmt.Sprintf("%s_over_time((%s)[%s:250ms])", extreme, others, span))
		if err != nil || got != pods {
			t.Errorf("over %s, the %s of %s pods is %q: %v", span, extreme, pods, got, err)
		}
	}
	if !strings.HasPrefix(d.out.String(), "Graphs in Prometheus: ") {
		t.Errorf("the URL does not come first:\n%s", d.out.String())
	}
}

func TestRefusedWishIsShown(t *testing.T) {
	d := start(t)
	d.shows(t, "sum(up)", "6")
	if page := d.scale(t, "99"); !strings.Contains(page, "between 1 and 12, got 99") {
		t.Error(page)
	}
}
