package load

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
)

// profiles measures the exposition of one replica with each configuration file of a folder, with and without
// samples of value 0.
func (b *bench) profiles(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(b.folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("--folder must be a folder with configuration files (*.yaml), got %q", b.folder)
	}
	slices.Sort(files)
	f := findings{}
	var text strings.Builder
	text.WriteString("| profile | samples of value 0 | series | text | gzip |\n| --- | --- | --- | --- | --- |\n")
	for _, file := range files {
		for _, zeros := range []string{"with", "without"} {
			figures, err := b.scrapeProfile(ctx, file, zeros == "without")
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			name := strings.TrimSuffix(filepath.Base(file), ".yaml")
			f.add(name+", "+zeros+" samples of value 0", figures)
			_, _ = fmt.Fprintf(&text, "| %s | %s | %.0f k | %.0f MB | %.1f MB |\n", name, zeros, figures[measure.Series]/1e3,
				figures[measure.Identity+measure.Body], figures[measure.Unchanged+measure.Body])
		}
	}
	return b.finish("profiles-"+report.Thousands(b.pods), text.String(), f)
}

// scrapeProfile scrapes a replica that has had time to compress its blocks.
func (b *bench) scrapeProfile(ctx context.Context, config string, skipZeros bool) (report.Figures, error) {
	arguments := fmt.Sprintf("%s --config=%s --metric.skip-zero-statesets=%t", b.arguments, config, skipZeros)
	command, err := fleet.ParseCommand(*b.binary, arguments)
	if err != nil {
		return nil, err
	}
	e := b.exporter
	e.Command = command
	s, err := b.measureSteps(ctx, e, 1, 1, step{"at rest", func(ctx context.Context, s *measure.Session) error {
		if err := fleet.Pause(ctx, b.settle); err != nil {
			return err
		}
		return s.Settled(ctx, 1, 1)
	}})
	if err != nil {
		return nil, err
	}
	return s.Sum(), nil
}
