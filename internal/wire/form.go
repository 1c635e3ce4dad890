package wire

import (
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Media types of a part of each object. None of them allows whole objects: an API server without these forms answers
// with 406. By default, the rows of a Table include the metadata of their object.
const (
	acceptMetadataList = runtime.ContentTypeProtobuf + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
		runtime.ContentTypeJSON + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	acceptMetadataEvents = runtime.ContentTypeProtobuf + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1," +
		runtime.ContentTypeJSON + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	acceptJSONMetadataList   = runtime.ContentTypeJSON + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	acceptJSONMetadataEvents = runtime.ContentTypeJSON + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

	acceptTable = runtime.ContentTypeJSON + ";as=Table;g=meta.k8s.io;v=v1"
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

// Accept returns the Accept header of a list or a watch. "" leaves the choice of the media type to the client.
func (f Form) Accept(watch bool) string {
	switch {
	case f.Column != "":
		return acceptTable
	case f.Metadata && f.JSON && watch:
		return acceptJSONMetadataEvents
	case f.Metadata && f.JSON:
		return acceptJSONMetadataList
	case f.Metadata && watch:
		return acceptMetadataEvents
	case f.Metadata:
		return acceptMetadataList
	}
	return ""
}

// AcceptIdentity returns the Accept header of a list of which only the identities of the objects are read. An API
// server that cannot send metadata alone may send whole objects, unless the form forbids them.
func (f Form) AcceptIdentity() string {
	if f.Metadata {
		return acceptMetadataList
	}
	return acceptMetadataList + "," + runtime.ContentTypeJSON
}

// table returns a reader of the Tables that the form requests, or nil if it requests none.
func (f Form) table() *table {
	if f.Column == "" {
		return nil
	}
	return &table{form: f, column: unknownColumn}
}

// ReadList is [ReadList] for a response in this form. Each row of a Table is passed to visit as an object that has the
// metadata and the field that the column shows.
func (f Form) ReadList(r io.Reader, visit func(enc Encoding, object []byte) error) (metav1.ListMeta, error) {
	return readList(r, f.table(), visit)
}

// NewEventReader is [NewEventReader] for a watch in this form.
func (f Form) NewEventReader(r io.Reader) *EventReader {
	e := NewEventReader(r)
	e.table = f.table()
	return e
}
