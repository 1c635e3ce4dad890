package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
)

// foreignShards is a number of shards with which one shard owns almost nothing.
const foreignShards = 256

// The parts of the targets. Each can be measured alone.
const (
	partStarts  = "starts"
	partForeign = "foreign"
	partQuarter = "quarter"
	partChurn   = "churn" // of one shard, without the other steps of partOne
	partOne     = "one"
)

func allParts() []string { return []string{partStarts, partForeign, partQuarter, partChurn, partOne} }

// startKind is a kind of start that has a target.
type startKind struct {
	name     string
	shards   int
	byServer bool // the API server leaves out the objects of other shards
}

// Indexes of startKinds and of outcome.starts.
const (
	startOne = iota
	startQuarter
	startEighth
	startEighthByServer
)

func startKinds() []startKind {
	return []startKind{{"one", 1, false}, {"1 of 4", 4, false}, {"1 of 8", 8, false}, {"1 of 8, by the server", 8, true}}
}

// outcome holds the figures of all parts; those of a part that was not measured are nil.
type outcome struct {
	starts                []report.Figures // median figures of each of startKinds
	floor                 []float64        // CPU seconds of [measure.Floor], one for each round of starts
	one, quarter, foreign report.Figures
}

// targets measures all figures that have a target.
func (b *bench) targets(ctx context.Context) error {
	var found outcome
	if b.includes(partStarts) {
		if err := b.measureStarts(ctx, &found); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name   string
		shards int
		to     *report.Figures
		steps  []step
	}{
		{partForeign, foreignShards, &found.foreign, []step{b.foreign()}},
		{partQuarter, 4, &found.quarter, []step{b.settled(), b.churned(0)}},
		{partChurn, 1, &found.one, []step{b.churned(0)}},
		{partOne, 1, &found.one, b.all()},
	} {
		if !b.includes(part.name) {
			continue
		}
		s, err := b.measureSteps(ctx, b.exporter, part.shards, 1, part.steps...)
		if err != nil {
			return err
		}
		*part.to = s.Sum()
	}
	return b.finishTargets(found)
}

// measureStarts measures starts of all kinds alternately, and the floor.
func (b *bench) measureStarts(ctx context.Context, to *outcome) error {
	kinds := startKinds()
	runs := make([][]report.Figures, len(kinds))
	for range b.starts {
		floor, err := measure.Floor(ctx, b.cluster)
		if err != nil {
			return err
		}
		b.logf("reading all lists and dropping them: %.3f CPU-s", floor)
		to.floor = append(to.floor, floor)
		for i, kind := range kinds {
			s, err := b.open(ctx, b.exporter, kind.shards, 1, b.byServer || kind.byServer)
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], s.Sum())
			s.Close()
		}
	}
	for _, r := range runs {
		to.starts = append(to.starts, report.MedianOf(measure.Measures(), r))
	}
	return nil
}

func (b *bench) finishTargets(found outcome) error {
	f := findings{}
	add := func(name string, of report.Figures) {
		if of != nil {
			f.Columns, f.Figures = append(f.Columns, name), append(f.Figures, of)
		}
	}
	add("one", found.one)
	add("1 of 4", found.quarter)
	if found.starts != nil {
		for i, kind := range startKinds() {
			add("start of "+kind.name, found.starts[i])
		}
	}
	add(fmt.Sprint("1 of ", foreignShards), found.foreign)
	var text strings.Builder
	rows := [][]string{{"figure", "value", "target", "met"}}
	met := 0
	for _, t := range found.judge(b.pods) {
		verdict := "no"
		if t.value <= t.limit {
			verdict = "yes"
			met++
		}
		rows = append(rows, []string{t.name, report.Number(t.value) + " " + t.unit, report.Number(t.limit) + " " + t.unit, verdict})
	}
	report.Table(&text, rows)
	_, _ = fmt.Fprintf(&text, "\n%d of %d targets met.\n", met, len(rows)-1)
	if found.starts != nil {
		_, _ = fmt.Fprintf(&text, "Reading all lists and dropping them takes %s ms of CPU.\n", report.Number(report.Median(found.floor)*1e3))
	}
	_, _ = fmt.Fprintln(&text)
	report.WriteFigures(&text, measure.Measures(), f.Columns, f.Figures)
	if len(b.parts) > 0 {
		return b.finish("", text.String(), f) // incomplete results are not saved
	}
	return b.finish("targets-"+report.Thousands(b.pods), text.String(), f)
}

// target is a figure and its maximum.
type target struct {
	name, unit   string
	value, limit float64
}

// limit is a maximum. If large is 0, small applies to any number of pods. Else small is for 20,000 pods and large
// for 100,000, and the limit for another number is in proportion to large above 60,000 pods, and to small up to that.
type limit struct{ small, large float64 }

func (l limit) of(pods int) float64 {
	switch {
	case l.large == 0:
		return l.small
	case pods > 60_000:
		return l.large * float64(pods) / 100_000
	default:
		return l.small * float64(pods) / 20_000
	}
}

// judge returns the targets of all figures that were measured.
func (o *outcome) judge(pods int) (all []target) {
	row := func(name, unit string, value float64, l limit) {
		all = append(all, target{name, unit, value, l.of(pods)})
	}
	of := func(f report.Figures, figure, unit string, l limit) {
		if v, ok := f[figure]; ok {
			row(figure, unit, v, l)
		}
	}
	one := o.one
	of(one, measure.Unchanged+measure.CPU, "ms", limit{52, 310})
	of(one, measure.Unchanged+measure.Median, "ms", limit{60, 300})
	of(one, measure.OnePercent+measure.CPU, "ms", limit{173, 1033})
	of(one, measure.Churning+measure.CPU, "ms", limit{260, 1550})
	of(one, measure.Statuses+measure.CPU, "ms", limit{3640, 21_700})
	of(one, measure.Replaced+measure.CPU, "ms", limit{3640, 21_700})
	of(one, measure.Unchanged+measure.Body, "MB", limit{48.5, 256})
	of(one, measure.Identity+measure.Median, "ms", limit{785, 4550})
	of(one, measure.Identity+measure.CPU, "ms", limit{710, 4100})
	of(one, measure.RestRSS, "MiB", limit{160, 600})
	if rest := one[measure.RestRSS]; rest > 0 {
		of(one, measure.Peak, "MiB", limit{183, 799})
		row("resident memory, peak over at rest", "times", one[measure.Peak]/rest, limit{1.3, 0})
	}
	if o.starts != nil {
		cpu := func(kind int) float64 { return max(o.starts[kind][measure.SyncCPU], 0.01) } // the kernel counts CPU in steps of 10 ms
		eighth := cpu(startOne) / 8
		row("first sync, one: CPU", "CPU-s", cpu(startOne), limit{2.72, 25.6})
		row("first sync, 1 of 4: CPU", "CPU-s", cpu(startQuarter), limit{0.633, 3.33})
		row("first sync, 1 of 8 over an eighth of one: CPU", "times", cpu(startEighth)/eighth, limit{1.25, 0})
		row("first sync, 1 of 8 over an eighth of one, the API server shards: CPU", "times", cpu(startEighthByServer)/eighth, limit{1.25, 0})
	}
	of(one, measure.EventCPU, "us", limit{60, 0})
	if cpu, ok := o.foreign[measure.EventCPU]; ok {
		row("CPU for an event of another shard", "us", cpu, limit{6, 0})
	}
	return all
}
