// Package sharding keeps what a process knows about server-side sharding (KEP-5866), and verifies
// the answers of API servers that shard.
//
// An API server that shards is sent a selector of the hash ranges that are wanted. The feature is
// alpha, so nothing is taken for granted: a server may not know the selector, refuse it because it
// is too long, apply another hash function, or leave out objects silently. Server keeps what was
// found out. Answer compares one answer with the selector that was sent. Detector reports whether
// the objects of a watch were filtered.
package sharding
