package capacity

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// estimateText returns an estimate as text.
func estimateText(t *testing.T, l Load, limits Limits) string {
	t.Helper()
	var text bytes.Buffer
	if err := newReport(costs(t), l, limits).writeText(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func load(t *testing.T, pods int) Load {
	t.Helper()
	c := costs(t)
	kinds := c.ScaleFromPods(map[string]int{podsKind: pods}, DefaultKinds())
	l := Load{Kinds: kinds, Interval: 30 * time.Second, Check: time.Hour, RawBytes: 32 << 20}
	l.Events = c.DefaultEvents(l.Kinds)
	return l
}

func TestTextFitsIntoAHundredColumns(t *testing.T) {
	for _, pods := range []int{0, 10, 20_000, 200_000, 10_000_000} {
		for _, limits := range []Limits{
			{}, {Memory: 1536 << 20, Timeout: 10 * time.Second}, {Timeout: 2 * time.Second}, {Text: 30 << 20},
		} {
			for _, standby := range []bool{false, true} {
				l := load(t, pods)
				l.Standby, l.ServerSharded = standby, standby && pods <= 20_000
				l.Kinds = append(l.Kinds, Kind{Name: "validatingadmissionpolicybindings", Problem: "Forbidden"})
				for line := range strings.Lines(estimateText(t, l, limits)) {
					if line = strings.TrimSuffix(line, "\n"); len(line) > 100 || strings.TrimRight(line, " ") != line {
						t.Errorf("%d pods, %+v, standby %v: a line has %d columns, want at most 100 and no trailing space: %q",
							pods, limits, standby, len(line), line)
					}
				}
			}
		}
	}
}

// The name of a column must tell readers what it counts.
func TestNoTableHasTwoColumnsOfOneName(t *testing.T) {
	headers := 0
	for line := range strings.Lines(estimateText(t, load(t, 1000), Limits{})) {
		names := strings.Fields(strings.ReplaceAll(line, "SCRAPE ", "SCRAPE_"))
		if len(names) == 0 || names[0] != "KIND" && names[0] != "REPLICAS" {
			continue
		}
		headers++
		seen := map[string]bool{}
		for _, name := range names {
			if seen[name] || strings.HasSuffix(name, ":") {
				t.Errorf("%q does not name one column: %q", name, line)
			}
			seen[name] = true
		}
	}
	if headers != 2 {
		t.Errorf("got %d tables, want 2", headers)
	}
}

func TestOneReplicaIsExplainedBeforeItIsRecommended(t *testing.T) {
	const (
		warning = "nothing is served while it restarts"
		partial = "While one of 2 replicas restarts, its scrapes fail, and 50 % of all series are missing."
		nothing = "No series is missing while one replica restarts"
	)
	text := estimateText(t, load(t, 1000), Limits{})
	before, _, recommended := strings.Cut(text, "recommended")
	if !recommended || !strings.Contains(before, warning) || !strings.Contains(before, "--shard.standby") {
		t.Errorf("no warning before the recommendation of one replica:\n%s", text)
	}
	two := estimateText(t, load(t, 100_000), Limits{Timeout: 10 * time.Second})
	if !strings.Contains(two, partial) || strings.Contains(two, warning) {
		t.Errorf("two replicas: want %q in\n%s", partial, two)
	}
	l := load(t, 1000)
	l.Standby = true
	if text := estimateText(t, l, Limits{}); !strings.Contains(text, nothing) || strings.Contains(text, warning) {
		t.Errorf("standby: want %q in\n%s", nothing, text)
	}
}

func TestParagraphsAreWrapped(t *testing.T) {
	word := strings.Repeat("x", 49)
	for in, want := range map[string]string{
		"":                       "\n",
		"a  b":                   "a b\n",
		word + " " + word + "x":  word + " " + word + "x\n", // exactly 100 columns
		word + " " + word + "xx": word + "\n  " + word + "xx\n",
		word + " " + word + " " + word + " " + word: word + " " + word + "\n  " + word + "\n  " + word + "\n",
		strings.Repeat("x", 120) + " y":             strings.Repeat("x", 120) + "\n  y\n",
	} {
		if got := wrap(in, "  "); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
