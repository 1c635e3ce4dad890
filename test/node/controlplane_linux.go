package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// startAPIServer starts the control plane on the first node: API server, etcd, controller manager and scheduler.
func (c *Cluster) startAPIServer(context.Context) error {
	first := c.machines[0]
	key, err := writeKeys(c.dir)
	if err != nil {
		return err
	}
	c.token = rand.Text()
	tokens := c.token + ",admin,admin,system:masters\n"
	for n := range c.machines {
		tokens += fmt.Sprintf("%s,system:node:node-%d,node-%d,system:nodes\n", c.nodeToken(n+1), n+1, n+1)
	}
	path := func(name string) string { return filepath.Join(c.dir, name) }
	if err := os.WriteFile(path("tokens.csv"), []byte(tokens), 0o600); err != nil {
		return err
	}
	err = c.start(first, "apiserver", c.controlplane, "apiserver", path("etcd"), "2379", "2380",
		"--secure-port=443", "--bind-address=0.0.0.0", "--advertise-address="+first.address, "--cert-dir="+path("certs"),
		"--service-cluster-ip-range=10.0.0.0/16", "--service-account-issuer=https://localhost",
		"--service-account-key-file="+key+".pub", "--service-account-signing-key-file="+key, "--token-auth-file="+path("tokens.csv"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--kubelet-preferred-address-types=InternalIP")
	if err != nil {
		return err
	}
	certificate := filepath.Join(path("certs"), "apiserver.crt")
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
	err = c.start(first, "controller-manager", c.controlplane, "controller-manager", "--kubeconfig="+path("admin.conf"),
		"--leader-elect=false", "--root-ca-file="+certificate, "--service-account-private-key-file="+key,
		"--use-service-account-credentials=false", "--secure-port=0", "--flex-volume-plugin-dir=/run/volume-plugins")
	return errors.Join(err, c.start(first, "scheduler", c.controlplane, "scheduler", "--kubeconfig="+path("admin.conf"),
		"--leader-elect=false", "--secure-port=0"))
}

// nodeToken returns the bearer token of a node's kubelet.
func (c *Cluster) nodeToken(number int) string { return fmt.Sprintf("%s-node-%d", c.token, number) }

func (c *Cluster) writeKubeconfig(name, token string) error {
	ca, err := os.ReadFile(filepath.Join(c.dir, "certs", "apiserver.crt"))
	if err != nil {
		return err
	}
	return fleet.WriteKubeconfig(filepath.Join(c.dir, name), "https://"+serviceAddress, ca, token)
}

// writeKeys writes the key pair of service-account tokens. It returns the path of the private key; that of the public
// key ends with .pub in addition.
func writeKeys(dir string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "service-accounts.key")
	return path, errors.Join(
		os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		os.WriteFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600),
	)
}
