// Package resources defines the metrics of each kind of Kubernetes object.
//
// A kind is data: its API resource, the labels that identify an object, the fields its metrics
// read, and a list of metric families, each with a short function from the typed object to samples.
// All lists the kinds; everything else (the metrics reference, the RBAC rules, the default set) is
// derived from that list.
//
// A Renderer turns the raw bytes of one object into exposition lines, family by family. It cuts every field that no
// enabled family reads out of the bytes, decodes the rest, and appends the samples to one buffer. It keeps no part of
// the object.
//
// To add a kind, add a file with its families, a line in All, and its fixtures in testdata/conformance.
package resources
