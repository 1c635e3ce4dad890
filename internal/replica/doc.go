// Package replica is one replica of the fleet. It joins the packages around it: it follows the
// enabled kinds, stores the lines of the objects that its shard owns, and serves them.
//
// # Data path
//
// An event or an object of a list:
//
//	internal/watch   reads a frame or an item and its identity from the raw bytes
//	admission.go     decides: owned, namespace selected, newer than stored, not deleted, room left
//	handler.go       has the object rendered to lines, and puts them into the store
//	store            updates the blocks whose text differs
//
// A scrape:
//
//	internal/web     calls Snapshot and writes the result
//	replica.go       takes a snapshot of the stores of the visible kinds
//	store            writes the blocks of the snapshot, compressed
//
// # Change of shard
//
// A plan says by which tables the replica serves and what it holds (see shard.Plan). reshard.go
// carries it out without a moment in which a scrape lacks an object. Objects of added ranges are
// listed and stored, but hidden, while the old shard is served. Once every kind has them, the
// stores make them visible in one step each, and hide what the replica gives up.
//
// # Goroutines and locks
//
// Run's loop alone changes which kinds there are, which ranges they hold and which are visible.
// Each kind has one goroutine for each Reflector, one for each list of added ranges, and one that
// verifies it; stop ends them and waits for them. A handler is called by the goroutines of its
// Reflector, one at a time.
//
// In the order in which locks may be taken:
//
//  1. Replica.mu: the list of kinds, readiness.
//  2. the mutex of a watch.Reflector, which is held during each call of its handler.
//  3. kind.room: only with limits. Held from the admission of an object until it is stored, so that
//     two Reflectors of a kind do not use the same room.
//  4. kind.mu: the kind's Reflectors and their goroutines.
//  5. names.mu and series.mu, never both.
//  6. tombstones.mu and truncated.mu, never both.
//  7. the locks of the store.
package replica
