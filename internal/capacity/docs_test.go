package capacity

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

const docsFile = "../../docs/capacity.md"

// TestGeneratedTables compares tables in docs/capacity.md with the model. -update rewrites them.
func TestGeneratedTables(t *testing.T) {
	for name, want := range map[string]string{"rules": rules(t), "model": largeClusters(t), "million": million(t), "selectors": selectors(t)} {
		text, err := os.ReadFile(docsFile)
		if err != nil {
			t.Fatal(err)
		}
		begin := fmt.Sprintf("<!-- Generated from the model by \"make generate\": %s begin -->\n", name)
		end := fmt.Sprintf("<!-- Generated from the model: %s end -->\n", name)
		before, rest, begins := strings.Cut(string(text), begin)
		got, after, ends := strings.Cut(rest, end)
		if !begins || !ends {
			t.Fatalf("%s lacks the markers of the table %s", docsFile, name)
		}
		if *update {
			if err := os.WriteFile(docsFile, []byte(before+begin+want+end+after), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got != want {
			t.Errorf("the table %s of %s differs from the model; run make generate. Want:\n%s", name, docsFile, want)
		}
	}
}

// rules returns the table with the costs of 10,000 pods and of 1,000 events per second.
func rules(t *testing.T) string {
	const pods = 10_000
	c := costs(t)
	l := Load{Kinds: c.ScaleFromPods(map[string]int{podsKind: pods}, DefaultKinds()), RawBytes: 32 << 20}
	total, one := l.Total(), c.Replica(l, 1)
	var b strings.Builder
	fmt.Fprintf(&b, "For 10,000 pods and the usual number of other objects (%s objects, %s series):\n\n| | |\n| --- | --- |\n", count(float64(total.Objects)), count(total.Series))
	row := func(what, cell string) { fmt.Fprintf(&b, "| %s | %s |\n", what, cell) }
	row("text, gzip", fmt.Sprintf("%.0f MB, %.1f MB", one.Text/1e6, one.Gzip/1e6))
	row("memory at rest", fmt.Sprintf("%s, in addition to %s for the process itself", Bytes(one.Memory-c.Process.Base), Bytes(c.Process.Base)))
	row("memory for uncompressed changes", fmt.Sprintf("up to %s (%.1f times `--store.raw-bytes`)", Bytes(c.Process.Garbage*float64(l.RawBytes)), c.Process.Garbage))
	row("first list", fmt.Sprintf("%.1f s of CPU, %.0f MB received", one.StartCPU.Seconds(), one.StartBytes/1e6))
	row("gzip scrape, nothing changed", fmt.Sprintf("%s of CPU", millis(one.ScrapeCPU.Seconds())))
	b.WriteString("\nFor 1,000 events a second in the cluster:\n\n| | |\n| --- | --- |\n")
	awake := c.Process.WakeupCPU.Seconds()
	row("CPU of a replica that owns all of them", fmt.Sprintf("%.2f cores", awake+1000*c.Process.OwnedEvent.Seconds()))
	row("CPU of a replica that owns none of them", fmt.Sprintf("%.3f cores; nothing when the API server shards", awake+1000*c.Process.ForeignEvent.Seconds()))
	row("traffic to each replica", fmt.Sprintf("%.1f MB/s; its share of that when the API server shards", 1000*c.Process.EventBytes/1e6))
	b.WriteString("\n")
	return b.String()
}

// million returns the table with the costs of a million pods on 64 replicas.
func million(t *testing.T) string {
	const pods, replicas = 1_000_000, 64
	c := costs(t)
	l := Load{
		Kinds: c.ScaleFromPods(map[string]int{podsKind: pods}, DefaultKinds()), Interval: 30 * time.Second, Check: time.Hour, RawBytes: 32 << 20,
	}
	l.Events = c.DefaultEvents(l.Kinds)
	var all [3]Replica
	all[0] = c.Replica(l, replicas)
	l.ServerSharded = true
	all[1] = c.Replica(l, replicas)
	l.Standby = true
	all[2] = c.Replica(l, replicas)
	var b strings.Builder
	b.WriteString("\n| each of 64 replicas | API server does not shard | API server shards | API server shards, standby |\n| --- | --- | --- | --- |\n")
	row := func(what string, cell func(Replica) string) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", what, cell(all[0]), cell(all[1]), cell(all[2]))
	}
	row("served objects", func(r Replica) string { return count(r.Objects) })
	row("series", func(r Replica) string { return count(r.Series) })
	row("scrape: text, gzip", func(r Replica) string { return Bytes(r.Text) + ", " + Bytes(r.Gzip) })
	row("memory", func(r Replica) string { return Bytes(r.Memory) })
	row("CPU", func(r Replica) string { return cores(r.CPU) })
	row("received per second for events", func(r Replica) string { return Bytes(r.EventBytes) })
	row("received per second for consistency checks", func(r Replica) string { return Bytes(r.CheckBytes) })
	row("start: CPU", func(r Replica) string { return fmt.Sprintf("%.1f s", r.StartCPU.Seconds()) })
	row("start: received", func(r Replica) string { return Bytes(r.StartBytes) })
	row("gzip scrape: CPU, time", func(r Replica) string { return millis(r.ScrapeCPU.Seconds()) + ", " + millis(r.ScrapeTime.Seconds()) })
	row("**all 64:** memory", func(r Replica) string { return Bytes(replicas * r.Memory) })
	row("CPU", func(r Replica) string { return fmt.Sprintf("%.1f cores", replicas*r.CPU) })
	row("received per second for events", func(r Replica) string { return Bytes(replicas * r.EventBytes) })
	row("start: received", func(r Replica) string { return Bytes(replicas * r.StartBytes) })
	b.WriteString("\n")
	return b.String()
}

// selectors returns the table with the shares of all objects that replicas hold, and that their selectors include.
func selectors(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n| replicas | standby | each holds | selector includes: mean | largest |\n| --- | --- | --- | --- | --- |\n")
	for _, n := range []int{32, 64, 128, 256, 1024} {
		for _, standby := range []bool{false, true} {
			mean, largest, err := selectorShares(n, standby)
			if err != nil {
				t.Fatal(err)
			}
			held, yes := 1/float64(n), ""
			if standby {
				held, yes = 2*held, "yes"
			}
			fmt.Fprintf(&b, "| %d | %s | %.1f %% | %.1f %% | %.1f %% |\n", n, yes, 100*held, 100*mean, 100*largest)
		}
	}
	b.WriteString("\n")
	return b.String()
}

func largeClusters(t *testing.T) string {
	c := costs(t)
	var b strings.Builder
	b.WriteString("\n| pods | series | standby | replicas | each: series | text | gzip | memory | CPU | scrape |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, pods := range []int{20_000, 100_000, 500_000, 1_000_000} {
		for _, standby := range []bool{false, true} {
			l := Load{
				Kinds: c.ScaleFromPods(map[string]int{podsKind: pods}, DefaultKinds()), Interval: 30 * time.Second, Standby: standby, RawBytes: 32 << 20,
			}
			l.Events = c.DefaultEvents(l.Kinds)
			r, ok := c.SmallestFleet(l, Limits{Memory: 512 << 20, Timeout: 10 * time.Second})
			if !ok {
				t.Fatalf("%d pods: no fleet stays within the limits", pods)
			}
			yes := map[bool]string{true: "yes"}[standby]
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %s | %s | %s | %s | %.1f s |\n", count(float64(pods)), count(l.Total().Series), yes,
				r.Replicas, count(r.Series), Bytes(r.Text), Bytes(r.Gzip), Bytes(r.Memory), cores(r.CPU), r.ScrapeTime.Seconds())
		}
	}
	b.WriteString("\n")
	return b.String()
}
