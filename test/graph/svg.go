package graph

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLines limits the number of lines in a graph.
const maxLines = 12

// maxGap is the largest distance of points that are connected, as a share of the width.
const maxGap = 1.5 / points

// line is a series in a graph. at has the positions of its points as shares of the width.
type line struct {
	Name             string
	Class            string
	Now, Least, Most float64
	at, values       []float64
}

// summarize sets the fields that the legend shows.
func (l *line) summarize(class string) {
	l.Class = class
	l.Now, l.Least, l.Most = l.values[len(l.values)-1], slices.Min(l.values), slices.Max(l.values)
}

// Sizes in pixels.
const (
	width, height            = 1000, 190
	left, right, top, bottom = 56, 12, 8, 24
)

// draw returns a graph as SVG. The vertical axis begins at zero, so that it shows the real size of a dip.
func draw(title string, lines []line, start, end time.Time) string {
	most := 0.0
	for _, l := range lines {
		most = max(most, l.Most)
	}
	most, tick := nice(most)
	x := func(share float64) float64 { return left + share*(width-left-right) }
	y := func(value float64) float64 { return height - bottom - value/most*(height-top-bottom) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, html.EscapeString(title))
	for value := 0.0; value <= most*1.001; value += tick {
		fmt.Fprintf(&b, `<path class="grid" d="M%d %.1fH%d"/><text class="y" x="%d" y="%.1f">%s</text>`,
			left, y(value), width-right, left-8, y(value)+4, short(value))
	}
	const labels = 5
	for i := range labels + 1 {
		at, class := start.Add(end.Sub(start)*time.Duration(i)/labels), "x"
		if i == labels {
			class = "x last"
		}
		fmt.Fprintf(&b, `<text class="%s" x="%.1f" y="%d">%s</text>`,
			class, x(float64(i)/labels), height-6, at.Format(time.TimeOnly))
	}
	for _, l := range slices.Backward(lines) { // the first line is the most important one, so it is drawn on top
		fmt.Fprintf(&b, `<path class="line %s" d="%s"/>`, l.Class, l.path(x, y))
	}
	b.WriteString("</svg>")
	return b.String()
}

// path connects the points of a line, except across gaps.
func (l line) path(x, y func(float64) float64) string {
	var b strings.Builder
	for i, at := range l.at {
		command := "L"
		if i == 0 || at-l.at[i-1] > maxGap {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", command, x(at), y(clamp(l.values[i])))
	}
	return b.String()
}

// clamp returns a value that can be drawn inside the graph.
func clamp(value float64) float64 {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0
	}
	return max(value, 0)
}

// nice returns the end of an axis with room for most, and the distance of its ticks.
func nice(most float64) (end, tick float64) {
	if math.IsNaN(most) || math.IsInf(most, 0) || most <= 0 {
		most = 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if tick = power * factor; tick*4 >= most {
			break
		}
	}
	return math.Ceil(most/tick*1.05) * tick, tick
}

// short returns a number with at most 6 digits.
func short(value float64) string { return strconv.FormatFloat(value, 'g', 6, 64) }
