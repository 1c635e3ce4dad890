// Package capacity tells beforehand what a fleet takes: bytes and series of its
// pages, memory, CPU, and how many replicas stay within given limits.
//
// What objects are on the page is not guessed where a cluster can be read: a
// [Sample] renders and packs some of each kind with the code that serves them.
// What cannot be seen from outside, the memory and CPU of the process, is in
// costs.yaml, which says how it was measured; so are the sizes of objects for
// estimates from numbers alone.
package capacity
