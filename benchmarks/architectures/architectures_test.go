package architectures

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// samples returns the samples of the compared families in a canonical form.
func samples(t *testing.T, text io.Reader) []string {
	t.Helper()
	page, err := exposition.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for series, value := range page.Samples {
		if name, _, _ := strings.Cut(series, "{"); slices.Contains(names(), name) {
			all = append(all, series+" "+value)
		}
	}
	slices.Sort(all)
	return all
}

// served runs an exporter other than statefleet in this process until it is ready, and returns its samples.
func served(t *testing.T, as, kubeconfig string) []string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at, _ := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- exporter{as, kubeconfig, at.Port, time.Hour}.serve(ctx) }()
	r := &fleet.Replica{URL: fleet.Address(at.Port), Client: http.DefaultClient}
	err = fleet.Until(t.Context(), fleet.DefaultTimeout, "ready", func(ctx context.Context) error { return r.Ask(ctx, "/readyz") })
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	if err := r.Read(t.Context(), r.URL+"/metrics", func(body io.Reader) error { all = samples(t, body); return nil }); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return all
}

// servedByStatefleet returns the samples of statefleet.
func servedByStatefleet(t *testing.T, url string) []string {
	t.Helper()
	kinds, err := replica.Builtin(resources.All(), resources.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := replica.New(replica.Options{
		Config: &rest.Config{Host: url, QPS: 1000, Burst: 1000}, Kinds: kinds, RawBytes: 1 << 20,
		Logger: slog.New(slog.DiscardHandler), Metrics: replica.NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	r.Follow(shard.Uncoordinated(shard.Assignment{Ordinal: 0, Total: 1}))
	for deadline := time.Now().Add(30 * time.Second); r.Ready() != nil && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	collected, err := r.Snapshot(store.Text, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := collected.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return samples(t, &b)
}

// TestAllExportersServeTheSameSamples checks that the comparison is fair.
func TestAllExportersServeTheSameSamples(t *testing.T) {
	cluster, err := generator.NewCluster(100, simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := cluster.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := fleet.WriteKubeconfig(kubeconfig, server.URL(), nil, ""); err != nil {
		t.Fatal(err)
	}
	want := servedByStatefleet(t, server.URL())
	if pods := len(cluster.Names("pods")); len(want) < 9*pods {
		t.Fatalf("got %d samples of %d pods, want at least %d", len(want), pods, 9*pods)
	}
	for _, as := range []string{asRegistry, asCleared, asCollector} {
		if got := served(t, as, kubeconfig); !slices.Equal(got, want) {
			t.Errorf("%s: got %d samples, want %d; the first is %.300q, want %.300q", as, len(got), len(want), slices.Concat(got, []string{"none"})[0], want[0])
		}
	}
}

func TestAgeOfACount(t *testing.T) {
	h := &history{}
	for range 3 {
		h.changed()
	}
	second := h.times[0].Add(time.Second)
	h.times[1], h.times[2] = second, second.Add(time.Second)
	f := func(count int32, at time.Time, want time.Duration) {
		t.Helper()
		if got := h.age(count, at); got != want {
			t.Errorf("count %d: got age %s, want %s", count, got, want)
		}
	}
	f(firstRestarts, second.Add(5*time.Second), 5*time.Second)
	f(firstRestarts+1, second.Add(5*time.Second), 4*time.Second)
	f(firstRestarts+2, second.Add(5*time.Second), 0) // still current
	f(firstRestarts, second.Add(-time.Millisecond), 0)
	if next := h.next(); next != firstRestarts+3 {
		t.Errorf("got next count %d, want %d", next, firstRestarts+3)
	}
}

func TestUsage(t *testing.T) {
	f := func(want int, message string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		code := command.Run(t.Context(), kingpin.New("benchmarks", ""), args, &stdout, &stderr, Commands)
		if code != want || !strings.Contains(stdout.String()+stderr.String(), message) {
			t.Errorf("%q: got exit code %d, want %d and a message with %q\n%s%s", args, code, want, message, &stdout, &stderr)
		}
	}
	f(0, "--jobs-per-second", "architectures", "--help")
	f(2, "--nonsense", "architectures", "--nonsense")
	f(2, "--pods", "architectures", "--pods=0")
	f(2, "--refresh", "exporter", "--as=registry", "--kubeconfig=x", "--port=1", "--refresh=0s")
	f(1, "no-such-file", "exporter", "--as=registry", "--kubeconfig=/no-such-file", "--port=1")
}
