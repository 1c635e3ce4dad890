// Package node runs a real Kubernetes cluster on this machine: API server, controllers, scheduler, and nodes with
// kubelet, containerd and runc. It needs root on Linux, and runc. Control groups may be of version 1 or 2; where both
// are mounted, the nodes use version 1.
//
//	cluster, err := node.Start(ctx, node.Options{Nodes: 2, Archives: []string{"statefleet.tar"}})
//	defer cluster.Stop()
//	pods, err := cluster.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{})
//
// Each node is a machine: namespaces and cgroups of its own on this machine, a bridge on which its pods are, and a
// cable from there to the bridge of the first node. Nothing of this machine's network is touched: [Cluster.Proxy]
// leads into that of the cluster. The kernel ends a machine when the process does, even if it is killed; its cgroups and
// files stay then, and the next Start removes them. With cgroup v2, controllers that the root has handed out for a
// machine stay handed out.
//
// Kubelets differ from those of a production node in this: no DNS and no Services but that of the API server, since
// there is no kube-proxy; no network policies, since the bridge enforces none; no eviction for want of disk or memory;
// OOM scores are not lowered, which needs CAP_SYS_RESOURCE.
//
// "make cluster-test" runs the tests, and "make cluster" a cluster to look at.
package node
