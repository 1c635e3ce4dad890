package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/manifest"
	"github.com/statefleet/statefleet/test/prometheus"
)

const (
	// handOver is how long an object may be on two pages while the fleet changes over.
	handOver = 250 * time.Millisecond

	// unseen is how long the objects of a replica that was killed may be missing: its death must first be noticed.
	unseen = time.Second

	// promptly is how long a change of an object may take to the pages, and belatedly when connections have to be made again.
	promptly  = 2 * time.Second
	belatedly = 30 * time.Second
)

// What Prometheus counts: the seeded pods, which no scenario touches.
const (
	seeded  = `kube_pod_info{pod=~"web-.*"}`
	byPod   = `count by (pod) (` + seeded + `)`
	advised = `count(max without (instance) (` + seeded + `))`
)

// scenario is something that happens to a fleet, during which everything that is promised is measured.
type scenario struct {
	name string
	// replicas that the fleet has before, and whether each also holds its neighbour's objects.
	replicas int
	standby  bool
	// variant is how the fleet differs from the manifests.
	variant variant
	// before happens without being watched.
	before func(t *testing.T, s *stage)
	// act is what happens, and returns the number of replicas that there are after it.
	act func(t *testing.T, s *stage, a *audit.Audit) int
	// late is how long a change of an object may take to the pages; promptly if it is 0.
	late time.Duration
	// gaps are expected: they are measured, and no failure unless an object is missing for longer than gapWithin, if that is
	// not 0.
	gaps      bool
	gapWithin time.Duration
	// absent returns what may be missing, because the only replica that can serve it does not run; see audit.Allowance.
	absent func(s *stage) func(uid string, from time.Time) bool
	// rediscovers is set when discovery of Prometheus is restarted, so that what it has shown is not judged.
	rediscovers bool
	// did is the least that has to have happened.
	did did
	// replaces pods by others of the same names.
	replaces bool
	// short scenarios are also played by the short form.
	short bool
}

// did is the least that has to have happened in a scenario: that nothing was missing says nothing where nothing happened.
type did struct {
	moved    int // objects, from one replica's page to another's
	switches int // of the fleet to another number of shards
	started  int // processes
	back     bool
	formats  []int // that topologies had
}

// proves returns what has not happened although it had to.
func (s *stage) proves(want did, report audit.Report, started int) (problems []string) {
	if report.Moved < want.moved {
		problems = append(problems, fmt.Sprintf("only %d objects moved, want %d", report.Moved, want.moved))
	}
	if n := s.record.switches(); n < want.switches {
		problems = append(problems, fmt.Sprintf("the fleet has switched %d times, want %d", n, want.switches))
	}
	if started < want.started {
		problems = append(problems, fmt.Sprintf("%d processes were started, want %d", started, want.started))
	}
	if want.back && !s.record.wentBack() {
		problems = append(problems, "the version of the topology has not gone back")
	}
	for _, format := range want.formats {
		if !s.record.formats()[format] {
			problems = append(problems, fmt.Sprintf("no topology had format %d", format))
		}
	}
	return problems
}

// busy is how long the audit may be without a sample. A machine that keeps it waiting for longer keeps everybody waiting, and
// nothing that was measured on it counts.
const busy = 500 * time.Millisecond

// play plays a scenario and holds what was seen against what is promised.
func (s *stage) play(t *testing.T, sc scenario) {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		report, problems := s.perform(t, sc)
		if len(problems) > 0 && report.Slowest > busy && attempt < attempts {
			t.Logf("the machine is too busy to tell; once more: %s", strings.Join(problems, "; "))
			continue
		}
		s.lines = append(s.lines, report.Line(sc.name))
		for _, problem := range problems {
			t.Errorf("%s: %s", sc.name, problem)
		}
		return
	}
}

// perform plays a scenario once, and returns what was seen and what was not as promised.
func (s *stage) perform(t *testing.T, sc scenario) (report audit.Report, problems []string) {
	folder := manifest.Base
	if sc.standby {
		folder = manifest.Standby
	}
	s.fleet(t, sc.replicas, folder, sc.variant)
	if sc.before != nil {
		sc.before(t, s)
	}
	allow := audit.Allowance{Doubled: handOver, Unseen: unseen}
	if sc.absent != nil {
		allow.Absent = sc.absent(s)
	}
	s.record = s.recordTopology(t)
	started := s.kubelet.Started()
	a := audit.Start(t, audit.Options{Cluster: s.objects, Pages: s.pages, Late: max(promptly, sc.late), Allow: allow})
	began := time.Now()
	n := sc.act(t, s, a)
	s.settle(t, n)
	time.Sleep(time.Second)
	report = a.Stop()
	ended := time.Now()
	t.Logf("%s\nin %s; %s", report.Line(sc.name), ended.Sub(began).Round(100*time.Millisecond), report.Details())

	for what, faults := range map[string][]audit.Fault{"missing": report.Missing, "doubled": report.Doubled, "ghosts": report.Ghosts} {
		if len(faults) > 0 && (what != "missing" || !sc.gaps) {
			problems = append(problems, fmt.Sprintf("%d %s", len(faults), what))
		}
	}
	if sc.gapWithin > 0 && report.WorstMissing > sc.gapWithin {
		problems = append(problems, fmt.Sprintf("an object was missing for %s, want at most %s", report.WorstMissing, sc.gapWithin))
	}
	if report.Objects == 0 {
		problems = append(problems, "no object was seen on any page")
	}
	problems = append(problems, s.proves(sc.did, report, s.kubelet.Started()-started)...)
	t.Logf("%d switches of the fleet, %d processes started", s.record.switches(), s.kubelet.Started()-started)
	if sc.rediscovers || sc.absent != nil { // Prometheus has no targets for a while, or no more than there are
		return report, problems
	}
	return report, append(problems, s.askPrometheus(t, sc, report, began, ended)...)
}

// askPrometheus counts over the whole scenario how often each pod is there, and all of them as the documentation advises. Both
// may be wrong for one interval, and for as long as the pages were: the next scrape of each replica shows what they have.
//
// A pod of the fleet that is replaced is an exception to the first. Prometheus marks the series of a target that is gone only
// after more than two intervals, and not at all if another target has gone on with them by then, as the new pod of the same
// name does. Until that serves, the old one's last samples stand beside those of the replica that stands in.
func (s *stage) askPrometheus(t *testing.T, sc scenario, report audit.Report, began, ended time.Time) (problems []string) {
	time.Sleep(3 * scrapeInterval) // by when it has marked the series of targets that are gone
	each := s.deviation(t, byPod, 1, seededPods, began, ended)
	sum := s.deviation(t, advised, seededPods, 1, began, ended)
	t.Logf("prometheus: one pod is there 0 times for %s, twice for %s; of %d pods as advised there are at least %v for %s, at most %v",
		each.Below, each.Above, seededPods, sum.Least, sum.Below, sum.Most)
	if worst := max(each.Below, sum.Below); worst > scrapeInterval+report.WorstMissing+tolerance && !sc.gaps {
		problems = append(problems, fmt.Sprintf("in Prometheus, pods were missing for %s", worst))
	}
	if each.Above > scrapeInterval+report.WorstDouble+tolerance && !sc.replaces {
		problems = append(problems, fmt.Sprintf("in Prometheus, a pod was there twice for %s", each.Above))
	}
	if sum.Above > 0 {
		problems = append(problems, fmt.Sprintf("in Prometheus, there were up to %v pods as advised", sum.Most))
	}
	return problems
}

// deviation is how far a query's series, of which there must be n, were from the truth.
func (s *stage) deviation(t *testing.T, query string, truth float64, n int, began, ended time.Time) prometheus.Deviation {
	t.Helper()
	all, err := s.prometheus.Range(t.Context(), query, began, ended)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != n {
		t.Errorf("%s: %d series, want %d", query, len(all), n)
	}
	worst := prometheus.Deviation{Least: truth, Most: truth}
	for _, numbers := range all {
		worst = worst.Worst(prometheus.Deviate(numbers, truth))
	}
	return worst
}

// tolerance is for the time that a scrape takes, and for the distance of the points at which is counted.
const tolerance = prometheus.Step + 100*time.Millisecond

// playAll plays scenarios in their order, each as a test of its own.
func (s *stage) playAll(t *testing.T, scenarios []scenario) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) { s.play(t, sc) })
	}
}

func podName(ordinal int) string { return fmt.Sprintf("%s-%d", setName, ordinal) }
