package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/internal/web/statuspage"
	"github.com/statefleet/statefleet/store"
)

// overview reads the fleet page as a program would. Rings are left out: they are written in another form than they are held.
func (p *program) overview(t *testing.T) (o struct {
	Replica struct{ Ready, Serving bool }
	Fleet   struct {
		Active  int
		Members []struct{ Self bool }
	}
	Scrapes statuspage.Scrapes
	Kinds   []statuspage.Kind
	Census  *statuspage.Census
}) {
	t.Helper()
	status, text := p.get(t, p.telemetry, "/-/fleet")
	if err := json.Unmarshal([]byte(text), &o); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v: %s", status, err, text)
	}
	return o
}

func TestFleetPageShowsWhatIsServed(t *testing.T) {
	_, api := cluster(t)
	p := start(t, api, "--shard=1", "--total-shards=3", "--resources=pods,nodes,configmaps")
	lines := p.page(t)
	o := p.overview(t)
	eventually(t, "series are counted", func() bool {
		o = p.overview(t)
		return o.Census != nil && o.Census.All.Series > 0
	})
	if o.Census.All.Series != len(lines) {
		t.Errorf("%d series, the page has %d", o.Census.All.Series, len(lines))
	}
	if !o.Replica.Ready || !o.Replica.Serving || o.Fleet.Active != 3 || len(o.Fleet.Members) != 3 || !o.Fleet.Members[1].Self {
		t.Errorf("%+v", o)
	}
	for _, k := range o.Kinds {
		if k.Name == "pods" && (k.Phase != statuspage.Synced || k.Objects != count(lines, "kube_pod_info{") || k.Series <= k.Objects || k.Heard.IsZero() || k.Sharded == nil || *k.Sharded) {
			t.Errorf("pods: %+v", k)
		}
	}
	if len(o.Kinds) != 3 || o.Scrapes.Last.At.IsZero() || !o.Scrapes.Last.Whole || o.Scrapes.Last.Bytes == 0 || o.Scrapes.Recent.Scrapes == 0 {
		t.Errorf("kinds %v, scrapes %+v", o.Kinds, o.Scrapes)
	}
	if status, text := p.get(t, p.telemetry, "/"); status != http.StatusOK || !strings.Contains(text, "<b>3</b> shards") {
		t.Errorf("page: status %d: %s", status, text)
	}
	if status, text := p.get(t, p.metrics, "/-/fleet"); status != http.StatusOK || !strings.Contains(text, "<b>3</b> shards") {
		t.Errorf("the main port does not lead to the page: status %d: %.100s", status, text)
	}
}

// The page has to be there when nothing else is.
func TestFleetPageWithoutAnAPIServer(t *testing.T) {
	p := start(t, "--apiserver=http://127.0.0.1:9", "--pod=statefleet-0", "--pod-namespace=monitoring", "--shard.standby")
	if o := p.overview(t); o.Replica.Ready || o.Replica.Serving || o.Fleet.Active != 0 {
		t.Errorf("%+v", o)
	}
	if status, text := p.get(t, p.telemetry, "/"); status != http.StatusOK || !strings.Contains(text, "This replica is not ready") {
		t.Errorf("status %d: %s", status, text)
	}
}

func TestCensusIsTakenWhenSomebodyLooks(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		taken, series := 0, 0
		c := &census{asked: make(chan struct{}, 1), take: func(ctx context.Context) (replica.CardinalityReport, error) {
			at := time.Now()
			taken++
			select {
			case <-ctx.Done():
				return replica.CardinalityReport{}, ctx.Err()
			case <-time.After(10 * time.Second):
				return replica.CardinalityReport{At: at, Took: 10 * time.Second, All: replica.Count{Series: series}}, nil
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.run(ctx); close(ended) }()
		look := func(want int) {
			t.Helper()
			last, running := c.latest(time.Now())
			synctest.Wait()
			if taken != want {
				t.Fatalf("taken %d times, want %d (last %v, running %v)", taken, want, last, running)
			}
		}
		time.Sleep(time.Hour)
		if taken != 0 {
			t.Error("counted for no one")
		}
		look(1)
		look(1) // under way
		time.Sleep(11 * time.Second)
		look(1)
		series = 5
		time.Sleep(emptyLasts)
		look(2) // the first one has found nothing
		time.Sleep(censusLasts)
		look(2)
		time.Sleep(11 * time.Second)
		look(3)
		if last, running := c.latest(time.Now()); last.All.Series != 5 || !running {
			t.Errorf("while the next is taken: %v, %v", last, running)
		}
		cancel()
		<-ended
	})
}

// fixedExporter has one page.
type fixedExporter struct{ web.Exporter }

func (fixedExporter) Collect(store.Format, func(string) bool) (web.Page, error) {
	return store.TakeSnapshot(store.OpenMetrics, store.New(nil, nil)), nil
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the client left") }

func TestScrapesAreRemembered(t *testing.T) {
	l := &scrapeLog{Exporter: fixedExporter{}}
	if o := l.overview(); o != (statuspage.Scrapes{}) {
		t.Errorf("before the first: %+v", o)
	}
	scrape := func(write func(web.Page, io.Writer) error, w io.Writer) {
		t.Helper()
		p, err := l.Collect(store.OpenMetrics, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = write(p, w)
		p.Release()
	}
	var text bytes.Buffer
	for range 2 * recentScrapes {
		scrape(web.Page.WriteText, &text)
	}
	scrape(web.Page.WriteGzip, brokenWriter{})
	o := l.overview()
	if o.Last.Encoding != "gzip" || o.Last.Whole || o.Last.Bytes == 0 || o.Recent.Scrapes != recentScrapes || o.Recent.Failed != 1 {
		t.Errorf("%+v", o)
	}
	scrape(web.Page.WriteText, &text)
	if o := l.overview(); o.Last.Encoding != "identity" || !o.Last.Whole || o.Last.Bytes != int64(len("# EOF\n")) || o.Recent.MeanBytes == 0 || o.Recent.MaxSeconds < o.Recent.MeanSeconds {
		t.Errorf("%+v", o)
	}
}

func TestSelfNumbers(t *testing.T) {
	r, err := newRegistry()
	if err != nil {
		t.Fatal(err)
	}
	sharded := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "statefleet_watch_sharded_by_server"}, []string{"resource"})
	r.MustRegister(sharded)
	sharded.WithLabelValues("pods").Set(1)
	sharded.WithLabelValues("jobs").Set(0)
	config := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "statefleet_web_config_last_reload_successful"}, []string{"port"})
	r.MustRegister(config)
	config.WithLabelValues("metrics").Set(1)
	if n := selfNumbers(r); n.refused {
		t.Error("the web configuration is in use")
	}
	config.WithLabelValues("telemetry").Set(0)
	n := selfNumbers(r)
	if !n.refused {
		t.Error("the web configuration was refused")
	}
	if n.resident == 0 || time.Since(n.started) < 0 || time.Since(n.started) > time.Hour || !n.sharded["pods"] {
		t.Errorf("%+v", n)
	}
	if is, known := n.sharded["jobs"]; is || !known || len(n.sharded) != 2 {
		t.Errorf("%+v", n.sharded)
	}
}
