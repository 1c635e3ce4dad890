package mixin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// dashboard is what the tests read of a Grafana dashboard.
type dashboard struct {
	Panels []panel `json:"panels"`
}

type panel struct {
	ID         int                      `json:"id"`
	Type       string                   `json:"type"`
	Title      string                   `json:"title"`
	Datasource struct{ UID string }     `json:"datasource"`
	Targets    []struct{ Expr string }  `json:"targets"`
	Position   struct{ X, Y, W, H int } `json:"gridPos"`
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

// TestDashboardQueriesAreGenerated: the queries of the dashboard also stand in a rules file, because promtool reads those and
// checks their syntax.
func TestDashboardQueriesAreGenerated(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Generated from dashboard.json by \"make generate\", for promtool to check. Not to be loaded.\n" +
		"groups:\n  - name: dashboard\n    rules:\n")
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__all", ".*", "$cluster", ".*", "$instance", ".*", "$job", "kube-state-metrics")
	for _, p := range loadDashboard(t).Panels {
		for i, target := range p.Targets {
			expr := variables.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: unknown variable in %s", p.Title, expr)
			}
			fmt.Fprintf(&b, "      - record: dashboard:panel%d_%d\n        expr: %q\n", p.ID, i, expr)
		}
	}
	const file = "tests/dashboard.rules"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, file), b.Bytes()) {
		t.Errorf("%s differs from dashboard.json; run make generate", file)
	}
}
