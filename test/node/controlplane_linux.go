package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/controlplane"
)

// startAPIServer starts the control plane on the first node: API server, etcd, controller manager and scheduler.
func (c *Cluster) startAPIServer(context.Context) error {
	first, certificate := c.machines[0], filepath.Join(c.dir, controlplane.CAFile)
	c.token = rand.Text()
	tokens := ""
	for n := range c.machines {
		tokens += fmt.Sprintf("%s,system:node:node-%d,node-%d,system:nodes\n", c.nodeToken(n+1), n+1, n+1)
	}
	if err := controlplane.WriteSecrets(c.dir, c.token, tokens); err != nil {
		return err
	}
	args := append(controlplane.ServerArgs(c.dir, controlplane.Ports{Secure: 443, Etcd: 2379, Peer: 2380}),
		"--bind-address=0.0.0.0", "--advertise-address="+first.address, "--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction", "--kubelet-preferred-address-types=InternalIP")
	if err := c.start(first, "apiserver", c.controlplane, args...); err != nil {
		return err
	}
	if err := waitFor(readyTimeout, func() bool { b, err := os.ReadFile(certificate); return err == nil && len(b) > 0 }); err != nil {
		return fmt.Errorf("waiting for the certificate of the API server: %w\n%s", err, c.log(first, "apiserver"))
	}
	if err := c.writeKubeconfig("admin.conf", c.token); err != nil {
		return err
	}
	client := c.Client()
	ready := func() bool {
		return client.RESTClient().Get().AbsPath("/readyz").Do(context.Background()).Error() == nil
	}
	if err := waitFor(readyTimeout, ready); err != nil {
		return fmt.Errorf("waiting for the API server: %w\n%s", err, c.log(first, "apiserver"))
	}
	admin := "--kubeconfig=" + filepath.Join(c.dir, "admin.conf")
	return errors.Join(
		c.start(first, "controller-manager", c.controlplane, "controller-manager", admin, "--leader-elect=false",
			"--root-ca-file="+certificate, "--service-account-private-key-file="+filepath.Join(c.dir, controlplane.KeyFile),
			"--use-service-account-credentials=false", "--secure-port=0", "--flex-volume-plugin-dir=/run/volume-plugins"),
		c.start(first, "scheduler", c.controlplane, "scheduler", admin, "--leader-elect=false", "--secure-port=0"))
}

// nodeToken returns the bearer token of a node's kubelet.
func (c *Cluster) nodeToken(number int) string { return fmt.Sprintf("%s-node-%d", c.token, number) }

func (c *Cluster) writeKubeconfig(name, token string) error {
	ca, err := os.ReadFile(filepath.Join(c.dir, controlplane.CAFile))
	if err != nil {
		return err
	}
	return fleet.WriteKubeconfig(filepath.Join(c.dir, name), "https://"+serviceAddress, ca, token)
}
