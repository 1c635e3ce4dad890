package curves

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// figure is a drawing with two panels per row.
type figure struct {
	title  string
	panels []panel
}

// panel is a diagram with linear axes that begin at zero. The title is the label of the vertical axis.
type panel struct {
	title, x string
	series   []series
}

// series holds measured points and the line of the model.
type series struct {
	name   string
	points []point
	line   []point
}

type point struct{ x, y float64 }

// Sizes in pixels.
const (
	panelWidth, panelHeight = 440, 310
	left, right             = 58, 22
	top, bottom             = 58, 46
	head                    = 40
)

// style has colours for light and for dark mode. The drawing has a background, because it cannot rely on that of the
// page that shows it.
const style = `
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.head { font-size: 16px; font-weight: 600; }
.title { font-weight: 600; }
.back { fill: #ffffff; }
.grid { stroke: #d1d9e0; }
.axis { stroke: #59636e; }
.line { fill: none; stroke-width: 2; }
.s0 { stroke: #0969da; } .p0 { fill: #0969da; }
.s1 { stroke: #bc4c00; stroke-dasharray: 6 4; } .p1 { fill: #bc4c00; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .back { fill: #0d1117; }
  .grid { stroke: #3d444d; }
  .axis { stroke: #9198a1; }
  .s0 { stroke: #4493f8; } .p0 { fill: #4493f8; }
  .s1 { stroke: #f0883e; } .p1 { fill: #f0883e; }
}
`

// draw returns the SVG.
func (f figure) draw() []byte {
	const perRow = 2
	columns := min(len(f.panels), perRow)
	rows := (len(f.panels) + perRow - 1) / perRow
	width, height := columns*panelWidth, head+rows*panelHeight
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", html.EscapeString(f.title), style)
	fmt.Fprintf(&b, `<rect class="back" width="%d" height="%d"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text class="head" x="14" y="26">%s</text>`+"\n", html.EscapeString(f.title))
	for i, p := range f.panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%perRow*panelWidth, head+i/perRow*panelHeight)
		p.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p panel) draw(b *bytes.Buffer) {
	var mostX, mostY float64
	for _, s := range p.series {
		for _, at := range append(append([]point(nil), s.points...), s.line...) {
			mostX, mostY = max(mostX, at.x), max(mostY, at.y)
		}
	}
	xs, ys := ticks(mostX), ticks(mostY)
	endX, endY := max(mostX, xs[len(xs)-1]), ys[len(ys)-1]
	x := func(v float64) float64 { return left + v/endX*(panelWidth-left-right) }
	y := func(v float64) float64 { return panelHeight - bottom - v/endY*(panelHeight-top-bottom) }
	fmt.Fprintf(b, `<text class="title" x="14" y="16">%s</text>`+"\n", html.EscapeString(p.title))
	for _, v := range ys {
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, panelWidth-right, y(v), y(v))
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left-8, y(v)+4, tick(v))
	}
	for _, v := range xs {
		fmt.Fprintf(b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, x(v), x(v), panelHeight-bottom, panelHeight-bottom+5)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(v), panelHeight-bottom+18, tick(v))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", left, panelWidth-right, panelHeight-bottom, panelHeight-bottom)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+panelWidth-right)/2, panelHeight-bottom+36, html.EscapeString(p.x))
	for i, s := range p.series {
		var path strings.Builder
		for _, at := range s.line {
			fmt.Fprintf(&path, "%.1f,%.1f ", x(at.x), y(at.y))
		}
		fmt.Fprintf(b, `<polyline class="line s%d" points="%s"/>`+"\n", i, strings.TrimSpace(path.String()))
		for _, at := range s.points {
			fmt.Fprintf(b, `<circle class="p%d" cx="%.1f" cy="%.1f" r="4"><title>%s</title></circle>`+"\n", i, x(at.x), y(at.y),
				strconv.FormatFloat(at.y, 'g', 4, 64))
		}
		if s.name != "" {
			at := 32 + 16*i
			fmt.Fprintf(b, `<line class="line s%d" x1="%d" x2="%d" y1="%d" y2="%d"/><circle class="p%d" cx="%d" cy="%d" r="4"/>`, i, left+8, left+34, at, at, i, left+21, at)
			fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", left+42, at+4, html.EscapeString(s.name))
		}
	}
}

// ticks returns round numbers from 0 to the first one that is at least most.
func ticks(most float64) []float64 {
	if most <= 0 {
		most = 1
	}
	const about = 5
	step := math.Pow(10, math.Floor(math.Log10(most/about)))
	for _, times := range []float64{2, 2.5, 2} { // 2, 5, 10
		if most/step <= about+1 {
			break
		}
		step *= times
	}
	all := []float64{0}
	for n := 1.0; all[len(all)-1] < most; n++ {
		all = append(all, n*step)
	}
	return all
}

func tick(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
