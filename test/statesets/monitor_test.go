package statesets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// monitor is a Prometheus that stores one exposition per minute and evaluates rules.
type monitor struct {
	t      *testing.T
	db     *tsdb.DB
	engine *promql.Engine
	groups []*rules.Group
	last   map[string]labels.Labels // series of the last exposition
}

func newMonitor(t *testing.T, ruleFiles ...string) *monitor {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.WALSegmentSize = -1
	log := slog.New(slog.DiscardHandler)
	db, err := tsdb.Open(t.TempDir(), log, nil, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := parser.NewParser(parser.Options{})
	m := &monitor{t: t, db: db, engine: promql.NewEngine(promql.EngineOpts{
		Logger: log, MaxSamples: 10_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: p,
	})}
	t.Cleanup(func() {
		if err := errors.Join(m.engine.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	manager := rules.NewManager(&rules.ManagerOptions{
		ExternalURL: &url.URL{}, QueryFunc: rules.EngineQueryFunc(m.engine, db), Context: t.Context(),
		NotifyFunc:   func(context.Context, string, ...*rules.Alert) {},
		AppendableV2: db, Queryable: db, Logger: log, Parser: p,
	})
	groups, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, ruleFiles...)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		for _, r := range groups[name].AlertingRules() {
			r.SetRestored(true) // there is no state to restore from before the first minute
		}
		m.groups = append(m.groups, groups[name])
	}
	return m
}

// at returns the time of a minute.
func at(minute int) time.Time { return time.Date(2026, 1, 2, 0, minute, 0, 0, time.UTC) }

// observe stores an exposition as a scrape does, and evaluates the rules.
func (m *monitor) observe(minute int, exposition string) {
	m.t.Helper()
	app := m.db.AppenderV2(m.t.Context())
	put := func(series labels.Labels, v float64) {
		if _, err := app.Append(0, series, 0, at(minute).UnixMilli(), v, nil, nil, storage.AppendV2Options{}); err != nil {
			m.t.Fatalf("%s: %v", series, err)
		}
	}
	now := map[string]labels.Labels{}
	for samples := textparse.NewPromParser([]byte(exposition), labels.NewSymbolTable(), false); ; {
		entry, err := samples.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			m.t.Fatal(err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var series labels.Labels
		samples.Labels(&series)
		b := labels.NewBuilder(series)
		b.Set("job", "kube-state-metrics").Set("instance", "statefleet-0")
		series = b.Labels()
		_, _, v := samples.Series()
		put(series, v)
		now[series.String()] = series
	}
	for key, series := range m.last {
		if _, still := now[key]; !still {
			put(series, math.Float64frombits(value.StaleNaN))
		}
	}
	m.last = now
	if err := app.Commit(); err != nil {
		m.t.Fatal(err)
	}
	for _, group := range m.groups {
		group.Eval(m.t.Context(), at(minute))
	}
}

// results has values by minute and series.
type results map[string]float64

// evaluate evaluates a query at each minute.
func (m *monitor) evaluate(query string) (results, error) {
	prepared, err := m.engine.NewRangeQuery(m.t.Context(), m.db, nil, query, at(0), at(lastMinute-1), time.Minute)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	matrix, err := prepared.Exec(m.t.Context()).Matrix()
	if err != nil {
		return nil, err
	}
	all := results{}
	for _, series := range matrix {
		for _, point := range series.Floats {
			all[fmt.Sprintf("minute %d: %s", (point.T-at(0).UnixMilli())/60_000, series.Metric)] = point.F
		}
	}
	return all, nil
}

// difference returns the differences between the results of a query with all samples and without some. zeros counts the
// values that are 0 with all samples and missing without some.
func difference(with, without results) (all []string, zeros int) {
	for series, v := range with {
		switch w, ok := without[series]; {
		case !ok && v == 0:
			zeros++
		case !ok:
			all = append(all, fmt.Sprintf("%s: got no value, want %v", series, v))
		case v != w && !(math.IsNaN(v) && math.IsNaN(w)):
			all = append(all, fmt.Sprintf("%s: got %v, want %v", series, w, v))
		}
	}
	for series, v := range without {
		if _, ok := with[series]; !ok {
			all = append(all, fmt.Sprintf("%s: got %v, want no value", series, v))
		}
	}
	slices.Sort(all)
	return all, zeros
}
