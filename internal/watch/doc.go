// Package watch lists and watches API resources, and drops objects that a replica does not own
// before they are decoded.
//
// A Reflector follows one resource, in one namespace or in all. Its Run repeats one of two
// requests:
//
//	list   reads everything, streamed (KEP-3157) or in pages, and ends in Handler.Replace
//	watch  reads events from the version that is known; each ends in Handler.Put or Delete
//
// A watch that ends is opened again at its version. Everything is listed again after most errors that
// an API server reports, such as 410 Gone (see needsList), after bytes that cannot be decoded or have
// another form than was requested, and when an API server applies another selector than it was sent.
// A frame that cannot be decoded, but whose length is sound, only schedules a list; see
// decodeerrors.go. AddRanges lists only the ranges that the replica comes to own.
//
// A Reflector whose Handler has the objects of an earlier process resumes instead of listing: it
// watches from their version until it has caught up with the API server. See Resume.
//
// Each object's UID is read from its raw bytes. If the hash of the UID is outside the owned ranges,
// the object is skipped; otherwise its bytes go to the Handler. So neither an object nor a page of
// a list is held after it was read. Where objects hold values that must not be sent, as Secrets do,
// the Form asks for metadata or for rows of a Table, and never for whole objects.
//
// An API server that shards (KEP-5866) is sent the owned ranges with each request, and its answers
// are verified. A list names the selector that was applied. The Reflector compares it, and the
// hashes of the objects, with the selector that was sent. A watch names none; an object outside the
// ranges makes the Reflector request a list. ListMetadata finds objects that a server leaves out
// silently. See package sharding.
//
// # Locks
//
// A Reflector's mutex is held during each call of its Handler, so the locks of the Handler come after
// it. A goroutine that holds a lock of the Handler may call Status and ServerVersion, and must not
// call AddRanges or ResumeVersion, which take the Reflector's mutex. The mutexes of the status, of
// package batch, of package outage and of sharding.Server are taken last: no other lock is taken while
// one of them is held. verify.Verifier's mutex is never held together with another one.
//
// The Handler has the state. Package verify compares it with the API server.
package watch
