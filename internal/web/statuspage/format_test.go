package statuspage

import (
	"math"
	"testing"
	"time"

	"github.com/statefleet/statefleet/shard"
)

func TestNumbersAsText(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{formatCount(0), "0"}, {formatCount(999), "999"}, {formatCount(1000), "1,000"}, {formatCount(1349201), "1,349,201"}, {formatCount(-1), "–"},
		{formatSize(0), "0 B"}, {formatSize(1023), "1023 B"}, {formatSize(1024), "1.00 KiB"}, {formatSize(10 << 10), "10.0 KiB"}, {formatSize(1<<20 - 1), "1.00 MiB"},
		{formatSize(246 << 20), "246 MiB"}, {formatSize(3 << 40), "3.00 TiB"}, {formatSize(math.MaxInt64), "8388608 TiB"},
		{formatSeconds(.0213), "21.3 ms"}, {formatSeconds(.0001), "0.10 ms"}, {formatSeconds(1.5), "1.50 s"}, {formatSeconds(31), "31.0 s"},
		{barWidth(1, 3), "33.33"}, {barWidth(1, 0), "0"},
		{formatDuration(-time.Second), "0 s"}, {formatDuration(119 * time.Second), "119 s"}, {formatDuration(2 * time.Minute), "2 min"},
		{formatDuration(119 * time.Minute), "119 min"}, {formatDuration(150 * time.Minute), "2 h 30 min"}, {formatDuration(50 * time.Hour), "2 d 2 h"},
		{Status{}.Age(time.Time{}), "never"}, {Status{At: noon}.Age(noon.Add(-time.Minute)), "60 s ago"},
		{formatTime(noon.In(time.FixedZone("", 3600))), "12:00:00 UTC"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestRings(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ringPath(shard.All()), "M0 0H1000V10H0z"}, {ringShare(shard.All()), "100.0 %"},
		{ringText(shard.All()), "100.0 % of the ring"},
		{ringPath(nil), ""}, {ringShare(nil), "0 %"}, {ringText(nil), "nothing"},
		{ringText(shard.Ranges{{Start: 1 << 62, End: 1 << 63}, {Start: 3 << 62}}), "50.0 % of the ring, in 2 ranges"},
		{ringPath(shard.Ranges{{End: 0x5555555555555556}}), "M0 0H333.33V10H0z"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
