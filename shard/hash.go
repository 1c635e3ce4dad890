package shard

const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// Hash returns the point of a UID on the ring: 64-bit FNV-1a of its bytes, as the API server computes it
// for shardRange(object.metadata.uid, …) (KEP-5866). Unlike hash/fnv, it does not allocate.
func Hash[T string | []byte](uid T) uint64 {
	h := uint64(fnvOffset)
	for i := range len(uid) {
		h ^= uint64(uid[i])
		h *= fnvPrime
	}
	return h
}
