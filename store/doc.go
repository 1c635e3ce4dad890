// Package store keeps the exposition lines of Kubernetes objects in pages that
// are already compressed, so that a scrape costs what changed since the last
// one and not what exists. It knows neither Kubernetes types nor HTTP.
//
// # Model
//
// A Store holds the objects of one resource in buckets of up to 64. A bucket
// has one page per metric family, with the lines of its objects in slot order;
// a family nobody in the bucket has costs one pointer. What a page is at one
// moment is a sheet, which has two forms: raw text, which can be edited, and
// packed, a run of deflate blocks that ends on a byte boundary.
//
// Put compares fingerprints per family and opens only the pages whose text
// differs; most updates differ in none. An open page stays raw until it was
// left alone for a while (Sweep) or raw memory runs out (Budget), so that many
// updates share one packing.
//
// Collect copies one pointer per page under the store's mutex. A gzip scrape
// then packs the sheets that are raw only and writes finished bytes: a header,
// the runs one after the other, an empty final block, and a CRC-32 that is
// computed from those of the pages. An identity scrape inflates and keeps
// nothing.
//
// What is held need not be shown: Divide sorts objects into parts by their shard
// hash, and Show changes at once which parts a page has. So what another replica
// serves for the moment is at hand, compressed, when it has to be served here.
//
// # Invariants
//
//   - A sheet has at least one form at any time.
//   - A sheet that was collected, or that somebody packs, is final: its text
//     never changes. An edit of such a page makes a new sheet. Only its forms
//     come and go, and both hold the same text.
//   - A page with no text is a nil sheet: no sheet is empty, and no family
//     header stands alone.
//   - A collected page shows each store at one moment. No object is there
//     twice, in part, or in two versions, whatever moves meanwhile.
//   - What is held is never replaced by an older version.
//   - All objects of a bucket belong to one part of the shard, by the division
//     that the bucket was sorted by. Show only marks buckets.
//   - The raw bytes of all stores of a Budget are within its limit when no call
//     is under way.
//
// # Locks
//
// In the order in which they may be taken:
//
//  1. Store.change: who sorts objects into buckets as a whole: Divide, Show,
//     and the merging of a sweep, which gives way to the others.
//  2. raw.packing: one deflates the sheet, others wait for the result.
//  3. Store.mu: index, buckets, pages. Held for work on one bucket (or two, when
//     objects move), never while text is deflated. Collect holds it for a copy
//     of pointers, Show for a mark on each bucket.
//  4. Budget.mu: the list of buckets with raw pages.
//
// Deflating, which is what takes long, needs none but raw.packing. Buckets are
// packed for the Budget by the goroutine that wrote a byte too many, after it
// has let go of its locks. Whoever packs or unpacks text takes one of as many turns as
// there are CPUs, last of all, and waits for nobody while it has it. The package owns no goroutine: WriteText starts a
// few and waits for them.
package store
