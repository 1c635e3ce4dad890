package controlplane

import (
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// StartControllers runs kube-controller-manager as the administrator with the named controllers only, for example
// "statefulset-controller" and "job-controller". It runs until the cluster ends or stop is called.
func (c *Cluster) StartControllers(t testing.TB, names ...string) (stop func()) {
	t.Helper()
	manager, err := fleet.StartProcess("kube-controller-manager", c.binary,
		"controller-manager",
		"--kubeconfig="+c.Kubeconfig(t, c.adminToken),
		"--leader-elect=false",
		"--use-service-account-credentials=false",
		"--controllers="+strings.Join(names, ","),
		"--secure-port=0",
		"--kube-api-qps=200", "--kube-api-burst=400")
	if err != nil {
		t.Fatal(err)
	}
	c.managers = append(c.managers, manager)
	return func() {
		manager.Kill()
		c.managers = slices.DeleteFunc(c.managers, func(m *fleet.Process) bool { return m == manager })
	}
}
