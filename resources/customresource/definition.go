package customresource

import (
	"encoding/json"
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/statefleet/statefleet/internal/wire"
)

// Definition is the part of a CustomResourceDefinition (apiextensions.k8s.io/v1) that is needed to
// watch its API resource.
type Definition struct {
	Group, Kind, Plural string
	Namespaced          bool
	// Versions are the served versions.
	Versions []string
}

func (d Definition) equal(other Definition) bool {
	return d.Group == other.Group && d.Kind == other.Kind && d.Plural == other.Plural &&
		d.Namespaced == other.Namespaced && slices.Equal(d.Versions, other.Versions)
}

// namespacedScope is the value of spec.scope, a ResourceScope.
const namespacedScope = "Namespaced"

var errDefinition = errors.New("CustomResourceDefinition must have a group, a kind and a plural")

// ReadDefinition reads a Definition from the bytes of a CustomResourceDefinition. It skips the schemas, which are most
// of the bytes. With an error, it returns what it could read.
func ReadDefinition(enc wire.Encoding, raw []byte) (d Definition, err error) {
	if enc == wire.JSON {
		d, err = definitionFromJSON(raw)
	} else {
		d, err = definitionFromProtobuf(raw)
	}
	if err == nil && (d.Group == "" || d.Kind == "" || d.Plural == "") {
		err = errDefinition
	}
	return d, err
}

func definitionFromJSON(raw []byte) (Definition, error) {
	var object struct {
		Spec struct {
			Group    string
			Scope    string
			Names    struct{ Kind, Plural string }
			Versions []struct {
				Name   string
				Served bool
			}
		}
	}
	err := json.Unmarshal(raw, &object)
	spec := &object.Spec
	d := Definition{
		Group: spec.Group, Kind: spec.Names.Kind, Plural: spec.Names.Plural,
		Namespaced: spec.Scope == namespacedScope,
	}
	for _, v := range spec.Versions {
		if v.Served {
			d.Versions = append(d.Versions, v.Name)
		}
	}
	return d, err
}

// Fields of CustomResourceDefinition and the messages below it, by the numbers of
// k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1/generated.proto.
const (
	fieldSpec = 2

	fieldSpecGroup    = 1
	fieldSpecNames    = 3
	fieldSpecScope    = 4
	fieldSpecVersions = 7

	fieldNamesPlural = 1
	fieldNamesKind   = 4

	fieldVersionName   = 1
	fieldVersionServed = 2
)

func definitionFromProtobuf(raw []byte) (d Definition, err error) {
	object := message{raw, &err}
	spec := object.message(fieldSpec)
	names := spec.message(fieldSpecNames)
	d.Group = spec.text(fieldSpecGroup)
	d.Kind, d.Plural = names.text(fieldNamesKind), names.text(fieldNamesPlural)
	d.Namespaced = spec.text(fieldSpecScope) == namespacedScope
	for _, content := range spec.all(fieldSpecVersions) {
		version := message{content, &err}
		if served := version.text(fieldVersionServed); served != "" && served != "\x00" {
			d.Versions = append(d.Versions, version.text(fieldVersionName))
		}
	}
	return d, err
}

// message is an encoded protobuf message. The first error of reading it is stored in err.
type message struct {
	raw []byte
	err *error
}

// all returns the contents of all occurrences of a field. The content of a number is the bytes of its varint.
func (m message) all(number protowire.Number) [][]byte {
	var all [][]byte
	for b := m.raw; len(b) > 0 && *m.err == nil; {
		n, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			*m.err = protowire.ParseError(tag)
			return nil
		}
		size := protowire.ConsumeFieldValue(n, kind, b[tag:])
		if size < 0 {
			*m.err = protowire.ParseError(size)
			return nil
		}
		content := b[tag : tag+size]
		b = b[tag+size:]
		if n != number {
			continue
		}
		if kind == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(content)
		}
		all = append(all, content)
	}
	return all
}

// text returns the content of the last occurrence of a field, or "" if there is none.
func (m message) text(number protowire.Number) string { return string(m.message(number).raw) }

func (m message) message(number protowire.Number) message {
	if all := m.all(number); len(all) > 0 {
		return message{all[len(all)-1], m.err}
	}
	return message{nil, m.err}
}
