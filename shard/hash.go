package shard

const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// Hash returns the point of a UID on the ring: 64-bit FNV-1a of its bytes, as the API server computes it
// for shardRange(object.metadata.uid, …) (KEP-5866). It does not allocate.
func Hash(uid string) uint64 { return fnv1a(uid) }

// HashBytes is [Hash] for a UID in a buffer.
func HashBytes(uid []byte) uint64 { return fnv1a(uid) }

// fnv1a avoids hash/fnv, which needs a hasher and a byte slice for every UID.
func fnv1a[T string | []byte](s T) uint64 {
	h := uint64(fnvOffset)
	for i := 0; i < len(s); i++ {
		h ^= uint64(s[i])
		h *= fnvPrime
	}
	return h
}
