package wire

import "bytes"

// Meta is what identifies one version of an object. The slices are parts of
// the object's bytes (for JSON strings with escapes, copies) and valid as long
// as those are.
type Meta struct {
	Namespace, Name, UID, ResourceVersion []byte
	// InitialEventsEnd is set on the bookmark that ends the initial events of a
	// streamed list (annotation k8s.io/initial-events-end, KEP-3157).
	InitialEventsEnd bool
}

// Field numbers of metav1.ObjectMeta.
const (
	metaName            = 1
	metaNamespace       = 3
	metaUID             = 5
	metaResourceVersion = 6
	metaAnnotations     = 12
)

const initialEventsEnd = "k8s.io/initial-events-end"

// ReadMeta finds an object's identity in its bytes: for Protobuf the message
// inside the envelope. It allocates nothing for Protobuf.
func ReadMeta(enc Encoding, object []byte) (Meta, error) {
	if enc == JSON {
		return jsonMeta(object)
	}
	return protobufMeta(object)
}

// protobufMeta relies on metadata being field 1 of every API object.
func protobufMeta(object []byte) (Meta, error) {
	for b := object; len(b) > 0; {
		f, err := nextField(b)
		if err != nil {
			return Meta{}, err
		}
		if f.number == 1 && f.kind == wireBytes {
			return protobufObjectMeta(f.value)
		}
		b = b[f.size:]
	}
	return Meta{}, nil
}

func protobufObjectMeta(b []byte) (Meta, error) {
	var m Meta
	for len(b) > 0 {
		f, err := nextField(b)
		if err != nil {
			return Meta{}, err
		}
		if f.kind == wireBytes {
			switch f.number {
			case metaName:
				m.Name = f.value
			case metaNamespace:
				m.Namespace = f.value
			case metaUID:
				m.UID = f.value
			case metaResourceVersion:
				m.ResourceVersion = f.value
			case metaAnnotations:
				end, err := isInitialEventsEnd(f.value)
				if err != nil {
					return Meta{}, err
				}
				m.InitialEventsEnd = m.InitialEventsEnd || end
			}
		}
		b = b[f.size:]
	}
	return m, nil
}

func isInitialEventsEnd(entry []byte) (bool, error) {
	if !bytes.Contains(entry, []byte(initialEventsEnd)) {
		return false, nil
	}
	key, err := messageField(entry, mapKey)
	if err != nil || string(key) != initialEventsEnd {
		return false, err
	}
	value, err := messageField(entry, mapValue)
	return string(value) == "true", err
}
