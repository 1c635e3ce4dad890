package statuspage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// formatDuration formats a duration with one unit, or with two where one is coarse. Clocks may
// differ a little, so a negative duration is zero.
func formatDuration(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 2*3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 2*86400:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s/3600%24)
}

// formatTime formats a time of day in UTC, because readers are in different time zones.
func formatTime(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// formatCount formats a number with thousands separators; a negative one is unknown.
func formatCount(n int) string {
	if n < 0 {
		return "–"
	}
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// formatSize formats a number of bytes.
func formatSize(n int64) string {
	const units = "KMGT"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return significant(value) + " " + units[unit:unit+1] + "iB"
}

// significant formats a number with three digits, or more before the point.
func significant(x float64) string {
	switch {
	case x >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// formatSeconds formats seconds, short ones as milliseconds.
func formatSeconds(s float64) string {
	if s < 1 {
		return significant(s*1000) + " ms"
	}
	return significant(s) + " s"
}

// barWidth returns the width of a bar, of 100, that shows part of all.
func barWidth(part, all int) string {
	if all <= 0 {
		return "0"
	}
	return decimal(100 * float64(part) / float64(all))
}

func decimal(x float64) string { return strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64) }

// ringPath returns an SVG path with a box for each range, in a drawing of 1000 by 10. It has decimals,
// because whole units would hide the ranges of large fleets.
func ringPath(ranges shard.Ranges) string {
	const width = 1000
	var d strings.Builder
	for _, r := range ranges {
		from, to := math.Ldexp(float64(r.Start), -64)*width, math.Ldexp(float64(r.End), -64)*width
		if r.End == 0 {
			to = width
		}
		fmt.Fprintf(&d, "M%s 0H%sV10H%sz", decimal(from), decimal(to), decimal(from))
	}
	return d.String()
}

// ringShare returns the share of the ring that is in the ranges, as a percentage.
func ringShare(ranges shard.Ranges) string {
	if len(ranges) == 0 {
		return "0 %"
	}
	return strconv.FormatFloat(100*ranges.Fraction(), 'f', 1, 64) + " %"
}

// ringText describes ranges for readers who do not see the drawing.
func ringText(ranges shard.Ranges) string {
	switch len(ranges) {
	case 0:
		return "nothing"
	case 1:
		return ringShare(ranges) + " of the ring"
	}
	return fmt.Sprintf("%s of the ring, in %d ranges", ringShare(ranges), len(ranges))
}
