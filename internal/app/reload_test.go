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

// waitForReloads waits until a number of reloads have ended with a result.
func (p *program) waitForReloads(t *testing.T, as result, times int) {
	t.Helper()
	line := fmt.Sprintf("\nstatefleet_config_reloads_total{result=%q} %d\n", as, times)
	exporter.Eventually(t, strings.TrimSpace(line), func() bool { return strings.Contains(p.selfMetrics(t), line) })
}

// expositionOf returns the samples of a program with these flags.
func expositionOf(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, args...)
	defer p.End(t)
	return strings.Join(p.Samples(t), "")
}

// scraper scrapes a program without a pause. Each exposition must be a known one.
type scraper struct {
	stop   atomic.Bool
	ending sync.WaitGroup

	mu      sync.Mutex
	seen    []string // names of the expositions, without repetitions
	scrapes int
}

// scrape starts a scraper; known maps expositions to names.
func (p *program) scrape(t *testing.T, known map[string]string) *scraper {
	s := &scraper{}
	s.ending.Go(func() {
		for !s.stop.Load() && !t.Failed() {
			status, text, err := p.Fetch(t.Context(), "http://"+p.Metrics+"/metrics")
			name, ok := known[samples(text)]
			if err != nil || status != http.StatusOK || !ok {
				t.Errorf("got status %d, error %v and %d bytes, want the exposition of one of the configurations",
					status, err, len(text))
			}
			s.mu.Lock()
			if s.scrapes++; len(s.seen) == 0 || s.seen[len(s.seen)-1] != name {
				s.seen = append(s.seen, name)
			}
			s.mu.Unlock()
		}
	})
	return s
}

// waitForSequence waits until these expositions, and no others, have been scraped in this order.
func (s *scraper) waitForSequence(t *testing.T, names ...string) {
	t.Helper()
	var seen []string
	exporter.Eventually(t, "the scraper gets "+strings.Join(names, ", "), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		seen = slices.Clone(s.seen)
		return len(seen) >= len(names) || t.Failed()
	})
	if !slices.Equal(seen, names) {
		t.Errorf("got the expositions %q, want %q", seen, names)
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
		expositionOf(t, api, "--resources=jobs"): "few",
		expositionOf(t, api):                     "many",
		expositionOf(t, api, "--resources=jobs,pods", "--metric-labels-allowlist=pods=[*]"):    "labels",
		expositionOf(t, api, "--metric-allowlist=kube_pod_.*", "--namespaces-denylist=absent"): "filtered",
	}
	dir := t.TempDir()
	name := mountConfig(t, dir, "..1", "resources: [jobs]\n")
	p := start(t, api, "--config="+name)
	p.Samples(t)
	s := p.scrape(t, known)
	defer s.end()
	mountConfig(t, dir, "..2", "{}\n")
	p.waitForReloads(t, served, 1)
	s.waitForSequence(t, "few", "many")
	mountConfig(t, dir, "..3", "resources: [jobs, pods]\nmetric-labels-allowlist: {pods: ['*']}\n")
	p.hangUp()
	p.waitForReloads(t, served, 2)
	s.waitForSequence(t, "few", "many", "labels")
	mountConfig(t, dir, "..4", "resources: [jobs, pots]\n")
	p.hangUp()
	p.waitForReloads(t, refused, 1)
	mountConfig(t, dir, "..5", "metric-allowlist: [kube_pod_.*]\nnamespaces-denylist: [absent]\n")
	p.waitForReloads(t, served, 3)
	s.waitForSequence(t, "few", "many", "labels", "filtered")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	p.waitForReloads(t, refused, 2)
	writeFile(t, name, "resources: [jobs]\n")
	p.waitForReloads(t, served, 4)
	s.waitForSequence(t, "few", "many", "labels", "filtered", "few")
	s.end()
	t.Logf("%d scrapes", s.scrapes)
}

func TestRefusedConfigurationIsReported(t *testing.T) {
	_, api := exporter.Cluster(t)
	flag := writeConfig(t, "resources: [jobs]\n")
	name := strings.TrimPrefix(flag, "--config=")
	p := start(t, api, flag)
	p.Samples(t)
	for _, want := range []string{
		"\nstatefleet_config_last_reload_successful 1\n",
		"\nkube_state_metrics_last_config_reload_successful{filename=\"" + name + "\",type=\"config\"} 1\n",
		"\nkube_state_metrics_last_config_reload_success_timestamp_seconds{filename=\"" + name + "\",type=\"config\"} 1.",
		"\nkube_state_metrics_config_hash{filename=\"" + name + "\",type=\"config\"} ",
	} {
		if self := p.selfMetrics(t); !strings.Contains(self, want) {
			t.Errorf("the self-metrics lack %q", want)
		}
	}
	writeFile(t, name, "resources: [jobs]\n\nserver-idle-timeout: 1s\n")
	p.hangUp()
	p.waitForReloads(t, refused, 1)
	self := p.selfMetrics(t)
	for _, want := range []string{
		"\nstatefleet_config_last_reload_successful 0\n",
		"\nkube_state_metrics_last_config_reload_successful{filename=\"" + name + "\",type=\"config\"} 0\n",
	} {
		if !strings.Contains(self, want) {
			t.Errorf("the self-metrics lack %q", want)
		}
	}
	want := `msg="configuration refused; the previous one stays in effect" err="--config: ` + name + `:3: server-idle-timeout: cannot change without a restart: --server-idle-timeout"`
	if got := p.pageStatus(t).Process.ConfigRefused; !strings.Contains(got, name+":3: server-idle-timeout") {
		t.Errorf("got %q on the status page, want the file and the line", got)
	}
	time.Sleep(3 * fileInterval) // the file is polled, but not loaded again
	if got := strings.Count(p.Log.String(), want); got != 1 {
		t.Errorf("got %d times, want once: %s in the log:\n%s", got, want, p.Log.String())
	}
	writeFile(t, name, "# as before\nresources: [jobs]\n")
	p.waitForReloads(t, unchanged, 1)
	if self := p.selfMetrics(t); !strings.Contains(self, "\nstatefleet_config_last_reload_successful 1\n") {
		t.Error("the self-metrics report the served configuration as refused")
	}
	if got := p.pageStatus(t).Process.ConfigRefused; got != "" {
		t.Errorf("got %q on the status page, want no refusal", got)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	p.waitForReloads(t, refused, 2)
	if got := p.pageStatus(t).Process.ConfigRefused; !strings.Contains(got, name) {
		t.Errorf("got %q on the status page, want the name of the missing file", got)
	}
}

// stalledAPI serves a cluster, but never answers requests for one resource.
func stalledAPI(t *testing.T, c *simulator.Cluster, resource string) (api string) {
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

func TestNewerConfigurationReplacesThePendingOne(t *testing.T) {
	c, _ := exporter.Cluster(t)
	flag := writeConfig(t, "resources: [jobs]\n")
	name := strings.TrimPrefix(flag, "--config=")
	p := start(t, stalledAPI(t, c, "secrets"), flag)
	jobs := p.Samples(t)
	pending := func(yes int) {
		t.Helper()
		line := fmt.Sprintf("\nstatefleet_config_reload_pending %d\n", yes)
		exporter.Eventually(t, strings.TrimSpace(line), func() bool { return strings.Contains(p.selfMetrics(t), line) })
	}
	reload := func(text string) {
		t.Helper()
		writeFile(t, name, text)
		p.hangUp()
	}
	reload("resources: [jobs, secrets]\n")
	pending(1)
	reload("resources: [jobs]\n") // the served configuration
	p.waitForReloads(t, unchanged, 1)
	pending(0)
	reload("resources: [secrets]\n")
	pending(1)
	reload("resources: [secrets, nodes]\n")
	p.waitForReloads(t, superseded, 2)
	reload("resources: [nods]\n")
	p.waitForReloads(t, refused, 1)
	pending(1)
	if !slices.Equal(p.Samples(t), jobs) {
		t.Error("the exposition changed before a configuration had synced")
	}
	reload("resources: [nodes]\n")
	p.waitForReloads(t, served, 1)
	pending(0)
	if got, want := exporter.Count(p.Samples(t), "kube_node_info{"), len(c.Names("nodes")); got != want {
		t.Errorf("got %d nodes, want %d", got, want)
	}
	if got := exporter.Count(p.Samples(t), "kube_job_"); got != 0 {
		t.Errorf("got %d series of jobs, want none", got)
	}
	p.waitForReloads(t, superseded, 3)
}
