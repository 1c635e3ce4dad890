// Package controlplane runs a real Kubernetes control plane, etcd and kube-apiserver and on demand kube-controller-manager,
// for a test: on loopback, without root, without containers, gone when the test ends.
//
//	cluster := controlplane.Start(t, controlplane.Options{Gates: controlplane.Sharding(true)})
//	pods, err := cluster.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{})
//
// The first use on a machine compiles Kubernetes, which takes some minutes; after that a cluster is ready in seconds. RBAC
// is on. Admission by service account is off, so that pods can be created without one.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

const (
	readyWithin = 2 * time.Minute     // far more than it takes: the machine may be busy
	issuer      = "https://localhost" // of service-account tokens
	anyAttempt  = 3                   // start attempts, should another program take a port in between
)

// Cluster is a running control plane. Config, Client and the token methods may be called concurrently; methods that
// start or stop parts of it may not.
type Cluster struct {
	dir        string
	binary     string
	options    Options
	adminToken string
	ports      ports
	server     *fleet.Process
	managers   []*fleet.Process
}

type ports struct{ secure, etcd, peer int }

// Start runs a control plane until the end of the test. It returns when the API server is ready.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	binary, err := fleet.Build("test/cmd/controlplane", "-ldflags=-X k8s.io/component-base/version.gitVersion="+Version)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{dir: t.TempDir(), binary: binary, options: options}
	t.Cleanup(c.kill)
	if err := c.writeSecrets(); err != nil {
		t.Fatal(err)
	}
	if err := c.firstStart(); err != nil {
		t.Fatal(err)
	}
	if len(options.Controllers) > 0 {
		c.StartControllers(t, options.Controllers...)
	}
	return c
}

// Address is the host and port of the API server.
func (c *Cluster) Address() string { return "127.0.0.1:" + strconv.Itoa(c.ports.secure) }

// URL is the address of the API server.
func (c *Cluster) URL() string { return "https://" + c.Address() }

// Config is how the cluster's administrator connects: no client-side throttling, protobuf for built-in kinds.
func (c *Cluster) Config() *rest.Config {
	config := c.ConfigFor(c.adminToken)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return config
}

// ConfigFor is how the bearer of a token connects.
func (c *Cluster) ConfigFor(token string) *rest.Config {
	return &rest.Config{
		Host:            c.URL(),
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.caFile()},
		QPS:             -1,
	}
}

// Client is the administrator's client.
func (c *Cluster) Client() kubernetes.Interface { return kubernetes.NewForConfigOrDie(c.Config()) }

// Stop ends the API server and its etcd at once, as an outage: clients lose their connections and are refused.
// (An orderly end would wait for every watch.) The data stay. Controllers go on running and retry.
func (c *Cluster) Stop() { c.server.Kill() }

// Start starts the API server again on the same data and the same port, and returns when it is ready. Gates replace those
// of before unless they are nil.
func (c *Cluster) Start(gates map[string]bool) error {
	if gates != nil {
		c.options.Gates = gates
	}
	return c.startServer()
}

// Restart is Stop and Start.
func (c *Cluster) Restart(gates map[string]bool) error {
	c.Stop()
	return c.Start(gates)
}

// Log is the output of the API server since it was last started.
func (c *Cluster) Log() string { return c.server.Log() }

func (c *Cluster) firstStart() (err error) {
	for range anyAttempt {
		free, portErr := fleet.FreePorts("127.0.0.1", 3)
		if portErr != nil {
			return portErr
		}
		c.ports = ports{secure: free[0], etcd: free[1], peer: free[2]}
		if err = c.startServer(); err == nil {
			return nil
		}
	}
	return err
}

func (c *Cluster) startServer() (err error) {
	if c.server, err = fleet.StartProcess("kube-apiserver", c.binary, c.serverArgs()...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	if err := c.waitReady(ctx); err != nil {
		c.server.Kill()
		return fmt.Errorf("%w; its last words:\n%s", err, tail(c.server.Log(), 4000))
	}
	return nil
}

func (c *Cluster) serverArgs() []string {
	args := []string{
		"apiserver", filepath.Join(c.dir, "etcd"), strconv.Itoa(c.ports.etcd), strconv.Itoa(c.ports.peer),
		"--secure-port=" + strconv.Itoa(c.ports.secure),
		"--bind-address=127.0.0.1",
		"--cert-dir=" + filepath.Join(c.dir, "certs"),
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + c.path(publicKeyFile),
		"--service-account-signing-key-file=" + c.path(privateKeyFile),
		"--service-cluster-ip-range=10.0.0.0/16",
		"--authorization-mode=RBAC",
		"--token-auth-file=" + c.path(tokensFile),
		"--disable-admission-plugins=ServiceAccount",
	}
	if len(c.options.Gates) > 0 {
		args = append(args, gatesFlag(c.options.Gates))
	}
	return append(args, c.options.Args...)
}

// waitReady returns when the API server says that it is ready, or why that will not happen.
func (c *Cluster) waitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := fmt.Errorf("nothing listens yet")
	for {
		select {
		case <-c.server.Done():
			return fmt.Errorf("kube-apiserver ended with exit code %d", c.server.ExitCode())
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver is not ready in time: %w", last)
		case <-tick.C:
		}
		if _, err := os.Stat(c.caFile()); err != nil {
			continue // it makes its certificate first
		}
		if last = c.readyz(ctx); last == nil {
			return nil
		}
	}
}

func (c *Cluster) readyz(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		return err
	}
	return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// kill ends everything at once: the data are not read again.
func (c *Cluster) kill() {
	for _, manager := range c.managers {
		manager.Kill()
	}
	if c.server != nil {
		c.server.Kill()
	}
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) caFile() string { return filepath.Join(c.dir, "certs", "apiserver.crt") }

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// Backup stops the API server and its etcd, copies what they have stored, and starts them again. Restore brings that back, as an
// operator does who knows no better: etcd's revision, and with it every resourceVersion, is what it was then.
func (c *Cluster) Backup(t testing.TB) (restore func()) {
	t.Helper()
	saved := filepath.Join(t.TempDir(), "etcd")
	exchange := func(change func() error) {
		t.Helper()
		c.Stop()
		if err := errors.Join(change(), c.Start(nil)); err != nil {
			t.Fatal(err)
		}
	}
	exchange(func() error { return os.CopyFS(saved, os.DirFS(c.path("etcd"))) })
	return func() {
		t.Helper()
		exchange(func() error {
			return errors.Join(os.RemoveAll(c.path("etcd")), os.CopyFS(c.path("etcd"), os.DirFS(saved)))
		})
	}
}
