package statuspage

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestNumbersAsText(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(1349201), "1,349,201"}, {count(-1), "–"},
		{size(0), "0 B"}, {size(1023), "1023 B"}, {size(1024), "1.00 KiB"}, {size(10 << 10), "10.0 KiB"}, {size(1<<20 - 1), "1.00 MiB"},
		{size(246 << 20), "246 MiB"}, {size(3 << 40), "3.00 TiB"}, {size(math.MaxInt64), "8388608 TiB"},
		{seconds(.0213), "21.3 ms"}, {seconds(.0001), "0.10 ms"}, {seconds(1.5), "1.50 s"}, {seconds(31), "31.0 s"},
		{percent(1.0 / 3), "33.3 %"}, {percent(math.NaN()), "–"},
		{share(1, 3), "33.33"}, {share(1, 0), "0"},
		{lasting(-time.Second), "0 s"}, {lasting(119 * time.Second), "119 s"}, {lasting(2 * time.Minute), "2 min"},
		{lasting(119 * time.Minute), "119 min"}, {lasting(150 * time.Minute), "2 h 30 min"}, {lasting(50 * time.Hour), "2 d 2 h"},
		{Overview{}.Age(time.Time{}), "never"}, {Overview{At: noon}.Age(noon.Add(-time.Minute)), "60 s ago"},
		{clock(noon.In(time.FixedZone("", 3600))), "12:00:00 UTC"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestRings(t *testing.T) {
	whole := Ring{{0, 0}}
	for _, c := range []struct{ got, want string }{
		{whole.Path(), "M0 0H1000V10H0z"}, {whole.Share(), "100.0 %"}, {whole.String(), "100.0 % of the ring, from 0x0000000000000000 to 0x10000000000000000"},
		{Ring(nil).Path(), ""}, {Ring(nil).Share(), "0 %"}, {Ring(nil).String(), "nothing"},
		{Ring{{1 << 62, 1 << 63}, {3 << 62, 0}}.String(), "50.0 % of the ring, in 2 ranges from 0x4000000000000000 to 0x10000000000000000"},
		{Ring{{0, 0x5555555555555556}}.Path(), "M0 0H333.33V10H0z"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestFindings(t *testing.T) {
	well := example()
	well.Fleet.Wanted, well.Fleet.Target, well.Fleet.Members, well.Replica.Covers, well.Kinds = 2, 0, well.Fleet.Members[:1], false, well.Kinds[:2]
	if found := well.findings(); len(found) != 0 {
		t.Errorf("all is well, but %v", found)
	}
	for name, c := range map[string]struct {
		change func(*Overview)
		level  Level
		want   string
	}{
		"not ready":         {func(o *Overview) { o.Replica.Ready, o.Replica.Reason = false, "not synced yet: pods" }, Problem, "not synced yet: pods"},
		"covered":           {func(o *Overview) { o.Replica.Serving, o.Replica.Reason = false, "another serves" }, Note, "another serves"},
		"covers":            {func(o *Overview) { o.Replica.Covers = true }, Note, "the one before it as well"},
		"pending":           {func(o *Overview) { o.Kinds[0].Phase = "pending" }, Problem, "Not listed yet: jobs."},
		"quiet":             {func(o *Overview) { o.Kinds[1].Heard = noon.Add(-6 * time.Minute) }, Problem, "Nothing was heard for more than 5 min of pods."},
		"alone":             {func(o *Overview) { o.Fleet.Coordinated, o.Fleet.Problem = false, "there is no such object" }, Problem, "there is no such object"},
		"no standby":        {func(o *Overview) { o.Fleet.Standby = false }, Problem, "No replica stands by"},
		"not as desired":    {func(o *Overview) { o.Fleet.Wanted = 1024 }, Problem, "by 2 shards, the StatefulSet asks for 1024, and no change is prepared"},
		"moving":            {func(o *Overview) { o.Fleet.Wanted, o.Fleet.Target = 3, 3 }, Note, "from 2 to 3 shards, since 60 s. All hold their part."},
		"moving for long":   {func(o *Overview) { o.Fleet.Target, o.Fleet.Since = 3, noon.Add(-time.Hour) }, Problem, "since 60 min"},
		"about to switch":   {func(o *Overview) { o.Fleet.Target, o.Fleet.SwitchAt = 3, noon.Add(time.Second) }, Note, "It changes over at 12:00:01 UTC."},
		"web configuration": {func(o *Overview) { o.Replica.WebConfigRefused = true }, Note, "web configuration file was refused"},
		"truncated":         {func(o *Overview) { o.Kinds[0].Truncated = 2 }, Problem, "--object-bytes-limit: jobs (2)."},
		"late": {func(o *Overview) {
			o.Fleet.Target, o.Fleet.Members = 3, append(o.Fleet.Members, Member{Ordinal: 2, State: PodUnknown})
		}, Note, "It waits for replica 2."},
		"no server":         {func(o *Overview) { o.Fleet.Members[0].Server, o.Fleet.Members[0].State = -1, "absent" }, Problem, "No replica serves shard 0: pod statefleet-0 is absent."},
		"no scrape":         {func(o *Overview) { o.Scrapes.Last.At = noon.Add(-6 * time.Minute) }, Problem, "The last scrape was 6 min ago."},
		"scrape broken off": {func(o *Overview) { o.Scrapes.Last.Whole = false }, Problem, "not read to its end"},
	} {
		o := example()
		o.Fleet.Wanted, o.Fleet.Target, o.Fleet.Members, o.Replica.Covers, o.Kinds = 2, 0, o.Fleet.Members[:1], false, o.Kinds[:2]
		c.change(&o)
		found := o.findings()
		if len(found) != 1 || found[0].Level != c.level || !strings.Contains(found[0].Text, c.want) {
			t.Errorf("%s: %v, want one %s with %q", name, found, c.level, c.want)
		}
	}
	o := example()
	o.Replica.Ready, o.Kinds[0].Phase = false, "pending"
	found := o.findings()
	if len(found) < 4 || found[0].Level != Problem || found[len(found)-1].Level != Note {
		t.Errorf("the worst does not come first: %v", found)
	}
	for _, f := range found {
		if strings.HasPrefix(f.Text, "Not listed yet") {
			t.Error("said twice: the reason of not being ready names the kinds")
		}
	}
	if got := list(strings.Split(strings.Repeat("x ", 14), " ")); !strings.HasSuffix(got, "x and 3 more") {
		t.Errorf("a long list: %q", got)
	}
}
