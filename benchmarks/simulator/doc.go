// Package simulator is the read side of a Kubernetes API server, in process
// and without a cluster behind it: list, watch, watch-list and get of the
// built-in kinds, in protobuf and JSON, for client-go reflectors. It carries
// load tests and demonstrations of exporters.
//
// A Cluster is a store of typed objects. Package generator makes objects and
// changes them steadily; Cluster.Put takes them one by one. Each object is
// stored once, as the protobuf bytes that lists and watch frames copy, so serving
// costs little beside the measured exporter. JSON is made when a client asks for it.
//
// Clients can rely on the promises of a kube-apiserver: one resourceVersion
// sequence for the whole cluster, lists that are consistent over their pages,
// watches that continue from a list's resourceVersion without a gap, "410 Gone"
// for a resourceVersion behind the bounded event log, and server-side sharding
// (KEP-5866) when it is switched on.
//
// Not simulated: writes over HTTP except of a ConfigMap's data, authentication
// and authorization, compression, columns of Tables but those of Secrets, and
// custom resources.
package simulator
