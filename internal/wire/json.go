package wire

import (
	"bytes"
	"encoding/json"
	"errors"
)

var (
	errJSON     = errors.New("json: malformed API object")
	errJSONEnds = errors.New("json: truncated API object")
)

// members calls visit for each member of the JSON object that b begins with.
// The name is passed as it is encoded, with its quotes and escapes. Bytes after
// the object are ignored.
func members(b []byte, visit func(name, value []byte) error) error {
	return items(b, '{', '}', func(i int) (int, error) {
		nameEnd, err := skipString(b, i)
		if err != nil {
			return 0, err
		}
		colon := skipSpace(b, nameEnd)
		if colon >= len(b) || b[colon] != ':' {
			return 0, errJSON
		}
		from := skipSpace(b, colon+1)
		to, err := skipValue(b, from)
		if err != nil {
			return 0, err
		}
		return to, visit(b[i:nameEnd], b[from:to])
	})
}

// elements calls visit for each element of the JSON array b.
func elements(b []byte, visit func(value []byte) error) error {
	return items(b, '[', ']', func(i int) (int, error) {
		to, err := skipValue(b, i)
		if err != nil {
			return 0, err
		}
		return to, visit(b[i:to])
	})
}

// items calls read with the start of each of the comma-separated items between
// two brackets, with the first of which b begins. read returns the end of the item.
func items(b []byte, begin, end byte, read func(i int) (int, error)) error {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != begin {
		return errJSON
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == end {
		return nil
	}
	for {
		to, err := read(i)
		if err != nil {
			return err
		}
		i = skipSpace(b, to)
		switch {
		case i >= len(b):
			return errJSONEnds
		case b[i] == end:
			return nil
		case b[i] != ',':
			return errJSON
		}
		i = skipSpace(b, i+1)
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the end of the string that begins at i.
func skipString(b []byte, i int) (int, error) {
	if i >= len(b) || b[i] != '"' {
		return 0, errJSON
	}
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1, nil
		case '\\':
			i++
		}
	}
	return 0, errJSONEnds
}

// skipValue returns the end of the value that begins at i. It checks only what
// it needs to find the end; the decoder checks the rest later. A value may be
// nested to any depth, since API servers accept custom resources of 1,200 levels and more.
func skipValue(b []byte, i int) (int, error) {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			end, err := skipString(b, i)
			if err != nil || depth == 0 {
				return end, err
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return 0, errJSON
			}
			if depth == 0 {
				return i + 1, nil
			}
		default:
			if depth == 0 {
				return skipScalar(b, i)
			}
		}
		i++
	}
	return 0, errJSONEnds
}

// skipScalar returns the end of a number, true, false or null.
func skipScalar(b []byte, i int) (int, error) {
	from := i
	for i < len(b) && !isDelimiter(b[i]) {
		i++
	}
	if i == from {
		return 0, errJSON
	}
	return i, nil
}

// stringContent returns the content of a JSON string, or nil for null and any other value.
func stringContent(value []byte) ([]byte, error) {
	if len(value) < 2 || value[0] != '"' {
		return nil, nil
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, err
	}
	return []byte(s), nil
}

// errFound ends a search early. It is not a failure.
var errFound = errors.New("found")

// jsonMeta reads the identity of an object in JSON.
func jsonMeta(object []byte) (Meta, error) {
	var m Meta
	err := jsonMetadata(object, m.setJSON)
	return m, err
}

// jsonMetadata calls visit for each member of an object's metadata. It stops
// after the metadata, since the large parts of an object come after it.
func jsonMetadata(object []byte, visit func(name, value []byte) error) error {
	err := members(object, func(name, value []byte) error {
		if string(name) != `"metadata"` || value[0] != '{' {
			return nil
		}
		if err := members(value, visit); err != nil {
			return err
		}
		return errFound
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

func jsonInitialEventsEnd(bookmark []byte) (end bool, err error) {
	err = jsonMetadata(bookmark, func(name, value []byte) error {
		if string(name) != `"annotations"` || value[0] != '{' {
			return nil
		}
		return members(value, func(key, v []byte) error {
			end = end || string(key) == `"`+initialEventsEnd+`"` && string(v) == `"true"`
			return nil
		})
	})
	return end, err
}

func (m *Meta) setJSON(name, value []byte) error {
	var err error
	switch string(name) {
	case `"name"`:
		m.Name, err = stringContent(value)
	case `"namespace"`:
		m.Namespace, err = stringContent(value)
	case `"uid"`:
		m.UID, err = stringContent(value)
	case `"resourceVersion"`:
		m.ResourceVersion, err = stringContent(value)
	}
	return err
}
