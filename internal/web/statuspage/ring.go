package statuspage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ringWidth is the width of the ring in a drawing. Whole units would hide the arcs of large fleets, so that there are decimals.
const ringWidth = 1000

// position is where a hash is in a drawing.
func position(hash uint64) float64 { return math.Ldexp(float64(hash), -64) * ringWidth }

func (a Arc) span() (from, to float64) {
	from, to = position(a.Start), position(a.End)
	if a.End == 0 {
		to = ringWidth
	}
	return from, to
}

// Path draws the set as a path of boxes, one for each arc, in a drawing of 1000 by 10.
func (r Ring) Path() string {
	var d strings.Builder
	for _, a := range r {
		from, to := a.span()
		fmt.Fprintf(&d, "M%s 0H%sV10H%sz", decimal(from), decimal(to), decimal(from))
	}
	return d.String()
}

func decimal(x float64) string { return strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64) }

// Share is the part of the ring that is in the set, as a percentage.
func (r Ring) Share() string {
	if len(r) == 0 {
		return "0 %"
	}
	share := 0.0
	for _, a := range r {
		from, to := a.span()
		share += to - from
	}
	return percent(share / ringWidth)
}

// Drawn is whether the hashes of the members are known, as those of very large fleets are not.
func (f Fleet) Drawn() bool {
	return slices.ContainsFunc(f.Members, func(m Member) bool { return len(m.Own) > 0 })
}

// String describes the set in words, for those who do not see the drawing.
func (r Ring) String() string {
	switch len(r) {
	case 0:
		return "nothing"
	case 1:
		return fmt.Sprintf("%s of the ring, from %s to %s", r.Share(), r[0].from(), r[0].to())
	}
	return fmt.Sprintf("%s of the ring, in %d ranges from %s to %s", r.Share(), len(r), r[0].from(), r[len(r)-1].to())
}
