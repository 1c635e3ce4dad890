package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Encoding is the encoding of an object's bytes.
type Encoding uint8

// The encodings.
const (
	Protobuf Encoding = iota
	JSON
)

// String returns the encoding's name.
func (e Encoding) String() string {
	if e == JSON {
		return "json"
	}
	return "protobuf"
}

// magic precedes every protobuf message of the API, except for watch frames.
const magic = "k8s\x00"

// maxNumber is the largest field number that protobuf allows. Decoders keep
// numbers in 32 bits, so they would take a larger one for another field.
const maxNumber = 1<<29 - 1

// Protobuf wire types. Groups (3 and 4) do not occur in Kubernetes' messages.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var (
	errTruncated = errors.New("protobuf: truncated message")
	errMagic     = errors.New("protobuf: k8s envelope is missing")
)

// field is one encoded field of a message.
type field struct {
	number   uint64
	wireType uint64
	value    []byte // content of a length-delimited field
	size     int    // bytes of the whole field, tag included
	head     int    // bytes before value: tag and length
}

// nextField reads the field that b begins with.
func nextField(b []byte) (field, error) {
	tag, n := binary.Uvarint(b)
	number := tag >> 3
	if n <= 0 || number == 0 || number > maxNumber {
		return field{}, tagError(number, n)
	}
	head, size := n, n
	switch tag & 7 {
	case wireVarint:
		_, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return field{}, errTruncated
		}
		size += m
	case wireFixed64:
		size += 8
	case wireFixed32:
		size += 4
	case wireBytes:
		length, m := binary.Uvarint(b[n:])
		head += m
		if m <= 0 || length > uint64(len(b)-head) {
			return field{}, errTruncated
		}
		size = head + int(length)
		return field{number, wireBytes, b[head:size], size, head}, nil
	default:
		return field{}, fmt.Errorf("protobuf: unsupported wire type %d", tag&7)
	}
	if size > len(b) {
		return field{}, errTruncated
	}
	return field{number: number, wireType: tag & 7, size: size, head: head}, nil
}

// tagError returns the error of an invalid tag. n is the result of binary.Uvarint.
func tagError(number uint64, n int) error {
	if n <= 0 {
		return errTruncated
	}
	return fmt.Errorf("protobuf: field number must be 1 to %d, got %d", maxNumber, number)
}

// messageField returns the content of a length-delimited field of b, or nil if
// there is none. If b has several, the last one counts, as in a decoder.
func messageField(b []byte, number uint64) ([]byte, error) {
	var found []byte
	for len(b) > 0 {
		f, err := nextField(b)
		if err != nil {
			return nil, err
		}
		if f.number == number && f.wireType == wireBytes {
			found = f.value
		}
		b = b[f.size:]
	}
	return found, nil
}

// Field numbers of runtime.Unknown and metav1.RawExtension.
const (
	unknownTypeMeta = 1
	unknownRaw      = 2
	rawExtensionRaw = 1
)

// Unwrap returns the message inside a protobuf envelope ("k8s\0" and
// runtime.Unknown). It is a part of b.
func Unwrap(b []byte) ([]byte, error) {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return nil, errMagic
	}
	return messageField(b[len(magic):], unknownRaw)
}
