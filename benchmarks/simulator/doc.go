// Package simulator implements the read side of a Kubernetes API server, in
// process and without a cluster: get, list, watch and watch-list of the built-in
// kinds, in protobuf and JSON, for client-go reflectors. Load tests and
// demonstrations of exporters use it.
//
// A Cluster stores typed objects. Cluster.Put adds one object; package generator
// generates whole clusters and steady change. Each object is stored once, as
// protobuf. Lists and watch frames copy these bytes, so that serving costs little
// compared with the measured exporter. JSON is encoded on request.
//
// The server gives the guarantees of a kube-apiserver: one resourceVersion
// sequence for the whole cluster, lists that are consistent across their pages,
// watches that continue from a list's resourceVersion without a gap, "410 Gone"
// for a resourceVersion older than the bounded event log, and server-side
// sharding (KEP-5866) if it is enabled.
//
// Not simulated: writes over HTTP, except of a ConfigMap's data; TLS; authentication
// and authorization; compression; lists at an exact resourceVersion; shards by
// namespace; table columns of kinds other than Secret; custom resources.
package simulator
