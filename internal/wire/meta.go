package wire

// Meta identifies one version of an object. The slices are parts of the
// object's bytes (for JSON strings with escapes, copies) and valid as long as
// those are.
type Meta struct {
	Namespace, Name, UID, ResourceVersion []byte
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

// ReadMeta reads an object's identity from its bytes. For Protobuf, object is the message
// inside the envelope, and ReadMeta does not allocate. It reads no further than it has to:
// most objects are foreign, and their labels and managedFields come after the identity.
func ReadMeta(enc Encoding, object []byte) (Meta, error) {
	if enc == JSON {
		return jsonMeta(object)
	}
	metadata, err := protobufMetadata(object)
	if err != nil {
		return Meta{}, err
	}
	return protobufMeta(metadata)
}

// protobufMetadata returns the metadata, which is field 1 of every API object, or nil
// if there is none.
func protobufMetadata(object []byte) ([]byte, error) {
	for b := object; len(b) > 0; {
		f, err := nextField(b)
		if err != nil {
			return nil, err
		}
		if f.number == 1 && f.wireType == wireBytes {
			return f.value, nil
		}
		b = b[f.size:]
	}
	return nil, nil
}

func protobufMeta(b []byte) (Meta, error) {
	var m Meta
	for len(b) > 0 {
		f, err := nextField(b)
		if err != nil {
			return Meta{}, err
		}
		if f.wireType == wireBytes {
			m.set(f.number, f.value)
		}
		if f.number == metaResourceVersion && len(m.UID) > 0 {
			break // encoders write fields in the order of their numbers
		}
		b = b[f.size:]
	}
	return m, nil
}

// set stores the content of a field of metav1.ObjectMeta.
func (m *Meta) set(number uint64, content []byte) {
	switch number {
	case metaName:
		m.Name = content
	case metaNamespace:
		m.Namespace = content
	case metaUID:
		m.UID = content
	case metaResourceVersion:
		m.ResourceVersion = content
	}
}

// InitialEventsEnd reports whether a bookmark ends the initial events of a streamed
// list (annotation k8s.io/initial-events-end, KEP-3157). The bookmark is encoded like
// the object of [ReadMeta].
func InitialEventsEnd(enc Encoding, bookmark []byte) (bool, error) {
	if enc == JSON {
		return jsonInitialEventsEnd(bookmark)
	}
	b, err := protobufMetadata(bookmark)
	for len(b) > 0 && err == nil {
		var f field
		if f, err = nextField(b); err == nil && f.number == metaAnnotations && f.wireType == wireBytes {
			var end bool
			if end, err = isInitialEventsEnd(f.value); end {
				return true, err
			}
		}
		b = b[f.size:]
	}
	return false, err
}

func isInitialEventsEnd(entry []byte) (bool, error) {
	key, err := messageField(entry, mapKey)
	if err != nil || string(key) != initialEventsEnd {
		return false, err
	}
	value, err := messageField(entry, mapValue)
	return string(value) == "true", err
}
