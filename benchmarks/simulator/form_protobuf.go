package simulator

import (
	"bufio"
	"encoding/binary"
	"math/bits"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// protobufForm is application/vnd.kubernetes.protobuf: the prefix "k8s\0" and
// a runtime.Unknown whose raw field is the object; on a watch each frame is a
// four byte big-endian length and a metav1.WatchEvent around that. The bytes
// of an object are copied, never decoded.
type protobufForm struct{}

const (
	protobufPrefix = "k8s\x00"

	// Keys of length-delimited protobuf fields, (number << 3) | 2.
	field1 = 1<<3 | 2
	field2 = 2<<3 | 2

	// The empty contentEncoding and contentType that end every Unknown.
	protobufTrailer = "\x1a\x00\x22\x00"
)

func (protobufForm) mediaType() string  { return runtime.ContentTypeProtobuf }
func (protobufForm) streamType() string { return runtime.ContentTypeProtobuf + ";stream=watch" }

func (protobufForm) writeObject(w *bufio.Writer, kind Kind, o *object) error {
	writeEnvelope(w, nil, kind.GroupVersionKind, o.raw)
	return nil
}

func (protobufForm) writeMessage(w *bufio.Writer, gvk schema.GroupVersionKind, m message) error {
	raw, err := m.Marshal()
	if err != nil {
		return err
	}
	writeEnvelope(w, nil, gvk, raw)
	return nil
}

func (protobufForm) writeEvent(w *bufio.Writer, kind Kind, typ watch.EventType, e *event) error {
	writeFrame(w, typ, kind.GroupVersionKind, e.object.raw)
	return nil
}

func (protobufForm) writeMessageEvent(w *bufio.Writer, typ watch.EventType, gvk schema.GroupVersionKind, m message) error {
	raw, err := m.Marshal()
	if err != nil {
		return err
	}
	writeFrame(w, typ, gvk, raw)
	return nil
}

// writeList streams the items; sizes are known, so nothing is buffered.
func (protobufForm) writeList(w *bufio.Writer, kind Kind, meta metav1.ListMeta, items snapshot) error {
	listMeta, err := meta.Marshal()
	if err != nil {
		return err
	}
	size := fieldSize(len(listMeta))
	for _, o := range items {
		size += fieldSize(len(o.raw))
	}
	head := append(w.AvailableBuffer(), protobufPrefix...)
	head = appendTypeMeta(head, kind.GroupVersion(), kind.Kind+"List")
	head = appendFieldHead(head, field2, size)
	head = appendFieldHead(head, field1, len(listMeta))
	_, _ = w.Write(head)
	_, _ = w.Write(listMeta)
	for _, o := range items {
		_, _ = w.Write(appendFieldHead(w.AvailableBuffer(), field2, len(o.raw)))
		if _, err := w.Write(o.raw); err != nil {
			return err
		}
	}
	_, _ = w.WriteString(protobufTrailer)
	return nil
}

// writeFrame puts the envelope into a RawExtension in a WatchEvent in a frame.
func writeFrame(w *bufio.Writer, typ watch.EventType, gvk schema.GroupVersionKind, raw []byte) {
	envelope := envelopeSize(gvk, len(raw))
	extension := fieldSize(envelope)
	head := w.AvailableBuffer()
	head = binary.BigEndian.AppendUint32(head, uint32(fieldSize(len(typ))+fieldSize(extension)))
	head = appendFieldHead(head, field1, len(typ))
	head = append(head, typ...)
	head = appendFieldHead(head, field2, extension)
	head = appendFieldHead(head, field1, envelope)
	writeEnvelope(w, head, gvk, raw)
}

// writeEnvelope writes head, if any, and the envelope around raw.
func writeEnvelope(w *bufio.Writer, head []byte, gvk schema.GroupVersionKind, raw []byte) {
	if head == nil {
		head = w.AvailableBuffer()
	}
	head = append(head, protobufPrefix...)
	head = appendTypeMeta(head, gvk.GroupVersion(), gvk.Kind)
	head = appendFieldHead(head, field2, len(raw))
	_, _ = w.Write(head)
	_, _ = w.Write(raw)
	_, _ = w.WriteString(protobufTrailer)
}

func envelopeSize(gvk schema.GroupVersionKind, raw int) int {
	typeMeta := fieldSize(len(gvk.GroupVersion().String())) + fieldSize(len(gvk.Kind))
	return len(protobufPrefix) + fieldSize(typeMeta) + fieldSize(raw) + len(protobufTrailer)
}

// appendTypeMeta appends the TypeMeta field of a runtime.Unknown.
func appendTypeMeta(dst []byte, version schema.GroupVersion, kind string) []byte {
	apiVersion := version.String()
	dst = appendFieldHead(dst, field1, fieldSize(len(apiVersion))+fieldSize(len(kind)))
	dst = appendFieldHead(dst, field1, len(apiVersion))
	dst = append(dst, apiVersion...)
	dst = appendFieldHead(dst, field2, len(kind))
	return append(dst, kind...)
}

func appendFieldHead(dst []byte, key byte, size int) []byte {
	return binary.AppendUvarint(append(dst, key), uint64(size))
}

// fieldSize is a length-delimited field with its key and its length.
func fieldSize(size int) int {
	return 1 + (bits.Len64(uint64(size)|1)+6)/7 + size
}
