package resources

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The text of labels and values is the same in both exposition formats.

// appendLabel appends name="value" and a comma.
func appendLabel(dst []byte, name, value string) []byte {
	if !isPlain(value) {
		value = quoted.Replace(strings.ToValidUTF8(value, "\uFFFD"))
	}
	dst = append(dst, name...)
	dst = append(dst, '=', '"')
	dst = append(dst, value...)
	return append(dst, '"', ',')
}

// quoted escapes label values, and HELP in OpenMetrics.
var quoted = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// isPlain reports whether s is ASCII that needs no escape, as nearly all values are.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '\n' {
			return false
		}
	}
	return true
}

// appendValue appends the shortest text that parses to v. Whole numbers below 1e15, the usual case, have no exponent.
func appendValue(dst []byte, v float64) []byte {
	if n := int64(v); float64(n) == v && n > -1e15 && n < 1e15 {
		return strconv.AppendInt(dst, n, 10)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// emptyLabel occurs in a line only as an empty label, because quotes within values are escaped.
var emptyLabel = []byte(`=""`)

// AppendSeries appends the series of a sample line as Prometheus reads it: the text before the value, without the empty
// labels, which are the same as missing ones.
func AppendSeries(dst, line []byte) []byte {
	series := line[:bytes.LastIndexByte(line, ' ')]
	for {
		at := bytes.Index(series, emptyLabel)
		if at < 0 {
			break
		}
		name := bytes.LastIndexAny(series[:at], "{,") + 1
		dst = append(dst, series[:name]...)
		series = bytes.TrimPrefix(series[at+len(emptyLabel):], []byte(","))
	}
	dst = append(dst, series...)
	if labels, ok := bytes.CutSuffix(dst, []byte(",}")); ok { // the last label was empty
		dst = append(labels, '}')
	}
	return dst
}
