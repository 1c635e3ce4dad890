package resources

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The exposition text of labels and values, which the formats have in common.

// appendLabel appends name="value", with a comma behind it.
func appendLabel(dst []byte, name, value string) []byte {
	return appendLabelValue(append(dst, name...), value)
}

// appendLabelValue appends the part of a label behind its name.
func appendLabelValue(dst []byte, value string) []byte {
	dst = append(dst, '=', '"')
	switch {
	case isPlain(value):
		dst = append(dst, value...)
	case utf8.ValidString(value):
		dst = appendEscaped(dst, value)
	default:
		dst = appendEscaped(dst, strings.ToValidUTF8(value, "\uFFFD"))
	}
	return append(dst, '"', ',')
}

// isPlain reports whether s, like nearly all values, is ASCII that needs no escape.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '\n' {
			return false
		}
	}
	return true
}

// appendEscaped appends a label value with backslash, double quote and line feed escaped, as both
// formats want it.
func appendEscaped(dst []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		c := s[i]
		if c != '\\' && c != '"' && c != '\n' {
			continue
		}
		dst = append(dst, s[from:i]...)
		if c == '\n' {
			c = 'n'
		}
		dst = append(dst, '\\', c)
		from = i + 1
	}
	return append(dst, s[from:]...)
}

// appendValue appends v in the shortest form that reads back as v; whole numbers, which nearly all
// are, without exponent.
func appendValue(dst []byte, v float64) []byte {
	if n := int64(v); float64(n) == v && n > -1e15 && n < 1e15 {
		return strconv.AppendInt(dst, n, 10)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}
