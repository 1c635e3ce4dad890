package wire

import (
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Media types of a part of each object. There is no whole object among them: an API server that has none of these
// forms answers with 406. Rows of a Table come with the metadata of their object, unless the request says otherwise.
const (
	acceptMetadataList = runtime.ContentTypeProtobuf + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
		runtime.ContentTypeJSON + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	acceptMetadataEvents = runtime.ContentTypeProtobuf + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1," +
		runtime.ContentTypeJSON + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	acceptJSONMetadataList   = runtime.ContentTypeJSON + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	acceptJSONMetadataEvents = runtime.ContentTypeJSON + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

	acceptTable = runtime.ContentTypeJSON + ";as=Table;g=meta.k8s.io;v=v1"
)

// Form is the part of each object that an API server is asked to send. The zero value asks for whole objects.
type Form struct {
	// Metadata asks for the metadata and nothing else: PartialObjectMetadata (KEP-2334).
	Metadata bool
	// Column, unless it is "", names a column of the resource's Table that is wanted in addition to the metadata, and
	// Field the top-level field of an object that holds the same value. Metadata is set, too.
	Column, Field string
	// JSON asks for metadata in JSON, for readers of nothing else.
	JSON bool
}

// Accept returns the media types that a list is asked for with, or a watch. "" stands for whatever the client prefers.
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

// AcceptIdentity returns the media types of a list of which only the identities of the objects are read. An API
// server that cannot send metadata only may answer with whole objects, unless they must not be sent.
func (f Form) AcceptIdentity() string {
	if f.Metadata {
		return acceptMetadataList
	}
	return acceptMetadataList + "," + runtime.ContentTypeJSON
}

// table returns a reader of the Tables that the form asks for, nil when it asks for none.
func (f Form) table() *table {
	if f.Column == "" {
		return nil
	}
	return &table{form: f, lookup: unknownColumn}
}

// ReadList is [ReadList] for an answer in this form. The rows of a Table are visited as objects with the metadata and
// the field that the column stands for.
func (f Form) ReadList(r io.Reader, visit func(enc Encoding, object []byte) error) (metav1.ListMeta, error) {
	return readList(r, f.table(), visit)
}

// NewEventReader is [NewEventReader] for a watch in this form.
func (f Form) NewEventReader(r io.Reader) *EventReader {
	e := NewEventReader(r)
	e.table = f.table()
	return e
}
