package app

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/testing/exporter"
	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/web"
)

// processStatus is a part of the JSON of the status page.
type processStatus struct {
	Process struct {
		NotReady, ConfigRefused, WebConfigRefused string
		Warnings                                  []string
		ExposesNothing                            bool
		ShardedByServer                           map[string]bool
	}
	Fleet struct {
		Active   int
		Replicas []struct{ Self bool }
	}
	Replica struct {
		NotServing string
		Kinds      []replica.KindOverview
	}
	Scrapes     web.ScrapeSummary
	Cardinality *replica.CardinalityReport
}

// pageStatus returns the JSON of the status page.
func (p *program) pageStatus(t *testing.T) (s processStatus) {
	t.Helper()
	status, text := p.Get(t, p.Telemetry, "/-/fleet")
	if err := json.Unmarshal([]byte(text), &s); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v: %s", status, err, text)
	}
	return s
}

func TestStatusPageShowsWhatIsServed(t *testing.T) {
	_, api := exporter.Cluster(t)
	p := start(t, api, "--shard=1", "--total-shards=3", "--resources=pods,nodes,configmaps")
	lines := p.Samples(t)
	s := p.pageStatus(t)
	exporter.Eventually(t, "series are counted", func() bool {
		s = p.pageStatus(t)
		return s.Cardinality != nil && s.Cardinality.All.Series > 0
	})
	series := map[string]int{}
	for _, c := range s.Cardinality.Kinds {
		series[c.Name] = c.Series
	}
	if s.Cardinality.All.Series != len(lines) {
		t.Errorf("got %d series, want %d as in the exposition", s.Cardinality.All.Series, len(lines))
	}
	if s.Process.NotReady != "" || s.Replica.NotServing != "" || s.Fleet.Active != 3 || len(s.Fleet.Replicas) != 3 || !s.Fleet.Replicas[1].Self {
		t.Errorf("got %+v, want a ready replica with shard 1 of 3", s)
	}
	for _, k := range s.Replica.Kinds {
		if k.Name == "pods" && (k.Phase != watch.Synced || k.Objects != exporter.Count(lines, "kube_pod_info{") || series["pods"] <= k.Objects || k.LastContact.IsZero()) {
			t.Errorf("pods: got %+v, want them synced, with the objects and series of the exposition", k)
		}
	}
	if sharded, known := s.Process.ShardedByServer["pods"]; sharded || !known {
		t.Errorf("got sharded by the server %v, want false for pods", s.Process.ShardedByServer)
	}
	if last := s.Scrapes.Last; len(s.Replica.Kinds) != 3 || last.At.IsZero() || !last.Complete || last.Bytes == 0 || s.Scrapes.Count == 0 {
		t.Errorf("got kinds %v and scrapes %+v, want 3 kinds and a complete scrape", s.Replica.Kinds, s.Scrapes)
	}
	if status, text := p.Get(t, p.Telemetry, "/"); status != http.StatusOK || !strings.Contains(text, "<b>3</b> shards") {
		t.Errorf("the status page: got status %d: %s", status, text)
	}
	if status, text := p.Get(t, p.Metrics, "/-/fleet"); status != http.StatusOK || !strings.Contains(text, "<b>3</b> shards") {
		t.Errorf("the main port does not redirect to the status page: got status %d: %.100s", status, text)
	}
}

func TestStatusPageWithoutAnAPIServer(t *testing.T) {
	p := start(t, "--apiserver=http://127.0.0.1:9", "--pod=statefleet-0", "--pod-namespace=monitoring", "--shard.standby")
	if s := p.pageStatus(t); s.Process.NotReady == "" || s.Replica.NotServing == "" || s.Fleet.Active != 0 {
		t.Errorf("got %+v, want a replica that is not ready and does not serve", s)
	}
	if status, text := p.Get(t, p.Telemetry, "/"); status != http.StatusOK || !strings.Contains(text, "This replica is not ready") {
		t.Errorf("the status page: got status %d: %s", status, text)
	}
}

// A typing error in an allowlist leaves a ready replica without any metric.
func TestStatusPageReportsThatNoFamilyIsExposed(t *testing.T) {
	_, api := exporter.Cluster(t)
	p := start(t, api, "--resources=pods", "--metric-allowlist=kube_pdo")
	exporter.Eventually(t, "ready", func() bool { return p.pageStatus(t).Process.NotReady == "" })
	s := p.pageStatus(t)
	const warning = `--metric-allowlist: pattern "kube_pdo" matches no metric family`
	if !s.Process.ExposesNothing || !slices.Equal(s.Process.Warnings, []string{warning}) {
		t.Errorf("got %+v, want ExposesNothing and the warning %q", s.Process, warning)
	}
	for _, want := range []string{"level=WARN", "kube_pdo", "no metric family is exposed"} {
		if !strings.Contains(p.Log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, p.Log.String())
		}
	}
}

func TestCardinalityIsCountedOnDemand(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		counts, series := 0, 0
		c := newCardinalityCache(func(ctx context.Context) (replica.CardinalityReport, error) {
			at := time.Now()
			counts++
			select {
			case <-ctx.Done():
				return replica.CardinalityReport{}, ctx.Err()
			case <-time.After(10 * time.Second):
				return replica.CardinalityReport{At: at, Took: 10 * time.Second, All: replica.Count{Series: series}}, nil
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.run(ctx); close(ended) }()
		wantCounts := func(want int) {
			t.Helper()
			last, running := c.latest(time.Now())
			synctest.Wait()
			if counts != want {
				t.Fatalf("got %d counts, want %d (last %v, running %v)", counts, want, last, running)
			}
		}
		time.Sleep(time.Hour)
		if counts != 0 {
			t.Error("got a count without demand")
		}
		wantCounts(1)
		wantCounts(1) // in progress
		time.Sleep(11 * time.Second)
		wantCounts(1)
		series = 5
		time.Sleep(emptyTTL)
		wantCounts(2) // the first count found no series
		time.Sleep(cardinalityTTL)
		wantCounts(2)
		time.Sleep(11 * time.Second)
		wantCounts(3)
		if last, running := c.latest(time.Now()); last.All.Series != 5 || !running {
			t.Errorf("during the next count: got %v, running %v; want the previous report", last, running)
		}
		cancel()
		<-ended
	})
}

func TestProcessStateComesFromMetrics(t *testing.T) {
	r, err := newRegistry()
	if err != nil {
		t.Fatal(err)
	}
	sharded := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "statefleet_watch_sharded_by_server"}, []string{"resource"})
	r.MustRegister(sharded)
	sharded.WithLabelValues("pods").Set(1)
	sharded.WithLabelValues("jobs").Set(0)
	n := gatherProcess(r)
	if n.ResidentBytes == 0 || time.Since(n.Started) < 0 || time.Since(n.Started) > time.Hour || !n.ShardedByServer["pods"] {
		t.Errorf("got %+v, want memory, start time and pods sharded by the server", n)
	}
	if is, known := n.ShardedByServer["jobs"]; is || !known || len(n.ShardedByServer) != 2 {
		t.Errorf("got sharded by the server %v, want pods true and jobs false", n.ShardedByServer)
	}
}
