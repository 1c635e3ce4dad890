package store

import (
	"crypto/sha256"
	"encoding/hex"
)

// ID identifies an object for as long as it exists. It is the object's UID in
// 16 bytes, so that it is cheap as a map key.
type ID [16]byte

// NewID gives the ID of an object. A UID in the canonical form (a UUID of 36
// characters in lower case) is taken as it is, any other is hashed. Objects
// without a UID go by namespace and name.
func NewID(uid, namespace, name string) ID { return newID(uid, namespace, name) }

// NewIDBytes is NewID for names that still lie in a receive buffer. It makes
// no garbage.
func NewIDBytes(uid, namespace, name []byte) ID { return newID(uid, namespace, name) }

func newID[T string | []byte](uid, namespace, name T) ID {
	if id, ok := parseUUID(uid); ok {
		return id
	}
	var stack [384]byte
	text := stack[:0]
	if len(uid) > 0 {
		text = append(text, "uid\x00"...)
		text = append(text, uid...)
	} else {
		text = append(text, "name\x00"...)
		text = append(text, namespace...)
		text = append(text, 0)
		text = append(text, name...)
	}
	sum := sha256.Sum256(text)
	return ID(sum[:len(ID{})])
}

// parseUUID accepts exactly one spelling of each UUID: two UIDs that differ as
// strings must not become one ID.
func parseUUID[T string | []byte](s T) (id ID, ok bool) {
	if len(s) != 36 {
		return id, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return ID{}, false
			}
			continue
		}
		digit, ok := hexDigit(s[i])
		if !ok {
			return ID{}, false
		}
		id[n/2] = id[n/2]<<4 | digit
		n++
	}
	return id, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// String is the hexadecimal form, for logs and failing tests.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
