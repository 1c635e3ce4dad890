package capacity

import (
	"fmt"
	"math"
	"strings"
)

func count(n float64) string {
	switch {
	case n >= 9.95e6:
		return fmt.Sprintf("%.0fM", n/1e6)
	case n >= 1e6:
		return fmt.Sprintf("%.1fM", n/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.0fk", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}

// Bytes formats a number of bytes with up to three digits and a binary unit.
func Bytes(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n >= 999.5 && i < len(units)-1 {
		n /= 1024
		i++
	}
	if n < 9.95 && i > 0 {
		return fmt.Sprintf("%.1f %s", n, units[i])
	}
	return fmt.Sprintf("%.0f %s", n, units[i])
}

func cores(c float64) string { return fmt.Sprintf("%.0fm", math.Ceil(1000*c)) }

func millis(seconds float64) string { return fmt.Sprintf("%.0f ms", math.Ceil(1000*seconds)) }

// lineWidth is the number of columns of a terminal that the text fits into.
const lineWidth = 100

// wrap breaks a paragraph into lines. All but the first begin with the indent.
func wrap(paragraph, indent string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(paragraph) {
		switch {
		case i == 0:
		case column+1+len(word) > lineWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String() + "\n"
}
