package statesets

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"github.com/statefleet/statefleet/internal/render"
	built "github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
)

const readings = "readings.yaml"

// page renders the cluster at a minute.
func (c *cluster) page(minute int, skipZero bool) string {
	c.t.Helper()
	objects, err := render.Read(render.Source{Name: "cluster", Reader: strings.NewReader(c.at(minute))})
	if err != nil {
		c.t.Fatal(err)
	}
	filter, err := built.NewFilter(built.Selection{SkipZeroStateSets: skipZero})
	if err != nil {
		c.t.Fatal(err)
	}
	var b bytes.Buffer
	if err := render.Write(&b, objects, render.Options{
		Kinds: built.All(), Filter: filter, Shard: shard.All(), ObjectBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler),
	}); err != nil {
		c.t.Fatal(err)
	}
	return b.String()
}

// watch returns a Prometheus that has seen the whole time of the cluster. change changes each page.
func watch(t *testing.T, c *cluster, skipZero bool, change func(page string) string, ruleFiles ...string) *monitor {
	t.Helper()
	m := newMonitor(t, ruleFiles...)
	for minute := range lastMinute {
		m.observe(minute, change(c.page(minute, skipZero)))
	}
	return m
}

func unchanged(page string) string { return page }

// withoutZeros leaves all samples with the value 0 of a family out of pages.
func withoutZeros(family string) func(string) string {
	zeros := regexp.MustCompile(`(?m)^` + family + `\{.*\} 0\n`)
	return func(page string) string { return zeros.ReplaceAllString(page, "") }
}

// table returns the families whose samples with the value 0 can be left out, as the reference lists
// them, and of each the labels of the samples that stay.
func table(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Samples with the value 0\n")
	families := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|(?: `(.*)`)? *\\|$").FindAllStringSubmatch(section, -1) {
		families[row[1]] = row[2]
	}
	if len(families) < 10 {
		t.Fatalf("the reference lists %d families", len(families))
	}
	return families
}

// families returns the metrics that an expression reads.
func families(t *testing.T, expr string) (names []string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			names = append(names, s.Name)
		}
		return nil
	})
	return names
}

// rule is a rule of a file, by the name of the alert or of the recorded series.
type rule struct{ name, expr string }

func (m *monitor) rules() (all []rule) {
	for _, group := range m.groups {
		for _, r := range group.Rules() {
			all = append(all, rule{r.Name(), r.Query().String()})
			if alert, ok := r.(*rules.AlertingRule); ok {
				all = append(all, rule{r.Name(), fmt.Sprintf("ALERTS{alertname=%q}", alert.Name())})
			}
		}
	}
	return all
}

// differences compares what all rules give in two instances of Prometheus, by the names of rules.
func differences(t *testing.T, with, without *monitor) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, r := range with.rules() {
		want, err := with.ask(r.expr)
		if err != nil {
			t.Fatal(err)
		}
		got, err := without.ask(r.expr)
		if err != nil {
			t.Fatal(err)
		}
		found, nothing := difference(want, got)
		if nothing > 0 {
			found = append(found, fmt.Sprintf("%d numbers are missing, want 0", nothing))
		}
		all[r.name] = append(all[r.name], found...)
	}
	return all
}

// TestRulesDoNotNeedTheSamplesLeftOut: alerts fire at the same minutes, and recorded values are the same.
func TestRulesDoNotNeedTheSamplesLeftOut(t *testing.T) {
	c := newCluster(t)
	with, without := watch(t, c, false, unchanged, readings), watch(t, c, true, unchanged, readings)
	for name, found := range differences(t, with, without) {
		if len(found) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(found, "\n"))
		}
	}
	var read []string
	for _, r := range with.rules() {
		query := r.expr
		if strings.HasPrefix(query, "ALERTS") {
			query = strings.Replace(query, "}", `,alertstate="firing"}`, 1)
		} else {
			read = append(read, families(t, r.expr)...)
		}
		if got, err := with.ask(query); err != nil || len(got) == 0 {
			t.Errorf("%s has no result, so that it shows nothing: %v", query, err)
		}
	}
	for family := range table(t) {
		if !slices.Contains(read, family) {
			t.Errorf("no rule of %s reads %s", readings, family)
		}
	}
}

// TestSamplesThatStayAreNeeded: without them some alert would not fire, or fire for nothing.
func TestSamplesThatStayAreNeeded(t *testing.T) {
	c := newCluster(t)
	with := watch(t, c, false, unchanged, readings)
	for family, kept := range table(t) {
		if kept == "" {
			continue
		}
		without := watch(t, c, true, withoutZeros(family), readings)
		var alerts []string
		for name, found := range differences(t, with, without) {
			if len(found) > 0 && strings.HasPrefix(name, "Kube") {
				alerts = append(alerts, name)
			}
		}
		slices.Sort(alerts)
		t.Logf("%s without %s: %s", family, kept, strings.Join(alerts, ", "))
		if len(alerts) == 0 {
			t.Errorf("no alert needs the samples of %s with the value 0 and %s", family, kept)
		}
	}
}

// TestClusterHasSamplesToLeaveOut of each family.
func TestClusterHasSamplesToLeaveOut(t *testing.T) {
	c := newCluster(t)
	left := map[string]int{}
	count := func(page string, by int) {
		for line := range strings.Lines(page) {
			if name, _, sample := strings.Cut(line, "{"); sample && line[0] != '#' {
				left[name] += by
			}
		}
	}
	for minute := range lastMinute {
		count(c.page(minute, false), 1)
		count(c.page(minute, true), -1)
	}
	for family, n := range left {
		if _, listed := table(t)[family]; listed != (n > 0) {
			t.Errorf("%d samples of %s are left out", n, family)
		}
	}
	for family := range table(t) {
		if left[family] == 0 {
			t.Errorf("the cluster has no sample of %s", family)
		}
	}
}
