package graph

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/statefleet/statefleet/test/prometheus"
)

// points is the number of points in a graph.
const points = 300

// view is what the templates show.
type view struct {
	Fleet
	Interval model.Duration
	Panels   []panel
	Alerts   []prometheus.Alert
	At       time.Time
	Range    model.Duration
	Ranges   []model.Duration
	Query    string // of the user
	Wrong    string // why the query failed
	Refused  string // why the number of replicas was rejected
}

// panel is a graph with its queries.
type panel struct {
	Title, Remark string
	Queries       []query
	Faint         bool // the second line only explains the first
	Graph         template.HTML
	Lines         []line
	Omitted       int // lines beyond those that are shown
	Error         string
}

// query is an expression. Name is the name of its line. If it is empty, the labels name the lines.
type query struct{ Name, Expr string }

// PodsQuery returns a query that counts the pods in the last three scrapes, each once. An object that moves between
// replicas may be in no scrape, or in two, from one scrape to the next. This takes less than three intervals.
func PodsQuery(interval time.Duration) string {
	return fmt.Sprintf("count(count by (uid) (last_over_time(kube_pod_info[%s])))", model.Duration(3*interval))
}

func (h *handler) panels() []panel {
	return []panel{
		{
			Title: "Pods that the fleet exports",
			Remark: "Each pod once, within the last three scrapes. The plain count may have a dent or a bump for about one " +
				"scrape interval at the moment of a switch, because replicas are scraped one after the other.",
			Queries: []query{{"each once", PodsQuery(h.Interval)}, {"plain", "count(kube_pod_info)"}},
			Faint:   true,
		},
		{
			Title:   "Pods by replica",
			Remark:  "The replicas that export them. At a switch, all lines change at the same time.",
			Queries: []query{{"", "count by (instance) (kube_pod_info)"}},
		},
		{
			Title:   "Shards",
			Remark:  "By how many shards the fleet serves, and how many replicas are ready.",
			Queries: []query{{"shards", "max(statefleet_topology_active_shards)"}, {"ready replicas", "sum(statefleet_ready)"}},
		},
	}
}

// view reads all data of the page. The error of a query is part of its panel.
func (h *handler) view(ctx context.Context, expr, span string) view {
	v := view{
		Fleet: h.Fleet(), Interval: model.Duration(h.Interval), Query: strings.TrimSpace(expr), At: h.Now(),
		Alerts: h.Source.Alerts(),
	}
	for _, r := range ranges() {
		v.Ranges = append(v.Ranges, model.Duration(r))
	}
	v.Range = v.Ranges[0]
	for _, r := range v.Ranges {
		if r.String() == span {
			v.Range = r
		}
	}
	v.Panels = h.panels()
	if v.Query != "" {
		v.Panels = slices.Insert(v.Panels, 0, panel{Title: "Your query", Queries: []query{{"", v.Query}}})
	}
	for i := range v.Panels {
		h.fill(ctx, &v.Panels[i], v.At, time.Duration(v.Range))
	}
	if v.Query != "" {
		v.Wrong = v.Panels[0].Error
	}
	return v
}

// fill evaluates the queries of a panel.
func (h *handler) fill(ctx context.Context, p *panel, end time.Time, span time.Duration) {
	step := span / points
	end = end.Truncate(step) // so that the next view has its points at the same times
	start := end.Add(-span)
	for _, q := range p.Queries {
		matrix, err := h.Source.Matrix(ctx, q.Expr, start, end, step)
		if err != nil {
			p.Error = err.Error()
			return
		}
		for _, series := range matrix {
			l := line{Name: cmp.Or(q.Name, name(series.Metric))}
			for _, point := range series.Floats {
				l.at = append(l.at, float64(point.T-start.UnixMilli())/float64(span.Milliseconds()))
				l.values = append(l.values, point.F)
			}
			if len(l.values) > 0 {
				p.Lines = append(p.Lines, l)
			}
		}
	}
	if p.Queries[0].Name == "" {
		slices.SortFunc(p.Lines, func(a, b line) int { return strings.Compare(a.Name, b.Name) })
	}
	if shown := min(len(p.Lines), maxLines); shown < len(p.Lines) {
		p.Omitted, p.Lines = len(p.Lines)-shown, p.Lines[:shown]
	}
	for i := range p.Lines {
		p.Lines[i].summarize("c" + strconv.Itoa(i))
	}
	if p.Faint && len(p.Lines) > 1 {
		p.Lines[1].Class = "faint"
	}
	p.Graph = template.HTML(draw(p.Title, p.Lines, start, end)) //nolint:gosec // draw escapes texts
}

// name returns the name of a series: the value of its only label, or all labels.
func name(metric labels.Labels) string {
	if metric.Len() == 1 {
		for _, value := range metric.Map() {
			return value
		}
	}
	return metric.String()
}
