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

// dashboard is what the tests read of a Grafana dashboard.
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

// mapping maps values to what a panel shows instead of them.
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

// wholeFleet reports whether a panel is about the fleet and not about the selected replicas.
func (p panel) wholeFleet() bool { return p.Type == "stat" || p.Title == "Shards over time" }

// hasRed reports whether something in a panel can be red.
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
		t.Fatalf("dashboard.json has %d panels", len(d.Panels))
	}
	return d
}

func TestDashboardPanelsAreWhole(t *testing.T) {
	ids := map[int]bool{}
	covered := map[[2]int]string{}
	for _, p := range loadDashboard(t).Panels {
		if ids[p.ID] {
			t.Errorf("%s: the id %d is taken", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Title == "" {
			t.Errorf("panel %d has no title", p.ID)
		}
		if p.Type != "row" && (len(p.Targets) == 0 || p.Datasource.UID != "$datasource") {
			t.Errorf("%s: %d queries of the data source %q", p.Title, len(p.Targets), p.Datasource.UID)
		}
		for x := p.Position.X; x < p.Position.X+p.Position.W; x++ {
			for y := p.Position.Y; y < p.Position.Y+p.Position.H; y++ {
				if other, ok := covered[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("%s lies over %q or outside", p.Title, other)
				}
				covered[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestDashboardShowsOneFleet: a fleet is what shares cluster and job, so each variable has one value. That of the
// cluster is empty where series have no such label.
func TestDashboardShowsOneFleet(t *testing.T) {
	var names []string
	for _, v := range loadDashboard(t).Templating.List {
		names = append(names, v.Name)
		if several := v.Name == "instance"; v.IncludeAll != several || v.Multi != several {
			t.Errorf("variable %s: all %t, several %t; want both %t", v.Name, v.IncludeAll, v.Multi, several)
		}
		if want := map[string]string{"job": clusterSelector, "instance": fleetSelector}[v.Name]; !strings.Contains(v.Definition, want) {
			t.Errorf("variable %s: %s does not select %s", v.Name, v.Definition, want)
		}
	}
	if want := []string{"datasource", "cluster", "job", "instance"}; !slices.Equal(names, want) {
		t.Errorf("variables %q, want %q", names, want)
	}
}

const (
	clusterSelector  = `cluster="$cluster"`
	fleetSelector    = clusterSelector + `, job="$job"`
	replicasSelector = fleetSelector + `, instance=~"$instance"`
)

// TestDashboardQueriesSelectTheFleet: the queries of all panels select the fleet, and of all panels about replicas
// the replicas.
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
	ofFleet := []string{"statefleet:list_errors:ratio_rate5m", "statefleet:watch_errors:ratio_rate5m"} // recorded without instance
	series := regexp.MustCompile(`\b((?:statefleet|kube|gotk|gatewayapi|scrape|process)[_:][a-z0-9_:]+|up)\b(\{[^}]*\})?`)
	found := series.FindAllStringSubmatch(query, -1)
	if len(found) == 0 {
		t.Errorf("%s: no series in %s: is the pattern right?", title, query)
	}
	for _, m := range found {
		expected := "{" + want
		if slices.Contains(ofFleet, m[1]) {
			expected = "{" + fleetSelector + "}"
		}
		if !strings.HasPrefix(m[2], expected) {
			t.Errorf("%s: %s is selected by %q, want %s", title, m[1], m[2], expected)
		}
	}
}

// TestDashboardTellsThatRulesAreMissing: the first panel says so, and no panel that needs a rule shows a value
// without it. tests/dashboard.yaml has what the first panel's query returns.
func TestDashboardTellsThatRulesAreMissing(t *testing.T) {
	d := loadDashboard(t)
	first := d.Panels[0]
	if first.Position.Y != 0 || first.Position.W != 24 || !strings.Contains(first.Targets[0].Expr, "absent(statefleet:shards:max") {
		t.Errorf("the first panel is %s", first.Title)
	}
	shown := first.FieldConfig.Defaults.Mappings[0].Options
	if shown["0"].Color == "red" || shown["1"].Color != "red" || !strings.Contains(shown["1"].Text, "manifests/mixin/rules.yaml") || shown["2"].Color != "red" {
		t.Errorf("%s shows %v", first.Title, shown)
	}
	for _, p := range d.Panels[1:] {
		for _, query := range p.Targets {
			if strings.Contains(query.Expr, "vector(") {
				t.Errorf("%s has a value when its series are missing: %s", p.Title, query.Expr)
			}
		}
	}
}

// TestRedPanelsLinkToARunbook: what is red is wrong, so there is something to do.
func TestRedPanelsLinkToARunbook(t *testing.T) {
	red := 0
	for _, p := range loadDashboard(t).Panels {
		if !p.hasRed() {
			continue
		}
		red++
		if !slices.ContainsFunc(p.Links, func(l link) bool { return strings.HasPrefix(l.Title, "Runbook: ") }) {
			t.Errorf("%s can be red, and links to no runbook", p.Title)
		}
	}
	if red < 5 {
		t.Errorf("%d panels can be red: does the test read thresholds and mappings?", red)
	}
}

// TestDashboardLinksLeadToDocuments: of the dashboard and of panels, to sections that exist.
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
			t.Errorf("%s leads to %s", l.Title, l.URL)
		}
	}
	if !linked["operations.md"] || !linked["sharding.md"] {
		t.Errorf("the dashboard links to %v only", linked)
	}
}

// TestDashboardQueriesAreGenerated: the queries of the dashboard also stand in a rules file, because promtool reads
// those and checks their syntax.
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

// TestDashboardOfTheChartIsGenerated: Helm reads files of the chart only, so the chart has copies of dashboard and
// rules.
func TestDashboardOfTheChartIsGenerated(t *testing.T) {
	writeOrCompare(t, "../chart/files/dashboard.json", read(t, "dashboard.json"))
	writeOrCompare(t, "../chart/files/rules.yaml", read(t, "rules.yaml"))
}

// writeOrCompare writes a generated file, or checks that it is as generated.
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
