// Package node runs a real Kubernetes cluster on one host: API server, controllers, scheduler, and nodes with
// kubelet, containerd and runc. It needs root on Linux, and runc. Control groups may be of version 1 or 2; where both
// are mounted, the nodes use version 1.
//
//	cluster, err := node.Start(ctx, node.Options{Nodes: 2, Archives: []string{"statefleet.tar"}})
//	defer cluster.Stop()
//	pods, err := cluster.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{})
//
// Each node is a machine: it has its own namespaces and cgroups, a bridge for its pods, and a veth link from there to
// the bridge of the first node. The host's network does not change; [Cluster.Proxy] leads into the network of the
// cluster. The kernel ends a machine together with the process that started it, even if that process is killed. The
// cgroups and files of the machine then remain, and the next Start removes them. With cgroup v2, controllers that were
// enabled in the root cgroup for a machine stay enabled.
//
// Nodes differ from production nodes:
//   - There is no DNS, and no Service except that of the API server, because there is no kube-proxy.
//   - The bridge enforces no network policies.
//   - The kubelet evicts no pods when disk or memory runs low.
//   - OOM scores are not lowered, which would need CAP_SYS_RESOURCE.
//
// "make cluster-test" runs the tests, and "make cluster" runs a cluster for manual use.
package node
