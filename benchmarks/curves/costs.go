package curves

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/internal/capacity"
)

// fitted is a cost that was fitted to runs.
type fitted struct {
	Section, Key string // of costs.yaml
	What         string // description
	Now          string // value, as costs.yaml writes it
}

// fittedCosts returns the costs that runs determine.
func fittedCosts(c capacity.Costs) []fitted {
	var all []fitted
	add := func(section, key, what, now string) { all = append(all, fitted{section, key, what, now}) }
	add("process", "base", "resident memory without objects, bytes", mega(c.Process.Base))
	add("process", "object", "memory in use for each object, beside its text, bytes", fmt.Sprintf("%.0f", c.Process.Object))
	add("process", "idle", "CPU per second without events", micro(c.Process.Idle))
	add("process", "wakeupCPU", "CPU per second for wake-ups by events", micro(c.Process.WakeupCPU))
	add("process", "ownedEvent", "CPU of an event that is owned, in addition", micro(c.Process.OwnedEvent))
	add("process", "foreignEvent", "CPU of an event that another shard owns, in addition", nano(c.Process.ForeignEvent))
	add("process", "objectBytes", "received for an object in the first list, bytes", fmt.Sprintf("%.0f", c.Process.ObjectBytes))
	add("process", "eventBytes", "received for an event, bytes", fmt.Sprintf("%.0f", c.Process.EventBytes))
	add("start", "fixed", "CPU of a start without objects", micro(c.Start.Fixed))
	add("start", "perMB", "CPU of a start for each MB of text of the exposition", micro(c.Start.PerMB))
	add("start", "foreignObject", "CPU of a start for each object that another shard owns", nano(c.Start.ForeignObject))
	add("scrape", "fixed", "CPU of a gzip scrape", micro(c.Scrape.Fixed))
	add("scrape", "perMB", "CPU of a gzip scrape for each MB of its body", micro(c.Scrape.PerMB))
	return all
}

func mega(v float64) string { return fmt.Sprintf("%.1fe6", v/1e6) }

// micro formats a duration in microseconds with an ASCII letter, as in costs.yaml.
func micro(d time.Duration) string {
	return fmt.Sprintf("%dus", d.Round(time.Microsecond).Microseconds())
}

func nano(d time.Duration) string { return fmt.Sprintf("%dns", d.Nanoseconds()) }

func writeCosts(w io.Writer, all []fitted) {
	rows := [][]string{{"costs.yaml", "what", "fitted"}}
	for _, f := range all {
		rows = append(rows, []string{"`" + f.Section + "." + f.Key + "`", f.What, f.Now})
	}
	report.Table(w, rows)
}

// updateCosts writes the fitted costs to costs.yaml. It changes nothing else, so comments stay.
func updateCosts(file string, all []fitted) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, f := range all {
		line := regexp.MustCompile(`(?m)(^` + f.Section + `:\n(?:^  .*\n|^\n)*?^  ` + f.Key + `: )[^\s#]+`)
		if !line.Match(text) {
			return fmt.Errorf("%s: section %s has no key %s", file, f.Section, f.Key)
		}
		text = line.ReplaceAll(text, []byte("${1}"+f.Now))
	}
	return os.WriteFile(file, text, 0o644)
}
