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

// exposition renders the cluster at a minute.
func (c *cluster) exposition(minute int, skipZero bool) string {
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

// watch returns a Prometheus that has stored the expositions of all minutes. change modifies each one before that.
func watch(t *testing.T, c *cluster, skipZero bool, change func(string) string, ruleFiles ...string) *monitor {
	t.Helper()
	m := newMonitor(t, ruleFiles...)
	for minute := range lastMinute {
		m.observe(minute, change(c.exposition(minute, skipZero)))
	}
	return m
}

func unchanged(exposition string) string { return exposition }

// withoutZeros returns a function that removes all samples of a family with the value 0 from an exposition.
func withoutZeros(family string) func(string) string {
	zeros := regexp.MustCompile(`(?m)^` + family + `\{.*\} 0\n`)
	return func(exposition string) string { return zeros.ReplaceAllString(exposition, "") }
}

// table returns the families whose samples with the value 0 can be left out, as the reference lists them. The values
// are the labels of the samples that stay.
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
		t.Fatalf("the reference lists %d families, want at least 10", len(families))
	}
	return families
}

// families returns the names of the metrics that an expression reads.
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

// rule is a rule of a file. Its name is that of the alert or of the recorded series.
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

// differences compares the results of all rules in two instances of Prometheus. The keys are the names of rules.
func differences(t *testing.T, with, without *monitor) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, r := range with.rules() {
		want, err := with.evaluate(r.expr)
		if err != nil {
			t.Fatal(err)
		}
		got, err := without.evaluate(r.expr)
		if err != nil {
			t.Fatal(err)
		}
		found, zeros := difference(want, got)
		if zeros > 0 {
			found = append(found, fmt.Sprintf("%d values are missing, want 0", zeros))
		}
		all[r.name] = append(all[r.name], found...)
	}
	return all
}

// TestRulesDoNotNeedTheSamplesLeftOut checks that alerts fire at the same minutes and recorded values are the same.
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
		if got, err := with.evaluate(query); err != nil || len(got) == 0 {
			t.Errorf("%s: got no result, so the comparison proves nothing: %v", query, err)
		}
	}
	for family := range table(t) {
		if !slices.Contains(read, family) {
			t.Errorf("no rule of %s reads %s", readings, family)
		}
	}
}

// TestSamplesThatStayAreNeeded checks that without them some alert would not fire, or fire without a reason.
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

// TestClusterHasSamplesToLeaveOut checks that some samples of each listed family are left out, and none of the others.
func TestClusterHasSamplesToLeaveOut(t *testing.T) {
	c := newCluster(t)
	omitted := map[string]int{}
	count := func(exposition string, by int) {
		for line := range strings.Lines(exposition) {
			if name, _, sample := strings.Cut(line, "{"); sample && line[0] != '#' {
				omitted[name] += by
			}
		}
	}
	for minute := range lastMinute {
		count(c.exposition(minute, false), 1)
		count(c.exposition(minute, true), -1)
	}
	for family, n := range omitted {
		if _, listed := table(t)[family]; listed != (n > 0) {
			t.Errorf("%d samples of %s are left out, and docs/metrics.md lists it: %t", n, family, listed)
		}
	}
	for family := range table(t) {
		if omitted[family] == 0 {
			t.Errorf("no sample of %s is left out, want at least one", family)
		}
	}
}
