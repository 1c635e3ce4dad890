// Package controlplane runs a real Kubernetes control plane for a test: etcd, kube-apiserver and optionally
// kube-controller-manager. It needs neither root nor containers, listens on loopback, and ends with the test.
//
//	cluster := controlplane.Start(t, controlplane.Options{Gates: controlplane.Sharding(true)})
//	pods, err := cluster.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{})
//
// The first use on a machine compiles Kubernetes, which takes some minutes. After that, a cluster is ready in seconds.
// RBAC is on. The admission plugin ServiceAccount is off, so that pods can be created without a service account.
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
	readyTimeout  = 2 * time.Minute     // generous, because the machine may be busy
	issuer        = "https://localhost" // of service account tokens
	startAttempts = 3                   // another program may take a port before the API server listens on it
)

// Cluster is a running control plane. Config, Client and the token methods may be called concurrently. Methods that
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

// Address returns the host and port of the API server.
func (c *Cluster) Address() string { return "127.0.0.1:" + strconv.Itoa(c.ports.secure) }

// URL returns the URL of the API server.
func (c *Cluster) URL() string { return "https://" + c.Address() }

// Config returns the client configuration of the administrator, without client-side throttling and with protobuf for
// built-in kinds.
func (c *Cluster) Config() *rest.Config {
	config := c.ConfigFor(c.adminToken)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return config
}

// ConfigFor returns a client configuration with a token.
func (c *Cluster) ConfigFor(token string) *rest.Config {
	return &rest.Config{
		Host:            c.URL(),
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.caFile()},
		QPS:             -1,
	}
}

// Client returns a client of the administrator.
func (c *Cluster) Client() kubernetes.Interface { return kubernetes.NewForConfigOrDie(c.Config()) }

// Stop kills the API server and its etcd, as in an outage: clients lose their connections, and new ones are refused. (A
// graceful shutdown would wait for every watch.) The data remain. Controllers keep running and retry.
func (c *Cluster) Stop() { c.server.Kill() }

// Start starts the API server again with the same data and on the same port, and returns when it is ready. Gates
// replace the previous feature gates unless they are nil.
func (c *Cluster) Start(gates map[string]bool) error {
	if gates != nil {
		c.options.Gates = gates
	}
	return c.startServer()
}

// Restart calls Stop and Start.
func (c *Cluster) Restart(gates map[string]bool) error {
	c.Stop()
	return c.Start(gates)
}

// Log returns the output of the API server since its last start.
func (c *Cluster) Log() string { return c.server.Log() }

func (c *Cluster) firstStart() (err error) {
	for range startAttempts {
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
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if err := c.waitReady(ctx); err != nil {
		c.server.Kill()
		return fmt.Errorf("%w; end of its log:\n%s", err, tail(c.server.Log(), 4000))
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

// waitReady returns when the API server is ready. It returns an error if the process ends or ctx ends before.
func (c *Cluster) waitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := fmt.Errorf("it has not created its certificate")
	for {
		select {
		case <-c.server.Done():
			return fmt.Errorf("kube-apiserver ended with exit code %d", c.server.ExitCode())
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver is not ready in time: %w", last)
		case <-tick.C:
		}
		if _, err := os.Stat(c.caFile()); err != nil {
			continue // it creates its certificate first
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

// kill ends all processes at once. This may damage the data, but they are not read again.
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

// Backup stops the API server and its etcd, copies their data, and starts them again. The returned function restores
// the copy without precautions: etcd's revision goes back, and with it every resourceVersion.
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
