// Package resources knows which metrics each kind of Kubernetes object has.
//
// A kind is data: its API resource, the labels that identify an object, the fields its metrics
// read, and a list of metric families, each with a short function from the typed object to samples.
// All lists the kinds; everything else (the metrics reference, the RBAC rules, the default set) is
// derived from that list.
//
// A Renderer turns the raw bytes of one object into exposition lines, family by family: it cuts
// every field that no enabled family reads out of the bytes, decodes what is left, and appends the
// samples to one buffer. Nothing of the object is kept.
//
// To add a kind: one file with its families, one line in All, and its fixtures in
// testdata/conformance.
package resources
