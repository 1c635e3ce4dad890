package capacity

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	docsFile  = "../../docs/capacity.md"
	docsBegin = "<!-- Generated from the model by \"make generate\": begin -->\n"
	docsEnd   = "<!-- Generated from the model: end -->\n"
)

// TestGeneratedTable: the table of large clusters in docs/capacity.md is what the model says. With -update it is written anew.
func TestGeneratedTable(t *testing.T) {
	text, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), docsBegin)
	got, after, ends := strings.Cut(rest, docsEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table", docsFile)
	}
	want := largeClusters(t)
	if *update {
		if err := os.WriteFile(docsFile, []byte(before+docsBegin+want+docsEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s differs from the model; run make generate. It should have:\n%s", docsFile, want)
	}
}

func largeClusters(t *testing.T) string {
	c := costs(t)
	var b strings.Builder
	b.WriteString("\n| pods | series | standby | replicas | each: series | text | gzip | memory | CPU | scrape |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, pods := range []int{20_000, 100_000, 500_000, 1_000_000} {
		for _, standby := range []bool{false, true} {
			l := Load{
				Kinds: c.Proportion(map[string]int{podsKind: pods}, defaultKinds()), Interval: 30 * time.Second, Standby: standby, RawBytes: 32 << 20,
			}
			l.Events = c.Events(l.Kinds)
			r, ok := c.Fit(l, Limits{Memory: 512 << 20, Timeout: 10 * time.Second})
			if !ok {
				t.Fatalf("nothing fits for %d pods", pods)
			}
			yes := map[bool]string{true: "yes"}[standby]
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %s | %s | %s | %s | %.1f s |\n", count(float64(pods)), count(l.Total().Series), yes,
				r.Replicas, count(r.Series), Bytes(r.Text), Bytes(r.Gzip), Bytes(r.Memory), cores(r.CPU), r.ScrapeTime.Seconds())
		}
	}
	b.WriteString("\n")
	return b.String()
}
