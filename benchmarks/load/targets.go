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

// Columns of figures. A start has its own columns, because its figures are medians of several starts.
const (
	columnOne           = "one"
	columnQuarter       = "1 of 4"
	columnForeign       = "1 of 256" // see foreignShards
	startOne            = "start of one"
	startQuarter        = "start of 1 of 4"
	startEighth         = "start of 1 of 8"
	startEighthByServer = "start of 1 of 8, by the server"
)

// columns returns all columns, in the order of the table.
func columns() []string {
	return []string{columnOne, columnQuarter, startOne, startQuarter, startEighth, startEighthByServer, columnForeign}
}

// outcome maps columns to their figures. Columns of a part that was not measured are absent.
type outcome map[string]report.Figures

// targets measures all figures that have a target.
func (b *bench) targets(ctx context.Context) error {
	found := outcome{}
	var floor []float64
	if b.includes(partStarts) {
		var err error
		if floor, err = b.measureStarts(ctx, found); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name   string
		shards int
		column string
		steps  []step
	}{
		{partForeign, foreignShards, columnForeign, []step{b.foreign()}},
		{partQuarter, 4, columnQuarter, []step{b.settled(), b.churned(0)}},
		{partChurn, 1, columnOne, []step{b.churned(0)}},
		{partOne, 1, columnOne, b.all()},
	} {
		if !b.includes(part.name) {
			continue
		}
		s, err := b.measureSteps(ctx, b.exporter, part.shards, 1, part.steps...)
		if err != nil {
			return err
		}
		found[part.column] = s.Sum()
	}
	return b.finishTargets(found, floor)
}

// measureStarts measures starts of all kinds alternately, and returns the CPU seconds of [measure.Floor] in each round.
func (b *bench) measureStarts(ctx context.Context, found outcome) (floor []float64, err error) {
	runs := map[string][]report.Figures{}
	for range b.starts {
		cpu, err := measure.Floor(ctx, b.cluster)
		if err != nil {
			return nil, err
		}
		b.logf("reading all lists and dropping them: %.3f CPU-s", cpu)
		floor = append(floor, cpu)
		for _, start := range []struct {
			column   string
			shards   int
			byServer bool // the API server leaves out the objects of other shards
		}{{startOne, 1, false}, {startQuarter, 4, false}, {startEighth, 8, false}, {startEighthByServer, 8, true}} {
			s, err := b.open(ctx, b.exporter, start.shards, 1, b.byServer || start.byServer)
			if err != nil {
				return nil, err
			}
			runs[start.column] = append(runs[start.column], s.Sum())
			s.Close()
		}
	}
	for column, r := range runs {
		found[column] = report.MedianOf(measure.Measures(), r)
	}
	return floor, nil
}

func (b *bench) finishTargets(found outcome, floor []float64) error {
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
	if floor != nil {
		_, _ = fmt.Fprintf(&text, "Reading all lists and dropping them takes %s ms of CPU.\n", report.Number(report.Median(floor)*1e3))
	}
	_, _ = fmt.Fprintln(&text)
	f := findings{}
	for _, column := range columns() {
		if figures, ok := found[column]; ok {
			f.add(column, figures)
		}
	}
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
func (o outcome) judge(pods int) (all []target) {
	row := func(name, unit string, value float64, l limit) {
		all = append(all, target{name, unit, value, l.of(pods)})
	}
	of := func(f report.Figures, figure, unit string, l limit) {
		if v, ok := f[figure]; ok {
			row(figure, unit, v, l)
		}
	}
	one := o[columnOne]
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
	if _, ok := o[startOne]; ok {
		cpu := func(column string) float64 { return max(o[column][measure.SyncCPU], 0.01) } // the kernel counts CPU in steps of 10 ms
		eighth := cpu(startOne) / 8
		row("first sync, one: CPU", "CPU-s", cpu(startOne), limit{2.72, 25.6})
		row("first sync, 1 of 4: CPU", "CPU-s", cpu(startQuarter), limit{0.633, 3.33})
		row("first sync, 1 of 8 over an eighth of one: CPU", "times", cpu(startEighth)/eighth, limit{1.25, 0})
		row("first sync, 1 of 8 over an eighth of one, the API server shards: CPU", "times", cpu(startEighthByServer)/eighth, limit{1.25, 0})
	}
	of(one, measure.EventCPU, "us", limit{60, 0})
	if cpu, ok := o[columnForeign][measure.EventCPU]; ok {
		row("CPU for an event of another shard", "us", cpu, limit{6, 0})
	}
	return all
}
