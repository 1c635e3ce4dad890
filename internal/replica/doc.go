// Package replica is one replica of the fleet. It watches the enabled kinds, stores the lines of
// the objects that its shard owns, and serves them.
//
// # Data path
//
// An event or an object of a list:
//
//	internal/watch   reads a frame or an item and its identity from the raw bytes
//	admission.go     decides: owned, namespace selected, newer than stored, not deleted, room left
//	handler.go       renders the object to lines, and puts them into the store
//	store            updates the blocks whose text differs
//
// A scrape:
//
//	internal/web     calls Snapshot and writes the result
//	snapshot.go      takes a snapshot of the stores of the visible kinds
//	store            writes the blocks of the snapshot, compressed
//
// # Change of shard
//
// A plan says which ranges the replica holds and which of them it serves (see shard.Plan).
// reshard.go follows the plan without a moment in which a scrape lacks an object. Objects of added
// ranges are listed and stored, but hidden, while the old shard is served. Once every kind has
// them, each store makes them visible in one step, and hides those that now belong to other
// replicas.
//
// # Restart
//
// savestate.go writes the stores and the versions that the watches have read up to, and loadstate.go
// fills the stores of another process with them. Its Reflectors resume from these versions. Loaded
// objects are held like others, but no kind counts as complete before its watches have caught up.
//
// # Goroutines and locks
//
// Only Run's loop changes the list of kinds, the held ranges and the visible ranges. maintain.go
// has a goroutine of its own. Each kind has one goroutine for each Reflector, one for each list of
// added ranges, and one that verifies it; stop ends them and waits for them. A handler is called by
// the goroutines of its Reflector, one at a time.
//
// Locks are taken in this order:
//
//  1. Replica.mu: the list of kinds, readiness.
//  2. the mutex of a watch.Reflector: held during each call of its handler.
//  3. kind.room: used with limits only. Held from the admission of an object until it is stored, so
//     that two Reflectors of a kind do not fill the same room.
//  4. kind.mu: the kind's Reflectors and their goroutines.
//  5. names.mu, or sharedSeries.mu and then seriesLimits.mu; never names.mu with either of them.
//  6. tombstones.mu and truncated.mu, never both.
//  7. the locks of the store.
//
// The mutexes of namespaceSet and of a Reflector's status are taken last: no other lock is taken
// while one of them is held.
package replica
