// Package watch follows the objects of API resources with client-go's
// reflector and throws away what a replica does not own before it is decoded.
//
// A Source follows one resource, in one namespace or in all. Its reads of
// lists and watches look at the raw bytes of one object at a time: whose UID
// does not hash into the owned ranges is skipped; whatever is owned is handed
// to the Sink at once, as bytes, and what the reflector gets to keep in its
// place is a Handle of namespace, name, UID and resourceVersion. So neither an
// object nor a page of a list outlives the moment in which it was read, also
// while the reflector joins the pages of a list. The reflector brings streamed
// lists (KEP-3157) with paged lists as fallback, resumption, relists and backoff.
//
// Where objects hold values that must not be sent, as Secrets do, the Form of a Source asks for metadata or for rows of a
// Table, and never for whole objects.
//
// An API server that shards (KEP-5866) is sent the owned ranges with each request, and is
// not believed. Lists say which selector was applied: it is compared with the one that was
// sent, and so are the hashes of the objects. Watches say nothing; an object outside of the
// ranges has the Source ask for a list. What a server leaves out silently, Scan finds. See
// ServerSharding.
//
// The Sink has the state; a Source only tells it what the API server said. A Checked
// also finds out that a Source was told wrong, for resources with few objects.
package watch
