package customresource

import (
	"encoding/json"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/statefleet/statefleet/internal/wire"
)

// namespacedScope is the value of spec.scope, a ResourceScope.
const namespacedScope = "Namespaced"

var errDefinition = errors.New("a CustomResourceDefinition without group, kind or plural")

// readDefinition finds in the bytes of a CustomResourceDefinition what a
// Definition holds. The schemas, which are nearly all of it, are stepped over.
func readDefinition(enc wire.Encoding, raw []byte) (Definition, error) {
	var d Definition
	var err error
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

// definitionJSON is the part of a CustomResourceDefinition that is read.
type definitionJSON struct {
	Spec struct {
		Group string `json:"group"`
		Scope string `json:"scope"`
		Names struct {
			Kind   string `json:"kind"`
			Plural string `json:"plural"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
		} `json:"versions"`
	} `json:"spec"`
}

func definitionFromJSON(raw []byte) (Definition, error) {
	var from definitionJSON
	if err := json.Unmarshal(raw, &from); err != nil {
		return Definition{}, err
	}
	spec := &from.Spec
	d := Definition{Group: spec.Group, Kind: spec.Names.Kind, Plural: spec.Names.Plural, Namespaced: spec.Scope == namespacedScope}
	for _, v := range spec.Versions {
		if v.Served {
			d.Versions = append(d.Versions, v.Name)
		}
	}
	return d, nil
}

// Field numbers of CustomResourceDefinition and the messages below it, from
// k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1/generated.proto.
const (
	definitionSpec = 2

	specGroup    = 1
	specNames    = 3
	specScope    = 4
	specVersions = 7

	namesPlural = 1
	namesKind   = 4

	versionName   = 1
	versionServed = 2
)

func definitionFromProtobuf(raw []byte) (Definition, error) {
	var d Definition
	err := protobufFields(raw, func(number protowire.Number, spec []byte, _ uint64) error {
		if number != definitionSpec {
			return nil
		}
		return protobufFields(spec, d.setSpec)
	})
	return d, err
}

func (d *Definition) setSpec(number protowire.Number, content []byte, _ uint64) error {
	switch number {
	case specGroup:
		d.Group = string(content)
	case specScope:
		d.Namespaced = string(content) == namespacedScope
	case specNames:
		return protobufFields(content, func(number protowire.Number, name []byte, _ uint64) error {
			switch number {
			case namesPlural:
				d.Plural = string(name)
			case namesKind:
				d.Kind = string(name)
			}
			return nil
		})
	case specVersions:
		return d.addVersion(content)
	}
	return nil
}

func (d *Definition) addVersion(version []byte) error {
	name, served := "", false
	err := protobufFields(version, func(number protowire.Number, content []byte, n uint64) error {
		switch number {
		case versionName:
			name = string(content)
		case versionServed:
			served = n != 0
		}
		return nil
	})
	if err == nil && served {
		d.Versions = append(d.Versions, name)
	}
	return err
}

// protobufFields calls visit for each field of a message: with the content of
// one that has a length, with the number of a varint.
func protobufFields(b []byte, visit func(number protowire.Number, content []byte, n uint64) error) error {
	for len(b) > 0 {
		number, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		var content []byte
		var n uint64
		switch kind {
		case protowire.BytesType:
			content, size = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(b)
		default:
			size = protowire.ConsumeFieldValue(number, kind, b)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		if err := visit(number, content, n); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}
