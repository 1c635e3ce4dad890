package watch

import "strconv"

// ParseVersion reads a resourceVersion as the number that it is on every known API
// server; 0 where it is none, and then no version counts as older.
func ParseVersion[T string | []byte](version T) uint64 {
	v, err := strconv.ParseUint(string(version), 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// older compares versions; those that are no numbers are not.
func older(a, b string) bool {
	v := ParseVersion(a)
	return v != 0 && v < ParseVersion(b)
}
