// Package wire reads the forms in which a Kubernetes API server sends objects,
// as far as that is possible without decoding them: who an object is, which of
// its fields are wanted, where one object of a list or a watch ends and the
// next begins. What a replica does not own is thrown away on the strength of a
// few bytes; what it owns is cut down to the fields that are read before the
// generated decoders see it.
//
// Two encodings exist. Protobuf is the one built-in resources are asked for: a
// list or an object is the four bytes "k8s\0" and a runtime.Unknown whose raw
// field holds the message; a watch is a sequence of metav1.WatchEvent messages,
// each behind its length in four bytes, big-endian. JSON is what custom
// resources and servers without protobuf answer with.
//
// An API server can also send a part of each object, see [Form]: the metadata, in both encodings, or rows of a Table, in
// JSON. Either is read as if it were the object.
//
// No function trusts its input: truncated or senseless bytes give an error.
package wire
