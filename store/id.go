package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ID identifies an object for as long as it exists. It is the object's UID in
// 16 bytes, so that it is cheap as a map key.
type ID [16]byte

// NewID gives the ID of an object. A UID in the canonical form (a UUID of 36
// characters in lower case) is taken as it is. Any other is hashed together with
// namespace and name, which stand in for a UID that is missing.
func NewID(uid, namespace, name string) ID { return newID(uid, namespace, name) }

// NewIDBytes is NewID for names that still lie in a receive buffer. It makes
// no garbage.
func NewIDBytes(uid, namespace, name []byte) ID { return newID(uid, namespace, name) }

// HashedID is NewID without a special case for UUIDs. It is for APIs that may let
// users choose UIDs, which Kubernetes itself does not: two objects with one UID
// are two IDs.
func HashedID(uid, namespace, name string) ID { return hashedID(uid, namespace, name) }

// HashedIDBytes is HashedID as NewIDBytes is NewID.
func HashedIDBytes(uid, namespace, name []byte) ID { return hashedID(uid, namespace, name) }

func newID[T string | []byte](uid, namespace, name T) ID {
	if id, ok := parseUUID(uid); ok {
		return id
	}
	return hashedID(uid, namespace, name)
}

// hashedID takes a cryptographic hash: users choose the names, and 128 bits of it are as
// many as those of a UUID.
func hashedID[T string | []byte](uid, namespace, name T) ID {
	var stack [640]byte
	text := stack[:0]
	for _, part := range [...]T{uid, namespace, name} {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
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
