package watch

import "strconv"

// ParseVersion returns a resourceVersion as a number, which it is on all known API servers, or 0 if
// it is not one.
func ParseVersion[T string | []byte](version T) uint64 {
	v, err := strconv.ParseUint(string(version), 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// older reports whether a is older than b. A version that is not a number is never older.
func older(a, b string) bool {
	v := ParseVersion(a)
	return v != 0 && v < ParseVersion(b)
}
