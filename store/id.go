package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ID identifies an object. It holds the object's UID in 16 bytes, which makes it a cheap map key.
type ID [16]byte

// NewID returns the ID of an object. A UID in canonical form (36 characters, lower case) becomes
// the ID itself. Any other UID is hashed together with namespace and name, which replace a missing
// UID. NewID does not allocate, so it takes values that are still in a receive buffer.
func NewID[T string | []byte](uid, namespace, name T) ID {
	if id, ok := parseUUID(uid); ok {
		return id
	}
	return HashedID(uid, namespace, name)
}

// HashedID is NewID without the special case for canonical UIDs. Use it for APIs that may let users
// choose UIDs, which Kubernetes itself does not: two objects with the same UID get different IDs.
//
// The hash is cryptographic because users choose the names. HashedID keeps 128 bits of it, the size
// of a UUID.
func HashedID[T string | []byte](uid, namespace, name T) ID {
	var stack [640]byte
	text := stack[:0]
	for _, part := range [...]T{uid, namespace, name} {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return ID(sum[:len(ID{})])
}

// parseUUID accepts exactly one spelling of each UUID, so that UIDs that differ as strings never
// get the same ID.
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

// String returns the hexadecimal form, for logs and test failures.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
