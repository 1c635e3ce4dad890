// Package store keeps the exposition lines of Kubernetes objects in compressed blocks, so that the
// cost of a scrape depends on what changed since the last one and not on the number of objects. It
// knows neither Kubernetes types nor HTTP.
//
// # Model
//
// A Store holds the objects of one resource in buckets of up to 64. A bucket has one block per
// metric family: the lines of its objects in slot order. A family without lines in a bucket costs
// one pointer. A block is raw text, which can be edited; compressed text, which is deflate data that
// ends on a byte boundary; or compressed text with a patch. The patch has the objects that changed
// since the compression, so that the block need not be decompressed for each of them.
//
// Put compares fingerprints per family and touches only the blocks whose text differs. Most updates
// change no block. A raw block stays raw until it was not written for a while (Sweep) or until raw
// text exceeds its limit (Budget), so that many updates share one compression.
//
// TakeSnapshot copies one pointer per block under the store's mutex. A gzip scrape then compresses
// the blocks that have no compressed form yet, and writes finished bytes: the gzip header, the data
// of the blocks, an empty final deflate block, and a CRC-32 that is combined from those of the
// blocks. A scrape without gzip decompresses the blocks one by one and keeps nothing.
//
// Objects in the store need not be visible: SetPartitioning assigns them to partitions by their
// shard hash, and SetVisible changes atomically which partitions snapshots contain. Objects that
// another replica serves for now are thus available in compressed form when this replica has to
// serve them. New objects of a source that is being listed for the first time may be put as hidden,
// until Show makes all of them visible.
//
// Save encodes the objects with their compressed blocks, and Load fills an empty store with them, so
// that another process need not render the objects again.
//
// # Invariants
//
//   - A block has at least one form at any time.
//   - A block that is in a snapshot, or that is being compressed, is frozen: its text never
//     changes. An edit replaces it by a new block. Forms may be added and dropped, and all of them
//     hold the same text.
//   - A block without text is nil. No block is empty, and no family header stands alone.
//   - A snapshot shows each store at one moment. No object appears twice, in part, or in two
//     versions, even while objects move between buckets.
//   - The store never replaces a version by an older one.
//   - All objects of a bucket belong to the same partition, by the partitioning that the bucket
//     refers to, and are hidden for the same source or for none. SetVisible and Show only mark
//     buckets.
//   - The raw bytes of all stores of a Budget are within its limit while no call is in progress.
//
// # Locks
//
// In the order in which they may be taken:
//
//  1. Store.partitionMu: held while objects move between buckets, by SetPartitioning, by
//     SetVisible and Show, and by the merging in a sweep, which skips its work if the lock is taken
//     or Save is running. Save takes it once, to wait for a merging in progress. ResetAllVersions holds it
//     to keep objects from moving.
//  2. editState.compressMu: one goroutine compresses the block, others wait for the result.
//  3. Store.mu: index, buckets, blocks. Held for work on one bucket (two when objects move), never
//     during the compression of text or the writing of Save. TakeSnapshot holds it to copy pointers,
//     SetVisible and Show to mark each bucket.
//  4. Budget.mu: the list of buckets with raw blocks.
//
// Compression takes the longest and needs only compressMu. When the Budget is exceeded, the
// goroutine whose write exceeded it compresses the evicted buckets after it has released its locks.
// Compression and decompression take a permit of codec.sem, of which there are GOMAXPROCS. The
// permit is taken last, and its holder waits for nothing else. The package starts no goroutine.
package store
