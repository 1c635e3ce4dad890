// Package simulator is the read side of a Kubernetes API server, in process
// and without a cluster behind it: list, watch, watch-list and get of the
// built-in kinds, in protobuf and JSON, for client-go reflectors. It carries
// load tests and demonstrations of exporters.
//
// A Cluster is a store of typed objects. Objects come from a Spec (a seeded
// generator), from a Churn (a driver of steady change), or one by one through
// Cluster.Put. Each object is held once, as the protobuf bytes that go to the
// socket: a list copies them into its answer and a watch frame is a short
// header around them, so serving costs little beside what is measured. JSON is
// made when a client asks for it.
//
// What a client can rely on is what a kube-apiserver promises: one
// resourceVersion sequence for the whole cluster, lists that are consistent
// over their pages, watches that continue from a list's resourceVersion
// without a gap, "410 Gone" once the bounded event log no longer reaches back
// that far, and server-side sharding (KEP-5866) when it is switched on.
//
// Not simulated: writes over HTTP but those of a ConfigMap's data, authentication
// and authorization, compression of answers, tables, and custom resources.
package simulator
