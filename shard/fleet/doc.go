// Package fleet coordinates the replicas of a StatefulSet through the Kubernetes API, so that all of
// them change their number of shards at one instant.
//
// A [Coordinator] watches its StatefulSet (statefulSetWatcher), the ConfigMap with the topology and the
// replicas' reports (topologyStore), and with standby the fleet's pods (podTracker). Its loop makes
// one observation of the three and asks the planner, a pure state machine, what to follow, to report
// and to write. The topology changes in steps: a target is proposed, every replica of it reports that
// it holds its part, an instant is chosen, and all switch at that instant. docs/sharding.md describes
// the protocol, and docs/architecture.md names the functions that each step goes through.
//
// No mutex is held while another one is taken.
package fleet
