package wire

// ValidJSON is json.Valid for values of any nesting depth: API servers accept objects that are too
// deep for the standard library. It does not recurse.
func ValidJSON(b []byte) bool {
	n := make(nesting, 0, 64)
	i := skipSpace(b, 0)
	for {
		var ok, opened bool
		if i, opened, ok = n.begin(b, i); !ok {
			return false
		}
		if opened {
			continue
		}
		if i, ok = n.next(b, i); !ok {
			return false
		}
		if len(n) == 0 {
			return i == len(b)
		}
	}
}

// nesting is the stack of the brackets that end the open objects and lists.
type nesting []byte

// begin reads the value at i up to its end. If that is an object or a list that is not empty,
// begin reads up to the first value in it, and opened is true.
func (n *nesting) begin(b []byte, i int) (next int, opened, ok bool) {
	if i >= len(b) {
		return i, false, false
	}
	switch c := b[i]; c {
	case '{':
		i = skipSpace(b, i+1)
		if i < len(b) && b[i] == '}' {
			return i + 1, false, true
		}
		*n = append(*n, '}')
		i, ok = validName(b, i)
		return i, true, ok
	case '[':
		i = skipSpace(b, i+1)
		if i < len(b) && b[i] == ']' {
			return i + 1, false, true
		}
		*n = append(*n, ']')
		return i, true, true
	case '"':
		i, ok = validString(b, i)
		return i, false, ok
	case 't':
		return validWord(b, i, "true")
	case 'f':
		return validWord(b, i, "false")
	case 'n':
		return validWord(b, i, "null")
	default:
		i, ok = validNumber(b, i)
		return i, false, ok
	}
}

// next moves from the end of a value to the next value, and closes the objects and lists that
// end in between. If none is open, it moves to the first byte that is not white space.
func (n *nesting) next(b []byte, i int) (int, bool) {
	for {
		i = skipSpace(b, i)
		if len(*n) == 0 {
			return i, true
		}
		if i >= len(b) {
			return i, false
		}
		last := len(*n) - 1
		switch end := (*n)[last]; {
		case b[i] == ',' && end == '}':
			return validName(b, skipSpace(b, i+1))
		case b[i] == ',':
			return skipSpace(b, i+1), true
		case b[i] == end:
			*n = (*n)[:last]
			i++
		default:
			return i, false
		}
	}
}

// validName reads a member's name, the colon, and the white space around it.
func validName(b []byte, i int) (int, bool) {
	i, ok := validString(b, i)
	if !ok {
		return i, false
	}
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return i, false
	}
	return skipSpace(b, i+1), true
}

func validString(b []byte, i int) (int, bool) {
	if i >= len(b) || b[i] != '"' {
		return i, false
	}
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return i, false
		case c == '\\':
			var ok bool
			if i, ok = validEscape(b, i+1); !ok {
				return i, false
			}
		}
	}
	return i, false
}

// validEscape reads the escape after a backslash and returns the index of its last byte.
func validEscape(b []byte, i int) (int, bool) {
	if i >= len(b) {
		return i, false
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i, true
	case 'u':
		for k := 1; k <= 4; k++ {
			if i+k >= len(b) || !isHex(b[i+k]) {
				return i, false
			}
		}
		return i + 4, true
	}
	return i, false
}

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func validWord(b []byte, i int, word string) (next int, opened, ok bool) {
	end := i + len(word)
	return end, false, end <= len(b) && string(b[i:end]) == word
}

func validNumber(b []byte, i int) (int, bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	from := i
	i = digits(b, i)
	if i == from || b[from] == '0' && i > from+1 {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		from = i + 1
		if i = digits(b, from); i == from {
			return i, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from = i
		if i = digits(b, from); i == from {
			return i, false
		}
	}
	return i, true
}

func digits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}
