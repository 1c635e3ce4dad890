package node

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/controlplane"
)

//go:embed files
var files embed.FS

// serviceAddress is that of the Service default/kubernetes.
const serviceAddress = "10.0.0.1"

// readyWithin is far more than it takes: the machine may be busy.
const readyWithin = 3 * time.Minute

// Options say which cluster to start.
type Options struct {
	// Nodes is the number of nodes, named node-1 and so on; 0 means 1.
	Nodes int
	// Archives are files of images, as "docker save" and "make image" write them, that each node has.
	Archives []string
}

// Cluster is a running cluster.
type Cluster struct {
	Options
	dir          string
	tools        string // folder of containerd and the others
	controlplane string
	pause        string
	token        string
	machines     []*machine
}

// Start runs a cluster until the end of the test. It returns when all nodes are ready. Where no machine can be made it skips the
// test, and says NOT TESTED.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if why := missing(); why != "" {
		t.Skip("NOT TESTED: " + why)
	}
	c := &Cluster{Options: o, dir: t.TempDir()}
	c.Nodes = max(c.Nodes, 1)
	t.Cleanup(func() {
		for _, m := range c.machines {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
	})
	for _, step := range []func(context.Context) error{c.build, c.startMachines, c.startAPIServer, c.loadImages, c.startKubelets} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// missing returns what a cluster needs and this machine does not have, or "".
func missing() string {
	if imageFolder() == "" {
		return `there is no image; "make cluster-test" builds one`
	}
	if os.Geteuid() != 0 {
		return "nodes need root"
	}
	for _, program := range []string{"runc", "bash", "unshare", "nsenter", "mount", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			return "nodes need " + program
		}
	}
	return unsupported()
}

// imageFolder is what "make image" has written, which IMAGE names; "" without one. Clusters are not part of "make test", since
// their programs take minutes to build.
func imageFolder() string { return os.Getenv("IMAGE") }

func (c *Cluster) build(context.Context) (err error) {
	if c.tools, err = fleet.BuildTools("test/cmd/node"); err != nil {
		return err
	}
	if c.pause, err = fleet.Build("test/cmd/pause"); err != nil {
		return err
	}
	c.controlplane, err = fleet.Build("test/cmd/controlplane", "-ldflags=-X k8s.io/component-base/version.gitVersion="+controlplane.Version)
	return err
}

// startMachines makes the nodes, with containerd on each, and connects them.
func (c *Cluster) startMachines(ctx context.Context) error {
	if err := sweepCgroups(); err != nil {
		return err
	}
	for n := 1; n <= c.Nodes; n++ {
		dir := filepath.Join(c.dir, fmt.Sprint("node-", n))
		if err := c.writeFiles(dir, n); err != nil {
			return err
		}
		m, err := newMachine(dir, n, c.pause)
		if err != nil {
			return err
		}
		c.machines = append(c.machines, m)
		if n > 1 {
			if err := c.connect(ctx, m); err != nil {
				return err
			}
		}
		if err := c.start(m, "containerd", filepath.Join(c.tools, "containerd"), "-c", filepath.Join(dir, "containerd.toml")); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles writes the files of a node.
func (c *Cluster) writeFiles(dir string, number int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	all, err := template.ParseFS(files, "files/*")
	if err != nil {
		return err
	}
	values := map[string]any{"Pause": pauseImage, "Tools": c.tools, "Number": number, "Address": fmt.Sprintf("10.88.%d.1", number)}
	for _, t := range all.Templates() {
		var text strings.Builder
		if err := t.Execute(&text, values); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, t.Name()), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// connect lays a cable from the bridge of a node to that of the first one: all pods are in one network.
func (c *Cluster) connect(ctx context.Context, m *machine) error {
	here := fmt.Sprint("to-", m.number)
	// The number of a process is that of this machine's namespace, so this command is not run inside.
	first := c.machines[0].init.Process.Pid
	add := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(first), "--net", "ip", "link", "add", here, "type", "veth",
		"peer", "name", "uplink", "netns", strconv.Itoa(m.init.Process.Pid))
	if out, err := add.CombinedOutput(); err != nil {
		return fmt.Errorf("cable to node %d: %w\n%s", m.number, err, out)
	}
	if _, err := c.machines[0].run(ctx, "ip", "link", "set", here, "master", "cni0", "up"); err != nil {
		return err
	}
	_, err := m.run(ctx, "ip", "link", "set", "uplink", "master", "cni0", "up")
	return err
}

// start starts a service of a node. Its output is in a file of the node's folder.
func (c *Cluster) start(m *machine, name, program string, args ...string) error {
	log, err := os.Create(filepath.Join(m.dir, name+".log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(program, args...) //nolint:noctx // it ends with the machine
	cmd.Env = append(os.Environ(), "PATH="+c.tools+":"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := m.start(cmd); err != nil {
		return fmt.Errorf("%s on node %d: %w", name, m.number, err)
	}
	go func() { _ = cmd.Wait() }() // reaps; the machine ends it
	return log.Close()
}

// loadImages imports the images into containerd on each node.
func (c *Cluster) loadImages(ctx context.Context) error {
	pause := filepath.Join(c.dir, "pause.tar")
	if err := writePauseImage(pause, c.pause); err != nil {
		return err
	}
	for _, m := range c.machines {
		ctr := filepath.Join(c.tools, "ctr")
		if err := waitFor(readyWithin, func() bool { _, err := m.run(ctx, ctr, "version"); return err == nil }); err != nil {
			return fmt.Errorf("containerd on node %d: %w", m.number, err)
		}
		for _, archive := range append([]string{pause}, c.Archives...) {
			if _, err := m.run(ctx, ctr, "-n", "k8s.io", "images", "import", archive); err != nil {
				return err
			}
		}
	}
	return nil
}

// startKubelets starts the kubelets and waits for the nodes.
func (c *Cluster) startKubelets(ctx context.Context) error {
	for _, m := range c.machines {
		config := fmt.Sprintf("node-%d.conf", m.number)
		if err := c.writeKubeconfig(config, c.nodeToken(m.number)); err != nil {
			return err
		}
		err := c.start(m, "kubelet", c.controlplane, "kubelet", "--kubeconfig="+filepath.Join(c.dir, config),
			"--config="+filepath.Join(m.dir, "kubelet.yaml"), fmt.Sprintf("--hostname-override=node-%d", m.number), "--node-ip="+m.address)
		if err != nil {
			return err
		}
	}
	client := c.Client()
	for _, m := range c.machines {
		ready := func() bool {
			n, err := client.CoreV1().Nodes().Get(ctx, fmt.Sprintf("node-%d", m.number), metav1.GetOptions{})
			return err == nil && isReady(n)
		}
		if err := waitFor(readyWithin, ready); err != nil {
			return fmt.Errorf("node %d is not ready: %w\n%s", m.number, err, c.log(m, "kubelet"))
		}
	}
	return nil
}

func isReady(n *corev1.Node) bool {
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// log returns the end of the output of a service.
func (c *Cluster) log(m *machine, name string) string {
	text, _ := os.ReadFile(filepath.Join(m.dir, name+".log"))
	return string(text[max(0, len(text)-4000):])
}

// Config is how the cluster's administrator connects, from inside of the cluster's network.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{
		Host: "https://" + serviceAddress, BearerToken: c.token, QPS: -1, Dial: c.machines[0].dial,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(c.dir, "certs", "apiserver.crt")},
	}
}

// Client returns a client for the cluster's administrator.
func (c *Cluster) Client() *kubernetes.Clientset { return kubernetes.NewForConfigOrDie(c.Config()) }

// HTTP returns a client whose connections begin on a node, numbered from 1: it reaches pods by their addresses.
func (c *Cluster) HTTP(node int) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: c.machines[node-1].dial}, Timeout: 30 * time.Second}
}
