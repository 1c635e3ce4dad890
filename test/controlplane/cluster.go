// Package controlplane runs a real Kubernetes control plane for a test: etcd, kube-apiserver and optionally
// kube-controller-manager. It needs neither root nor containers, listens on loopback, and ends with the test.
//
//	cluster := controlplane.Start(t, controlplane.Options{Sharding: true})
//	pods, err := cluster.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{})
//
// The first use on a machine compiles Kubernetes, which takes some minutes. After that, a cluster is ready in seconds.
// RBAC is on. The admission plugin ServiceAccount is off, so that pods can be created without a service account.
package controlplane

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// Options configure a control plane. The zero value means an API server without server-side sharding, and no
// controllers.
type Options struct {
	// Sharding enables server-side sharding: the feature gate ShardedListAndWatch (KEP-5866), which is alpha and off by
	// default.
	Sharding bool

	// Controllers are started with the cluster. They have the names that kube-controller-manager --controllers expects,
	// such as "statefulset-controller". Without controllers, only the test writes objects, and expositions do not change.
	Controllers []string
}

// Cluster is a running control plane. Config, Client and the token methods may be called concurrently. Methods that
// start or stop parts of it may not.
type Cluster struct {
	dir        string
	binary     string
	sharding   bool
	adminToken string
	ports      Ports
	server     *fleet.Process
	managers   []*fleet.Process
}

// Start runs a control plane until the end of the test. It returns when the API server is ready.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	binary, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	ports, release, err := fleet.ReservePorts(fleet.Loopback, 3)
	t.Cleanup(release)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{
		dir: t.TempDir(), binary: binary, sharding: options.Sharding, adminToken: rand.Text(),
		ports: Ports{Secure: ports[0], Etcd: ports[1], Peer: ports[2]},
	}
	t.Cleanup(c.kill)
	if err := WriteSecrets(c.dir, c.adminToken, ""); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if len(options.Controllers) > 0 {
		c.StartControllers(t, options.Controllers...)
	}
	return c
}

// Address returns the host and port of the API server.
func (c *Cluster) Address() string { return fleet.Loopback + ":" + strconv.Itoa(c.ports.Secure) }

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
		Host:            "https://" + c.Address(),
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.path(CAFile)},
		QPS:             -1,
	}
}

// Client returns a client of the administrator.
func (c *Cluster) Client() kubernetes.Interface { return kubernetes.NewForConfigOrDie(c.Config()) }

// Stop kills the API server and its etcd, as in an outage: clients lose their connections, and new ones are refused. (A
// graceful shutdown would wait for every watch.) The data remain. Controllers keep running and retry.
func (c *Cluster) Stop() { c.server.Kill() }

// Start starts the API server again with the same data and on the same port, and returns when it is ready.
func (c *Cluster) Start() (err error) {
	args := append(ServerArgs(c.dir, c.ports), "--bind-address="+fleet.Loopback, "--authorization-mode=RBAC",
		"--disable-admission-plugins=ServiceAccount", fmt.Sprint("--feature-gates=ShardedListAndWatch=", c.sharding))
	if c.server, err = fleet.StartProcess("kube-apiserver", c.binary, args...); err != nil {
		return err
	}
	err = fleet.Until(context.Background(), fleet.DefaultTimeout, "kube-apiserver is ready", func(ctx context.Context) error {
		if err := c.server.Ended(); err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(c.Config())
		if err != nil {
			return err // it has not created its certificate
		}
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil {
		c.server.Kill()
		log := c.server.Log()
		return fmt.Errorf("%w; end of its log:\n%s", err, log[max(0, len(log)-4000):])
	}
	return nil
}

// Restart calls Stop and Start.
func (c *Cluster) Restart() error {
	c.Stop()
	return c.Start()
}

// SetSharding restarts the API server with server-side sharding on or off.
func (c *Cluster) SetSharding(on bool) error {
	c.sharding = on
	return c.Restart()
}

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

// Backup stops the API server and its etcd, copies their data, and starts them again. The returned function restores
// the copy without precautions: etcd's revision goes back, and with it every resourceVersion.
func (c *Cluster) Backup(t testing.TB) (restore func()) {
	t.Helper()
	saved := filepath.Join(t.TempDir(), "etcd")
	exchange := func(change func() error) {
		t.Helper()
		c.Stop()
		if err := errors.Join(change(), c.Start()); err != nil {
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
