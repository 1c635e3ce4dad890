// Package wire reads lists and watch events of a Kubernetes API server, as far
// as that is possible without decoding the objects. It splits a list or a watch
// into objects, reads the identity of an object, and cuts out the fields that
// no metric reads. So a replica discards an object that it does not own after
// reading a few bytes, and the generated decoders see only the needed fields of
// the objects that it owns.
//
// There are two encodings. Built-in resources are requested as protobuf: a list
// or an object is the four bytes "k8s\0" and a runtime.Unknown whose raw field
// holds the message; a watch is a sequence of metav1.WatchEvent messages, each
// preceded by its length in four bytes, big-endian. Custom resources, and
// servers without protobuf, send JSON.
//
// An API server can also send only a part of each object (see [Form]): its metadata, in both encodings, or rows of a
// Table, in JSON. Either is read as if it were the object.
//
// No function trusts its input: truncated or invalid bytes give an error.
package wire
