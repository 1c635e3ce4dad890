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

// HashObject returns the hash of an object: that of its UID or, if it has none, of its namespace and name. Only faulty
// servers and manifests lack UIDs.
func HashObject[T string | []byte](uid, namespace, name T) uint64 {
	if len(uid) > 0 {
		return Hash(uid)
	}
	return Hash(string(namespace) + "/" + string(name))
}
