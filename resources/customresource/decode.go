package customresource

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/statefleet/statefleet/internal/wire"
)

// maxDepth bounds the nesting of values that are kept as a whole, for a label: reading and
// writing them recurses. What is deeper becomes null.
const maxDepth = 1000

var (
	errNoJSON   = errors.New("the object is not valid JSON")
	errNoObject = errors.New("the JSON is not an object")
)

// decode reads those parts of a JSON object that s names. Of a list it reads
// all elements, so that indexes stay true, but of each only what s names. The
// annotation lastApplied is left out at every depth: objects hold others in full. What is
// not read may be nested to any depth.
func decode(raw []byte, s *shape) (*value, error) {
	if !wire.ValidJSON(raw) {
		return nil, errNoJSON
	}
	d := decoder{b: raw}
	var v value
	d.space()
	d.value(&v, s)
	if !v.isObject() {
		return nil, errNoObject
	}
	return &v, nil
}

// decoder walks over JSON that is known to be valid, which is why none of its
// methods fails.
type decoder struct {
	b     []byte
	i     int // where it is: never before white space
	depth int // objects and lists that are open
}

func (d *decoder) space() {
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

// value reads the value at i into v, and moves behind it.
func (d *decoder) value(v *value, s *shape) {
	switch d.b[d.i] {
	case '{', '[':
		if d.depth == maxDepth {
			d.skip()
			return
		}
		d.depth++
		if d.b[d.i] == '{' {
			v.kind = objectValue
			d.members(v, s)
		} else {
			v.kind = listValue
			d.elements(v, s)
		}
		d.depth--
	case '"':
		v.kind, v.text = textValue, d.text()
	case 't', 'f':
		v.kind, v.text = boolValue, string(d.bare())
	case 'n':
		d.bare()
	default:
		v.kind, v.text = numberValue, string(d.bare())
	}
	d.space()
}

func (d *decoder) members(v *value, s *shape) {
	d.punctuation() // {
	for d.b[d.i] != '}' {
		name := d.quoted()
		below := s.of(name)
		d.space()
		d.punctuation() // :
		hasParts := d.b[d.i] == '{' || d.b[d.i] == '['
		if below == nil || !below.all && !hasParts || isLastApplied(name) {
			d.skip()
		} else {
			v.items = append(v.items, item{name: unquote(name)})
			d.value(&v.items[len(v.items)-1].value, below)
		}
		d.comma()
	}
	d.punctuation() // }
}

func (d *decoder) elements(v *value, s *shape) {
	below := s.elements
	if s.all {
		below = s
	}
	d.punctuation() // [
	for d.b[d.i] != ']' {
		if below == nil {
			d.skip()
		} else {
			v.items = append(v.items, item{})
			d.value(&v.items[len(v.items)-1].value, below)
		}
		d.comma()
	}
	d.punctuation() // ]
}

// punctuation moves behind one character and the white space after it.
func (d *decoder) punctuation() {
	d.i++
	d.space()
}

func (d *decoder) comma() {
	if d.b[d.i] == ',' {
		d.punctuation()
	}
}

// quoted returns a string with its quotes as it stands in the bytes.
func (d *decoder) quoted() []byte {
	from := d.i
	for d.i++; d.b[d.i] != '"'; d.i++ {
		if d.b[d.i] == '\\' {
			d.i++
		}
	}
	d.i++
	return d.b[from:d.i]
}

// isLastApplied takes a name as it stands in the bytes, with its quotes.
func isLastApplied(name []byte) bool {
	if bytes.IndexByte(name, '\\') >= 0 {
		return unquote(name) == lastApplied
	}
	return string(name[1:len(name)-1]) == lastApplied
}

func (d *decoder) text() string { return unquote(d.quoted()) }

// unquote returns the text of a string that is valid.
func unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// bare returns a number, true, false or null as it stands in the bytes.
func (d *decoder) bare() []byte {
	from := d.i
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return d.b[from:d.i]
		}
		d.i++
	}
	return d.b[from:d.i]
}

// skip moves behind the value at i.
func (d *decoder) skip() {
	for depth := 0; ; {
		switch d.b[d.i] {
		case '"':
			d.quoted()
		case '{', '[':
			depth++
			d.i++
		case '}', ']':
			depth--
			d.i++
		case ',', ':', ' ', '\t', '\n', '\r':
			d.i++
		default:
			d.bare()
		}
		if depth == 0 {
			d.space()
			return
		}
	}
}
