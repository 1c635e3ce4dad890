package customresource

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/wire"
)

// maxDepth limits the nesting of values that are kept as a whole, for a label, because reading and writing them is
// recursive. A deeper value becomes null.
const maxDepth = 1000

var (
	errNoJSON   = errors.New("the object is not valid JSON")
	errNoObject = errors.New("the JSON value is not an object")
)

// decode reads those parts of a JSON object that s includes. It reads all elements of a list, so that indexes stay
// valid, but only the included parts of each. It omits the annotation lastApplied at every depth, because objects may
// contain others completely.
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

// addType adds the kind and the apiVersion to an object, as far as s includes them. API servers leave them out of the
// objects in a list, except for custom resources, but not out of those in a watch.
func (v *value) addType(gvk schema.GroupVersionKind, s *shape) {
	if v.lacks("apiVersion", s) {
		v.items = slices.Insert(v.items, 0, item{"apiVersion", value{kind: textValue, text: gvk.GroupVersion().String()}})
	}
	if v.lacks("kind", s) {
		v.items = slices.Insert(v.items, 0, item{"kind", value{kind: textValue, text: gvk.Kind}})
	}
}

// lacks reports whether s includes a text that is not a member of the object.
func (v *value) lacks(name string, s *shape) bool {
	below := s.member([]byte(name))
	return below != nil && below.all && v.member(name) == nil
}

// decoder reads JSON that is known to be valid, so none of its methods fails. Each method moves past what it reads and
// past the white space after it.
type decoder struct {
	b     []byte
	i     int
	depth int // open objects and lists
}

func (d *decoder) space() {
	for d.i < len(d.b) && d.b[d.i] <= ' ' {
		d.i++
	}
}

// punctuation reads one character.
func (d *decoder) punctuation() {
	d.i++
	d.space()
}

// token reads a string with its quotes, a number, true, false or null.
func (d *decoder) token() []byte {
	from := d.i
	if d.b[from] == '"' {
		for d.i++; d.b[d.i] != '"'; d.i++ {
			if d.b[d.i] == '\\' {
				d.i++
			}
		}
		d.i++
	} else {
		for d.i < len(d.b) && d.b[d.i] > ' ' && d.b[d.i] != ',' && d.b[d.i] != '}' && d.b[d.i] != ']' {
			d.i++
		}
	}
	token := d.b[from:d.i]
	d.space()
	return token
}

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
		v.kind, v.text = textValue, string(unquote(d.token()))
	case 't', 'f':
		v.kind, v.text = boolValue, string(d.token())
	case 'n':
		d.token()
	default:
		v.kind, v.text = numberValue, string(d.token())
	}
}

func (d *decoder) members(v *value, s *shape) {
	for d.punctuation(); d.b[d.i] != '}'; d.comma() {
		name := unquote(d.token())
		below := s.member(name)
		d.punctuation() // :
		isScalar := d.b[d.i] != '{' && d.b[d.i] != '['
		if below == nil || isScalar && !below.all || string(name) == lastApplied {
			d.skip()
			continue
		}
		v.items = append(v.items, item{name: string(name)})
		d.value(&v.items[len(v.items)-1].value, below)
	}
	d.punctuation()
}

func (d *decoder) elements(v *value, s *shape) {
	below := s.element()
	for d.punctuation(); d.b[d.i] != ']'; d.comma() {
		if below == nil {
			d.skip()
			continue
		}
		v.items = append(v.items, item{})
		d.value(&v.items[len(v.items)-1].value, below)
	}
	d.punctuation()
}

func (d *decoder) comma() {
	if d.b[d.i] == ',' {
		d.punctuation()
	}
}

// unquote returns the text of a string.
func unquote(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	var s string
	_ = json.Unmarshal(raw, &s)
	return []byte(s)
}

// skip skips a value, which may be nested to any depth.
func (d *decoder) skip() {
	for depth := 0; ; {
		switch d.b[d.i] {
		case '{', '[':
			depth++
			d.i++
		case '}', ']':
			depth--
			d.i++
		case ',', ':', ' ', '\n', '\t', '\r':
			d.i++
		default:
			d.token()
		}
		if depth == 0 {
			d.space()
			return
		}
	}
}
