package mixin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard has the fields of a Grafana dashboard that the tests read.
type dashboard struct {
	Panels      []panel `json:"panels"`
	Links       []link  `json:"links"`
	Annotations struct {
		List []target `json:"list"`
	} `json:"annotations"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID          int                      `json:"id"`
	Type        string                   `json:"type"`
	Title       string                   `json:"title"`
	Links       []link                   `json:"links"`
	Datasource  struct{ UID string }     `json:"datasource"`
	Targets     []target                 `json:"targets"`
	Position    struct{ X, Y, W, H int } `json:"gridPos"`
	FieldConfig struct {
		Defaults struct {
			Mappings   []mapping `json:"mappings"`
			Thresholds struct {
				Steps []struct {
					Color string `json:"color"`
				} `json:"steps"`
			} `json:"thresholds"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
}

// mapping maps values to the texts and colours that a panel shows.
type mapping struct {
	Options map[string]struct {
		Text  string `json:"text"`
		Color string `json:"color"`
	} `json:"options"`
}

type target struct {
	Expr string `json:"expr"`
}

type link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

type variable struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	IncludeAll bool   `json:"includeAll"`
	Multi      bool   `json:"multi"`
}

// wholeFleet reports whether a panel shows the whole fleet and not only the selected replicas.
func (p panel) wholeFleet() bool { return p.Type == "stat" || p.Title == "Shards over time" }

// hasRed reports whether a panel can show something in red.
func (p panel) hasRed() bool {
	for _, step := range p.FieldConfig.Defaults.Thresholds.Steps {
		if step.Color == "red" {
			return true
		}
	}
	for _, m := range p.FieldConfig.Defaults.Mappings {
		for _, shown := range m.Options {
			if shown.Color == "red" {
				return true
			}
		}
	}
	return false
}

func loadDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(read(t, "dashboard.json"), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) < 20 {
		t.Fatalf("dashboard.json has %d panels, want at least 20", len(d.Panels))
	}
	return d
}

func TestDashboardPanelsAreWhole(t *testing.T) {
	ids := map[int]bool{}
	covered := map[[2]int]string{}
	for _, p := range loadDashboard(t).Panels {
		if ids[p.ID] {
			t.Errorf("%s: another panel has the same id %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Title == "" {
			t.Errorf("panel %d has no title", p.ID)
		}
		if p.Type != "row" && (len(p.Targets) == 0 || p.Datasource.UID != "$datasource") {
			t.Errorf("%s: got %d queries of data source %q, want some of $datasource", p.Title, len(p.Targets), p.Datasource.UID)
		}
		for x := p.Position.X; x < p.Position.X+p.Position.W; x++ {
			for y := p.Position.Y; y < p.Position.Y+p.Position.H; y++ {
				if other, ok := covered[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("%s overlaps with %q or exceeds the width of 24", p.Title, other)
				}
				covered[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestDashboardShowsOneFleet checks that the variables for cluster and job, which identify a fleet, have one value
// each. The value for the cluster is empty if series have no such label.
func TestDashboardShowsOneFleet(t *testing.T) {
	var names []string
	for _, v := range loadDashboard(t).Templating.List {
		names = append(names, v.Name)
		if multi := v.Name == "instance"; v.IncludeAll != multi || v.Multi != multi {
			t.Errorf("variable %s: got includeAll %t, multi %t; want both %t", v.Name, v.IncludeAll, v.Multi, multi)
		}
		if want := map[string]string{"job": clusterSelector, "instance": fleetSelector}[v.Name]; !strings.Contains(v.Definition, want) {
			t.Errorf("variable %s: got definition %s, want the selector %s in it", v.Name, v.Definition, want)
		}
	}
	if want := []string{"datasource", "cluster", "job", "instance"}; !slices.Equal(names, want) {
		t.Errorf("got variables %q, want %q", names, want)
	}
}

const (
	clusterSelector  = `cluster="$cluster"`
	fleetSelector    = clusterSelector + `, job="$job"`
	replicasSelector = fleetSelector + `, instance=~"$instance"`
)

// TestDashboardQueriesSelectTheFleet checks that the queries of all panels select the fleet, and those of panels about
// replicas the selected replicas.
func TestDashboardQueriesSelectTheFleet(t *testing.T) {
	d := loadDashboard(t)
	for _, a := range d.Annotations.List {
		checkSelectors(t, "an annotation", a.Expr, fleetSelector+"}")
	}
	for _, p := range d.Panels {
		for _, query := range p.Targets {
			if p.wholeFleet() {
				checkSelectors(t, p.Title, query.Expr, fleetSelector+"}")
			} else {
				checkSelectors(t, p.Title, query.Expr, replicasSelector)
			}
		}
	}
}

// checkSelectors checks that each selector in a query begins with want.
func checkSelectors(t *testing.T, title, query, want string) {
	t.Helper()
	ofFleet := []string{"statefleet:list_errors:ratio_rate5m", "statefleet:watch_errors:ratio_rate5m"} // no label instance
	series := regexp.MustCompile(`\b((?:statefleet|kube|gotk|gatewayapi|scrape|process)[_:][a-z0-9_:]+|up)\b(\{[^}]*\})?`)
	found := series.FindAllStringSubmatch(query, -1)
	if len(found) == 0 {
		t.Errorf("%s: the pattern found no series in %s", title, query)
	}
	for _, m := range found {
		expected := "{" + want
		if slices.Contains(ofFleet, m[1]) {
			expected = "{" + fleetSelector + "}"
		}
		if !strings.HasPrefix(m[2], expected) {
			t.Errorf("%s: got selector %s%s, want it to begin with %s", title, m[1], m[2], expected)
		}
	}
}

// TestDashboardTellsThatRulesAreMissing checks that the first panel shows if rules are missing, and that no panel shows
// a value without the rule that it needs. tests/dashboard.yaml tests the query of the first panel.
func TestDashboardTellsThatRulesAreMissing(t *testing.T) {
	d := loadDashboard(t)
	first := d.Panels[0]
	if first.Position.Y != 0 || first.Position.W != 24 || !strings.Contains(first.Targets[0].Expr, "absent(statefleet:shards:max") {
		t.Errorf("got first panel %s, want one over the whole width about missing rules", first.Title)
	}
	shown := first.FieldConfig.Defaults.Mappings[0].Options
	if shown["0"].Color == "red" || shown["1"].Color != "red" || !strings.Contains(shown["1"].Text, "manifests/mixin/rules.yaml") || shown["2"].Color != "red" {
		t.Errorf("%s: got mappings %v, want 1 and 2 in red, and 1 with the path of the rules", first.Title, shown)
	}
	for _, p := range d.Panels[1:] {
		for _, query := range p.Targets {
			if strings.Contains(query.Expr, "vector(") {
				t.Errorf("%s shows a value if its series are missing: %s", p.Title, query.Expr)
			}
		}
	}
}

// TestRedPanelsLinkToARunbook checks that each panel that can show a problem in red links to a runbook.
func TestRedPanelsLinkToARunbook(t *testing.T) {
	red := 0
	for _, p := range loadDashboard(t).Panels {
		if !p.hasRed() {
			continue
		}
		red++
		if !slices.ContainsFunc(p.Links, func(l link) bool { return strings.HasPrefix(l.Title, "Runbook: ") }) {
			t.Errorf("%s can be red, but links to no runbook", p.Title)
		}
	}
	if red < 5 {
		t.Errorf("got %d panels that can be red, want at least 5: the test may no longer read thresholds and mappings", red)
	}
}

// TestDashboardLinksLeadToDocuments checks that the links of the dashboard and of panels lead to existing sections.
func TestDashboardLinksLeadToDocuments(t *testing.T) {
	d := loadDashboard(t)
	links, linked := d.Links, map[string]bool{}
	for _, p := range d.Panels {
		links = append(links, p.Links...)
	}
	for _, l := range links {
		document, anchor, _ := strings.Cut(strings.TrimPrefix(l.URL, strings.TrimSuffix(runbooks, "operations.md#")), "#")
		linked[document] = true
		text := strings.ToLower(string(read(t, "../../docs/"+document)))
		if heading := strings.ReplaceAll(anchor, "-", " "); anchor != "" && !regexp.MustCompile(`(?m)^##+ `+heading+`$`).MatchString(text) {
			t.Errorf("%s: docs/%s has no section %s", l.Title, document, anchor)
		}
		if alert, ok := strings.CutPrefix(l.Title, "Runbook: "); ok && l.URL != runbooks+strings.ToLower(alert) {
			t.Errorf("%s: got link to %s, want the section of the alert", l.Title, l.URL)
		}
	}
	if !linked["operations.md"] || !linked["sharding.md"] {
		t.Errorf("got links to %v, want operations.md and sharding.md among them", linked)
	}
}

// TestDashboardQueriesAreGenerated checks the copy of the dashboard's queries in a rules file, whose syntax promtool
// checks.
func TestDashboardQueriesAreGenerated(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Generated from dashboard.json by \"make generate\", for promtool to check. Not to be loaded.\n" +
		"groups:\n  - name: dashboard\n    rules:\n")
	variables := strings.NewReplacer("$__rate_interval", "5m", "$cluster", "", "$instance", ".*", "$job", "kube-state-metrics")
	for _, p := range loadDashboard(t).Panels {
		for i, target := range p.Targets {
			expr := variables.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: unknown variable in %s", p.Title, expr)
			}
			fmt.Fprintf(&b, "      - record: dashboard:panel%d_%d\n        expr: %q\n", p.ID, i, expr)
		}
	}
	writeOrCompare(t, "tests/dashboard.rules", b.Bytes())
}

// TestDashboardOfTheChartIsGenerated checks the copies of dashboard and rules in the chart, because a chart can only
// read its own files.
func TestDashboardOfTheChartIsGenerated(t *testing.T) {
	writeOrCompare(t, "../chart/files/dashboard.json", read(t, "dashboard.json"))
	writeOrCompare(t, "../chart/files/rules.yaml", read(t, "rules.yaml"))
}

// writeOrCompare checks that a generated file is up to date. With -update, it writes the file first.
func writeOrCompare(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, file), want) {
		t.Errorf("%s is not up to date; run make generate", file)
	}
}
