package app

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// reloads waits until the configuration was read again that often, with that result.
func (p *program) reloads(t *testing.T, as result, times int) {
	t.Helper()
	line := fmt.Sprintf("\nstatefleet_config_reloads_total{result=%q} %d\n", as, times)
	exporter.Eventually(t, strings.TrimSpace(line), func() bool { return strings.Contains(p.self(t), line) })
}

// pageOf returns the page of a program with these flags.
func pageOf(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, args...)
	defer p.End(t)
	return strings.Join(p.Samples(t), "")
}

// scraper scrapes a program without a pause. Each page has to be one of those that are known.
type scraper struct {
	stop   atomic.Bool
	ending sync.WaitGroup

	mu    sync.Mutex
	seen  []string // names of the pages, without repetition
	pages int
}

// scrape begins to scrape; known has the names of pages.
func (p *program) scrape(t *testing.T, known map[string]string) *scraper {
	s := &scraper{}
	s.ending.Go(func() {
		for !s.stop.Load() && !t.Failed() {
			status, text, err := p.Fetch(t.Context(), "http://"+p.Metrics+"/metrics")
			name, ok := known[samples(text)]
			if err != nil || status != http.StatusOK || !ok {
				t.Errorf("status %d, error %v, and %d bytes that are no page of the configurations", status, err, len(text))
			}
			s.mu.Lock()
			if s.pages++; len(s.seen) == 0 || s.seen[len(s.seen)-1] != name {
				s.seen = append(s.seen, name)
			}
			s.mu.Unlock()
		}
	})
	return s
}

// sees waits until these pages, and no others, have been seen in this order.
func (s *scraper) sees(t *testing.T, names ...string) {
	t.Helper()
	var seen []string
	exporter.Eventually(t, "the scraper sees "+strings.Join(names, ", "), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		seen = slices.Clone(s.seen)
		return len(seen) >= len(names) || t.Failed()
	})
	if !slices.Equal(seen, names) {
		t.Errorf("saw %q, want %q", seen, names)
	}
}

// end stops scraping.
func (s *scraper) end() {
	s.stop.Store(true)
	s.ending.Wait()
}

func TestReloadLosesNoScrape(t *testing.T) {
	_, api := exporter.Cluster(t)
	known := map[string]string{
		pageOf(t, api, "--resources=jobs"): "few",
		pageOf(t, api):                     "many",
		pageOf(t, api, "--resources=jobs,pods", "--metric-labels-allowlist=pods=[*]"):    "labels",
		pageOf(t, api, "--metric-allowlist=kube_pod_.*", "--namespaces-denylist=absent"): "filtered",
	}
	dir := t.TempDir()
	name := mounted(t, dir, "..1", "resources: [jobs]\n")
	p := start(t, api, "--config="+name)
	p.Samples(t)
	s := p.scrape(t, known)
	defer s.end()
	mounted(t, dir, "..2", "{}\n")
	p.reloads(t, served, 1)
	s.sees(t, "few", "many")
	mounted(t, dir, "..3", "resources: [jobs, pods]\nmetric-labels-allowlist: {pods: ['*']}\n")
	p.hangUp()
	p.reloads(t, served, 2)
	s.sees(t, "few", "many", "labels")
	mounted(t, dir, "..4", "resources: [jobs, pots]\n")
	p.hangUp()
	p.reloads(t, refused, 1)
	mounted(t, dir, "..5", "metric-allowlist: [kube_pod_.*]\nnamespaces-denylist: [absent]\n")
	p.reloads(t, served, 3)
	s.sees(t, "few", "many", "labels", "filtered")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	p.reloads(t, refused, 2)
	writeFile(t, name, "resources: [jobs]\n")
	p.reloads(t, served, 4)
	s.sees(t, "few", "many", "labels", "filtered", "few")
	s.end()
	t.Logf("%d scrapes", s.pages)
}

func TestRefusedConfigurationIsTold(t *testing.T) {
	_, api := exporter.Cluster(t)
	flag := written(t, "resources: [jobs]\n")
	name := strings.TrimPrefix(flag, "--config=")
	p := start(t, api, flag)
	p.Samples(t)
	for _, want := range []string{
		"\nstatefleet_config_last_reload_successful 1\n",
		"\nkube_state_metrics_last_config_reload_successful{filename=\"" + name + "\",type=\"config\"} 1\n",
		"\nkube_state_metrics_last_config_reload_success_timestamp_seconds{filename=\"" + name + "\",type=\"config\"} 1.",
		"\nkube_state_metrics_config_hash{filename=\"" + name + "\",type=\"config\"} ",
	} {
		if self := p.self(t); !strings.Contains(self, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
	writeFile(t, name, "resources: [jobs]\n\nserver-idle-timeout: 1s\n")
	p.hangUp()
	p.reloads(t, refused, 1)
	self := p.self(t)
	for _, want := range []string{
		"\nstatefleet_config_last_reload_successful 0\n",
		"\nkube_state_metrics_last_config_reload_successful{filename=\"" + name + "\",type=\"config\"} 0\n",
	} {
		if !strings.Contains(self, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
	want := `msg="configuration refused; the previous one stays in effect" err="--config: ` + name + `:3: server-idle-timeout: cannot change without a restart: --server-idle-timeout"`
	if got := p.pageStatus(t).Process.ConfigRefused; !strings.Contains(got, name+":3: server-idle-timeout") {
		t.Errorf("the status page says %q", got)
	}
	time.Sleep(3 * fileInterval) // the file is looked at, but not read again
	if got := strings.Count(p.Log.String(), want); got != 1 {
		t.Errorf("the log says %d times %s:\n%s", got, want, p.Log.String())
	}
	writeFile(t, name, "# as before\nresources: [jobs]\n")
	p.reloads(t, unchanged, 1)
	if self := p.self(t); !strings.Contains(self, "\nstatefleet_config_last_reload_successful 1\n") {
		t.Error("the configuration that is served counts as refused")
	}
	if got := p.pageStatus(t).Process.ConfigRefused; got != "" {
		t.Errorf("the status page says %q of a configuration that is served", got)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	p.reloads(t, refused, 2)
	if got := p.pageStatus(t).Process.ConfigRefused; !strings.Contains(got, name) {
		t.Errorf("the status page says %q of a file that is gone", got)
	}
}

// slow stands before a cluster and holds up the requests for one resource.
func slow(t *testing.T, c *simulator.Cluster, resource string) (api string) {
	t.Helper()
	handler := c.Handler()
	return exporter.ServeAPI(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/"+resource) {
			<-r.Context().Done()
			return
		}
		handler.ServeHTTP(w, r)
	}))
}

func TestNewerConfigurationReplacesTheOneUnderWay(t *testing.T) {
	c, _ := exporter.Cluster(t)
	flag := written(t, "resources: [jobs]\n")
	name := strings.TrimPrefix(flag, "--config=")
	p := start(t, slow(t, c, "secrets"), flag)
	jobs := p.Samples(t)
	pending := func(yes int) {
		t.Helper()
		line := fmt.Sprintf("\nstatefleet_config_reload_pending %d\n", yes)
		exporter.Eventually(t, strings.TrimSpace(line), func() bool { return strings.Contains(p.self(t), line) })
	}
	begin := func(text string) {
		t.Helper()
		writeFile(t, name, text)
		p.hangUp()
	}
	begin("resources: [jobs, secrets]\n")
	pending(1)
	begin("resources: [jobs]\n") // what is served
	p.reloads(t, unchanged, 1)
	pending(0)
	begin("resources: [secrets]\n")
	pending(1)
	begin("resources: [secrets, nodes]\n")
	p.reloads(t, superseded, 2)
	begin("resources: [nods]\n")
	p.reloads(t, refused, 1)
	pending(1)
	if !slices.Equal(p.Samples(t), jobs) {
		t.Error("the page changed before a configuration was complete")
	}
	begin("resources: [nodes]\n")
	p.reloads(t, served, 1)
	pending(0)
	if got, want := exporter.Count(p.Samples(t), "kube_node_info{"), len(c.Names("nodes")); got != want {
		t.Errorf("%d nodes on the page, %d in the cluster", got, want)
	}
	if got := exporter.Count(p.Samples(t), "kube_job_"); got != 0 {
		t.Errorf("%d series of jobs on the page of nodes", got)
	}
	p.reloads(t, superseded, 3)
}
