package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

const patience = 30 * time.Second

// program is a run of statefleet within the test.
type program struct {
	metrics, telemetry string // addresses
	log                lockedBuffer
	stop               context.CancelFunc
	ended              chan int
	client             http.Client
}

// lockedBuffer is a buffer that may be written and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs statefleet on ports of its own choice until the test ends, and waits until it listens.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{ended: make(chan int, 1), client: http.Client{Timeout: patience, Transport: &http.Transport{}}}
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	args = append([]string{"--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1", "--telemetry-port=0"}, args...)
	go func() { p.ended <- run(ctx, args, io.Discard, &p.log) }()
	t.Cleanup(func() { p.end(t) })
	p.metrics, p.telemetry = p.address(t, "metrics"), p.address(t, "telemetry")
	return p
}

// address reads from the log where a server listens.
func (p *program) address(t *testing.T, server string) string {
	t.Helper()
	line := regexp.MustCompile(`msg="Listening on" server=` + server + ` address=(\S+)`)
	var found []string
	eventually(t, server+" server listens", func() bool {
		found = line.FindStringSubmatch(p.log.String())
		return found != nil
	})
	return found[1]
}

// end stops the program, which must succeed. Only the first call does something.
func (p *program) end(t *testing.T) {
	t.Helper()
	p.stop()
	p.client.CloseIdleConnections()
	if p.ended == nil {
		return
	}
	select {
	case code := <-p.ended:
		p.ended = nil
		if code != exitOK || t.Failed() {
			t.Errorf("ended with status %d; its log:\n%s", code, p.log.String())
		}
	case <-time.After(patience):
		t.Errorf("does not end; its log:\n%s", p.log.String())
	}
}

// get returns the status and body of a page; the connection is closed, so that it holds up no shutdown.
func (p *program) get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// page waits until the program is ready and returns the sample lines of its page, sorted.
func (p *program) page(t *testing.T) []string {
	t.Helper()
	eventually(t, "ready", func() bool {
		status, _ := p.get(t, p.metrics, "/readyz")
		return status == http.StatusOK
	})
	status, text := p.get(t, p.metrics, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, text)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// cluster is a small simulated cluster and the flag that leads there.
func cluster(t *testing.T) (*simulator.Cluster, string) {
	t.Helper()
	c := simulator.New(simulator.Options{Seed: 1})
	if err := c.Populate(simulator.Scale(60)); err != nil {
		t.Fatal(err)
	}
	url, stop, err := c.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return c, "--apiserver=" + url
}

func count(lines []string, prefix string) int {
	n := 0
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

func TestRunServesTheObjectsOfTheCluster(t *testing.T) {
	c, api := cluster(t)
	p := start(t, api, "--resources=jobs")
	if got, want := count(p.page(t), "kube_job_info{"), len(c.Names("jobs")); got != want || want == 0 {
		t.Errorf("%d jobs on the page, %d in the cluster", got, want)
	}
	status, self := p.get(t, p.telemetry, "/metrics")
	for _, want := range []string{
		"\nkube_state_metrics_total_shards 1\n",
		"\nkube_state_metrics_shard_ordinal{shard_ordinal=\"0\"} 0\n",
		"\nkube_state_metrics_build_info{",
		"\nstatefleet_build_info{",
		"\nkube_state_metrics_list_total{",
		"\nstatefleet_scrapes_total{code=\"200\",",
		"\ngo_goroutines ",
		"\nprocess_start_time_seconds ",
	} {
		if status != http.StatusOK || !strings.Contains(self, want) {
			t.Errorf("telemetry, status %d, lacks %q", status, want)
		}
	}
	if strings.Contains(p.log.String(), "level=WARN") || strings.Contains(p.log.String(), "level=ERROR") {
		t.Errorf("something is not right:\n%s", p.log.String())
	}
}

func TestShardsTogetherAreTheWhole(t *testing.T) {
	_, api := cluster(t)
	whole := start(t, api)
	want := whole.page(t)
	whole.end(t)
	var union []string
	for shard := range 3 {
		p := start(t, api, fmt.Sprintf("--shard=%d", shard), "--total-shards=3")
		lines := p.page(t)
		p.end(t)
		if len(lines) == 0 || len(lines) == len(want) {
			t.Errorf("shard %d has %d of %d series", shard, len(lines), len(want))
		}
		union = append(union, lines...)
	}
	slices.Sort(union)
	if !slices.Equal(union, want) {
		t.Errorf("3 shards have %d series, the unsharded page has %d", len(union), len(want))
	}
}

func TestShardFollowsTheStatefulSet(t *testing.T) {
	c, api := cluster(t)
	meta := metav1.ObjectMeta{Namespace: "monitoring", Name: "statefleet"}
	replicas, controller := int32(2), true
	set := &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: &replicas}}
	if err := c.Put(set); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "statefleet-1",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: set.Name, UID: set.UID, Controller: &controller}}}}
	if err := c.Put(pod); err != nil {
		t.Fatal(err)
	}
	p := start(t, api, "--resources=pods,jobs", "--pod=statefleet-1", "--pod-namespace=monitoring", "--shard=0")
	half := len(p.page(t))
	shows := func(total int) func() bool {
		want := fmt.Sprintf("\nkube_state_metrics_shard_ordinal{shard_ordinal=\"1\"} 1\n# HELP kube_state_metrics_total_shards "+
			"Number of shards in the fleet, as this replica knows it.\n# TYPE kube_state_metrics_total_shards gauge\n"+
			"kube_state_metrics_total_shards %d\n", total)
		return func() bool {
			_, self := p.get(t, p.telemetry, "/metrics")
			return strings.Contains(self, want)
		}
	}
	eventually(t, "shard 1 of 2", shows(2))
	replicas = 4
	set = set.DeepCopy()
	if err := c.Put(set); err != nil {
		t.Fatal(err)
	}
	eventually(t, "shard 1 of 4", shows(4))
	eventually(t, "a smaller page", func() bool { return len(p.page(t)) < half })
	if !strings.Contains(p.log.String(), "--pod wins over --shard") {
		t.Error("the log does not say that --pod wins over --shard")
	}
}

func TestAPIServerAwayAtStartIsWaitedFor(t *testing.T) {
	p := start(t, "--apiserver=http://127.0.0.1:9")
	for _, address := range []string{p.metrics, p.telemetry} {
		for path, want := range map[string]int{"/livez": 200, "/healthz": 200, "/readyz": 503} {
			if status, text := p.get(t, address, path); status != want {
				t.Errorf("%s: status %d, want %d: %s", path, status, want, text)
			}
		}
	}
	if status, text := p.get(t, p.metrics, "/metrics"); status != http.StatusServiceUnavailable || strings.TrimSpace(text) == "" {
		t.Errorf("/metrics: status %d, %q", status, text)
	}
	eventually(t, "a line in the log that says what is tried", func() bool { return strings.Contains(p.log.String(), "127.0.0.1:9") })
}
