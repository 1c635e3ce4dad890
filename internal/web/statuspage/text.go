package statuspage

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Age is how long ago something was when the overview was made, in words.
func (o Overview) Age(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return lasting(o.At.Sub(t)) + " ago"
}

// Since is how long ago that was, without the word.
func (o Overview) Since(t time.Time) string { return lasting(o.At.Sub(t)) }

// lasting writes a duration with one unit, or with two where one is coarse. Clocks may differ by a little: what is less than
// nothing is nothing.
func lasting(d time.Duration) string {
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

// clock is a time of day, for people in all zones.
func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// count writes a number with its thousands apart; a negative one is not known.
func count[T int | int64](n T) string {
	if n < 0 {
		return "–"
	}
	text := strconv.FormatInt(int64(n), 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// size writes a number of bytes.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return significant(value) + " " + units[unit:unit+1] + "iB"
}

const units = "KMGT"

// significant writes a number with three digits, or more before the point.
func significant(x float64) string {
	switch {
	case x >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// seconds writes a duration in seconds, in milliseconds when it is short.
func seconds(s float64) string {
	if s < 1 {
		return significant(s*1000) + " ms"
	}
	return significant(s) + " s"
}

func percent(share float64) string {
	if math.IsNaN(share) {
		return "–"
	}
	return strconv.FormatFloat(share*100, 'f', 1, 64) + " %"
}

// share is the part of a number of series in another, as the width of a bar of 100.
func share(part, all int) string {
	if all <= 0 {
		return "0"
	}
	return decimal(100 * float64(part) / float64(all))
}
