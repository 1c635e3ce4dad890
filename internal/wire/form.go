package wire

import (
	"io"

	"k8s.io/apimachinery/pkg/runtime"
)

// Form is the part of each object that is requested from an API server. The zero value requests whole objects.
type Form struct {
	// Metadata requests the metadata and nothing else: PartialObjectMetadata (KEP-2334).
	Metadata bool
	// Column is a column of the resource's Table to request in addition to the metadata; "" requests none. Field is the
	// top-level field of an object that holds the same value. Column requires Metadata.
	Column, Field string
	// JSON requests the metadata as JSON, for readers that support nothing else.
	JSON bool
}

// Accept returns the Accept header of a list or a watch. "" leaves the choice of the media type to the client. Media
// types of a part of each object do not allow whole objects: an API server without these forms answers with 406. By
// default, the rows of a Table include the metadata of their object.
func (f Form) Accept(watch bool) string {
	if !f.Metadata {
		return ""
	}
	as := ";as=PartialObjectMetadataList"
	switch {
	case f.Column != "":
		as = ";as=Table"
	case watch:
		as = ";as=PartialObjectMetadata"
	}
	as += ";g=meta.k8s.io;v=v1"
	if f.JSON || f.Column != "" { // Tables are sent as JSON only
		return runtime.ContentTypeJSON + as
	}
	return runtime.ContentTypeProtobuf + as + "," + runtime.ContentTypeJSON + as
}

// AcceptIdentity returns the Accept header of a list of which only the identities of the objects are read. An API
// server that cannot send metadata alone may send whole objects, unless the form forbids them.
func (f Form) AcceptIdentity() string {
	metadata := Form{Metadata: true}.Accept(false)
	if f.Metadata {
		return metadata
	}
	return metadata + "," + runtime.ContentTypeJSON
}

// table returns a reader of the Tables that the form requests, or nil if it requests none.
func (f Form) table() *table {
	if f.Column == "" {
		return nil
	}
	return &table{form: f, column: unknownColumn}
}

// NewEventReader is [NewEventReader] for a watch in this form.
func (f Form) NewEventReader(r io.Reader) *EventReader {
	e := NewEventReader(r)
	e.table = f.table()
	return e
}
