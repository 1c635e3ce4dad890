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
	// handOverTime is how long an object may be in two expositions at a hand-over.
	handOverTime = 250 * time.Millisecond

	// killGap is how long the objects of a killed replica may be missing. Its death must be noticed first.
	killGap = time.Second

	// defaultMaxDelay is how long a change of an object may take to reach the expositions. reconnectMaxDelay is the
	// same if replicas must connect again.
	defaultMaxDelay   = 2 * time.Second
	reconnectMaxDelay = 30 * time.Second
)

// Queries about the seeded pods, which no scenario changes. The documentation recommends the form of recommendedCount.
const (
	seededSeries     = `kube_pod_info{pod=~"web-.*"}`
	countByPod       = `count by (pod) (` + seededSeries + `)`
	recommendedCount = `count(max without (instance) (` + seededSeries + `))`
)

// scenario disturbs a fleet while the audit measures whether the fleet keeps its promises.
type scenario struct {
	name string
	// replicas is the size of the fleet before the scenario. With standby, each replica also holds its neighbour's
	// objects.
	replicas int
	standby  bool
	// variant is how the fleet differs from the manifests.
	variant variant
	// before prepares the fleet. The audit starts after it.
	before func(t *testing.T, s *setup)
	// act disturbs the fleet, and returns the number of replicas that the fleet has afterwards.
	act func(t *testing.T, s *setup, a *audit.Audit) int
	// maxDelay is how long a change of an object may take to reach the expositions; defaultMaxDelay if it is 0.
	maxDelay time.Duration
	// gaps allows objects to be missing. If gapWithin is not 0, no object may be missing for longer.
	gaps      bool
	gapWithin time.Duration
	// absent returns which objects may be missing because the only replica that can serve them does not run; see
	// audit.Allowance.
	absent func(s *setup) func(uid string, from time.Time) bool
	// rediscovers is set if the scenario restarts Prometheus' discovery, so that the results of Prometheus are not
	// checked.
	rediscovers bool
	// atLeast is the least that must have happened.
	atLeast effects
	// replaces is set if pods are replaced by others of the same names.
	replaces bool
	// short scenarios also run in the short form, in TestEndToEnd.
	short bool
}

// effects is the least that must have happened in a scenario. If nothing happened, it proves nothing that no object was
// missing.
type effects struct {
	moved       int // objects that went from one replica's exposition to another's
	switches    int // of the fleet to another active number of shards
	started     int // processes
	versionBack bool
	formats     []int // of the topology
}

// missingEffects returns what has not happened although it had to.
func (s *setup) missingEffects(want effects, report audit.Report, started int) (problems []string) {
	if report.Moved < want.moved {
		problems = append(problems, fmt.Sprintf("got %d moves of objects, want at least %d", report.Moved, want.moved))
	}
	if n := s.record.switches(); n < want.switches {
		problems = append(problems, fmt.Sprintf("got %d switches of the fleet, want at least %d", n, want.switches))
	}
	if started < want.started {
		problems = append(problems, fmt.Sprintf("got %d started processes, want at least %d", started, want.started))
	}
	if want.versionBack && !s.record.wentBack() {
		problems = append(problems, "the resourceVersion of the topology did not go back")
	}
	for _, format := range want.formats {
		if !s.record.formats()[format] {
			problems = append(problems, fmt.Sprintf("no topology had format %d", format))
		}
	}
	return problems
}

// maxSampleGap is how long the audit may be without a sample. A machine that delays it for longer is too busy for a
// measurement, because it delays the fleet as well.
const maxSampleGap = 500 * time.Millisecond

// runScenario runs a scenario and reports its problems. It repeats a run with problems if the machine was too busy.
func (s *setup) runScenario(t *testing.T, sc scenario) {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		report, problems := s.runScenarioOnce(t, sc)
		if len(problems) > 0 && report.Slowest > maxSampleGap && attempt < attempts {
			t.Logf("the machine was too busy for a measurement, trying again: %s", strings.Join(problems, "; "))
			continue
		}
		s.lines = append(s.lines, report.Line(sc.name))
		for _, problem := range problems {
			t.Errorf("%s: %s", sc.name, problem)
		}
		return
	}
}

// runScenarioOnce runs a scenario once, and returns the report of the audit and the problems that were found.
func (s *setup) runScenarioOnce(t *testing.T, sc scenario) (report audit.Report, problems []string) {
	folder := manifest.Base
	if sc.standby {
		folder = manifest.Standby
	}
	s.fleet(t, sc.replicas, folder, sc.variant)
	if sc.before != nil {
		sc.before(t, s)
	}
	allow := audit.Allowance{Doubled: handOverTime, Unseen: killGap}
	if sc.absent != nil {
		allow.Absent = sc.absent(s)
	}
	s.record = s.recordTopology(t)
	before := len(s.kubelet.Processes())
	a := audit.Start(t, audit.Options{Cluster: s.objects, Targets: s.targets, Late: max(defaultMaxDelay, sc.maxDelay), Allow: allow})
	began := time.Now()
	n := sc.act(t, s, a)
	s.settle(t, n)
	time.Sleep(time.Second)
	report = a.Stop()
	ended := time.Now()
	t.Logf("%s\nin %s; %s", report.Line(sc.name), ended.Sub(began).Round(100*time.Millisecond), report.Details())

	for what, faults := range map[string][]audit.Fault{"missing": report.Missing, "doubled": report.Doubled, "ghosts": report.Ghosts} {
		if len(faults) > 0 && (what != "missing" || !sc.gaps) {
			problems = append(problems, fmt.Sprintf("%s: got %d faults, want 0", what, len(faults)))
		}
	}
	if sc.gapWithin > 0 && report.WorstMissing > sc.gapWithin {
		problems = append(problems, fmt.Sprintf("an object was missing for %s, want at most %s", report.WorstMissing, sc.gapWithin))
	}
	if report.Objects == 0 {
		problems = append(problems, "no object was in any exposition")
	}
	started := len(s.kubelet.Processes()) - before
	problems = append(problems, s.missingEffects(sc.atLeast, report, started)...)
	t.Logf("%d switches of the fleet, %d processes started", s.record.switches(), started)
	if sc.rediscovers || sc.absent != nil { // Prometheus lacks targets for a while, or has no replica to scrape for some objects
		return report, problems
	}
	return report, append(problems, s.checkPrometheus(t, sc, report, began, ended)...)
}

// checkPrometheus counts over the whole scenario how often Prometheus has each pod, and all pods with the query that
// the documentation recommends. Both counts may be wrong for one interval longer than the expositions were, because the
// next scrape of each replica corrects them.
//
// The first count has an exception, for a pod of the fleet that is replaced. Prometheus marks the series of a removed
// target as stale only after more than two intervals, and not at all if another target has continued them by then, as
// the new pod of the same name does. Until the new pod serves, the last samples of the old one coexist with those of
// its standby.
func (s *setup) checkPrometheus(t *testing.T, sc scenario, report audit.Report, began, ended time.Time) (problems []string) {
	time.Sleep(3 * scrapeInterval) // by then, the series of removed targets are marked as stale
	each := s.deviation(t, countByPod, 1, seededPods, began, ended)
	sum := s.deviation(t, recommendedCount, seededPods, 1, began, ended)
	t.Logf("Prometheus: a pod was missing for up to %s, and counted twice for up to %s; of %d pods, the recommended query counted at least %v (too few for %s) and at most %v",
		each.Below, each.Above, seededPods, sum.Least, sum.Below, sum.Most)
	if worst := max(each.Below, sum.Below); worst > scrapeInterval+report.WorstMissing+tolerance && !sc.gaps {
		problems = append(problems, fmt.Sprintf("in Prometheus, pods were missing for %s", worst))
	}
	if each.Above > scrapeInterval+report.WorstDouble+tolerance && !sc.replaces {
		problems = append(problems, fmt.Sprintf("in Prometheus, a pod was counted twice for %s", each.Above))
	}
	if sum.Above > 0 {
		problems = append(problems, fmt.Sprintf("in Prometheus, the recommended query counted up to %v pods, want at most %d", sum.Most, seededPods))
	}
	return problems
}

// deviation returns how far the series of a query were from want, at the worst. There must be n series.
func (s *setup) deviation(t *testing.T, query string, want float64, n int, began, ended time.Time) prometheus.Deviation {
	t.Helper()
	all, err := s.prometheus.Range(t.Context(), query, began, ended)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != n {
		t.Errorf("%s: got %d series, want %d", query, len(all), n)
	}
	worst := prometheus.Deviation{Least: want, Most: want}
	for _, numbers := range all {
		worst = worst.Worst(prometheus.Deviate(numbers, want))
	}
	return worst
}

// tolerance covers the duration of a scrape and the distance between two points of a range query.
const tolerance = prometheus.Step + 100*time.Millisecond

// runScenarios runs scenarios in their order, each as a subtest.
func (s *setup) runScenarios(t *testing.T, scenarios []scenario) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) { s.runScenario(t, sc) })
	}
}

func podName(ordinal int) string { return fmt.Sprintf("%s-%d", setName, ordinal) }
