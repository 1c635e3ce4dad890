package resources

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestUnitOfName(t *testing.T) {
	f := func(name string, want Unit) {
		t.Helper()
		if got := unitOfName(name); got != want {
			t.Errorf("unitOfName(%s) = %q, want %q", name, got, want)
		}
	}
	f("a_seconds", Seconds)
	f("a_seconds_total", Seconds)
	f("a_bytes", Bytes)
	f("a_cores", Cores)
	f("a_ratio", Ratio)
	f("a_created", UnixSeconds)
	f("a_start_time", UnixSeconds)
	f("a_deletion_timestamp", UnixSeconds)
	f("a_restarts_total", "")
	f("a_bytes_limit", "")
	f("a_timestamps", "")
	f("bytes", "")
}

// The unit in the reference is the same as in the HELP text.
func TestUnitsAgreeWithHelp(t *testing.T) {
	phrases := []struct {
		words string
		unit  Unit
	}{
		{"in unix seconds", UnixSeconds},
		{"in seconds", Seconds},
		{"in cores, bytes or pieces", unitByLabel("resource")},
		{"in the unit that its label names", unitByLabel("unit")},
		{"in the metric's own unit", unitByLabel("metric_name")},
		{"in bytes", Bytes},
		{"in cores", Cores},
		{"as a ratio", Ratio},
	}
	for _, k := range All() {
		for _, f := range k.Families() {
			var want Unit
			for _, p := range phrases {
				if strings.Contains(f.Help, p.words) {
					want = p.unit
					break
				}
			}
			if f.Unit != want {
				t.Errorf("%s: got unit %q, want %q, as in its help %q", f.Name, f.Unit, want, f.Help)
			}
		}
	}
}

// TestUnitsAgreeWithSamples compares the units with the rendered lines of the fixtures' objects. A label that names the
// unit must be present. A value in unix seconds must be in the range of the fixtures' times, and a plain number must
// not. A value that is always 1, or 1 or 0, must have no unit.
func TestUnitsAgreeWithSamples(t *testing.T) {
	families := map[string]Family{}
	for _, k := range All() {
		for _, f := range k.Families() {
			families[f.Name] = f
		}
	}
	checked := map[Unit]int{}
	eachLine(t, func(line string) {
		name, labels := readLabelNames(t, line)
		f := families[name]
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
		if err != nil {
			t.Fatal(err)
		}
		checked[f.Unit]++
		for _, label := range []string{"unit", "resource", "metric_name"} {
			byLabel := f.Unit == unitByLabel(label)
			if has := slices.Contains(labels, label); byLabel && !has || label == "unit" && has && !byLabel {
				t.Errorf("unit %q: %s", f.Unit, line)
			}
		}
		if isTime := isTimeOfFixtures(value); f.Unit == UnixSeconds && !isTime || f.Unit == "" && isTime {
			t.Errorf("unit %q: %s", f.Unit, line)
		}
		always, either := strings.HasPrefix(f.Help, "Always 1;"), strings.Contains(f.Help, "1 or 0")
		if always && value != 1 || either && value != 0 && value != 1 || (always || either) && f.Unit != "" {
			t.Errorf("unit %q, %q: %s", f.Unit, f.Help, line)
		}
	})
	all := []Unit{"", Seconds, UnixSeconds, Bytes, Cores, Ratio, unitByLabel("unit"), unitByLabel("resource"), unitByLabel("metric_name")}
	for _, u := range all {
		if checked[u] == 0 {
			t.Errorf("no sample has the unit %q", u)
		}
	}
}

// isTimeOfFixtures reports whether v is a time between 2000 and 2100.
func isTimeOfFixtures(v float64) bool { return v > 946_684_800 && v < 4_102_444_800 }
