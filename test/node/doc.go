// Package node runs a real Kubernetes cluster for a test: API server, controllers, scheduler, and nodes with kubelet, containerd
// and runc. It needs root on Linux with cgroup v1, and runc.
//
//	cluster := node.Start(t, node.Options{Nodes: 2, Archives: []string{"statefleet.tar"}})
//	pods, err := cluster.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{})
//
// Each node is a machine: namespaces and cgroups of its own on this machine, a bridge on which its pods are, and a cable from
// there to the bridge of the first node. Nothing of this machine's network is touched. The kernel ends a machine when the test
// does, even if the test is killed; its cgroups stay then, and the next Start removes them.
//
// Run the tests by "make cluster-test". Kubelets differ from those of a production node in this: no DNS and no Services but that of the API server, since there is no
// kube-proxy; no eviction for want of disk or memory; OOM scores are not lowered, which needs CAP_SYS_RESOURCE.
package node
