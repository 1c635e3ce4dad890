package node

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/controlplane"
)

//go:embed files
var files embed.FS

// serviceAddress is that of the Service default/kubernetes.
const serviceAddress = "10.0.0.1"

// readyWithin is far more than it takes: the machine may be busy.
const readyWithin = 3 * time.Minute

// diskNeeded is more than a cluster takes of the disk, most of it for etcd and images.
const diskNeeded = 1 << 30

// ErrUnsupported is what errors wrap that say what this machine lacks.
var ErrUnsupported = errors.New("nodes cannot be made on this machine")

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
	*folder
	groups       cgroups
	tools        string // folder of containerd and the others
	controlplane string
	pause        string
	token        string
	machines     []*machine
}

// Start starts a cluster and returns when all nodes are ready. The caller stops it; it ends with the process at the
// latest. The error wraps [ErrUnsupported] where no machine can be made.
func Start(ctx context.Context, o Options) (c *Cluster, err error) {
	if why := missing(os.Geteuid()); why != "" {
		return nil, fmt.Errorf("%w: %s", ErrUnsupported, why)
	}
	c = &Cluster{Options: o}
	c.Nodes = max(c.Nodes, 1)
	if c.groups, err = findCgroups(cgroupRoot); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err := errors.Join(sweepFolders(os.TempDir()), c.groups.sweep()); err != nil {
		return nil, fmt.Errorf("leftovers of a process that was killed: %w", err)
	}
	if err := enoughDisk(os.TempDir(), diskNeeded); err != nil {
		return nil, err
	}
	if c.folder, err = newFolder(os.TempDir()); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{c.build, c.startMachines, c.startAPIServer, c.loadImages, c.startKubelets} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
	}
	return c, nil
}

// Stop ends the cluster and removes its files.
func (c *Cluster) Stop() error {
	var errs []error
	for _, m := range c.machines {
		errs = append(errs, m.stop())
	}
	return errors.Join(append(errs, c.remove())...)
}

// Versions says which programs the nodes run, and with which control groups.
func (c *Cluster) Versions(ctx context.Context) (string, error) {
	n, err := c.Client().CoreV1().Nodes().Get(ctx, "node-1", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	runc, err := exec.CommandContext(ctx, "runc", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("runc --version: %w", err)
	}
	first, _, _ := strings.Cut(string(runc), "\n")
	is := n.Status.NodeInfo
	return fmt.Sprintf("kubelet %s, %s, %s, %s, Linux %s", is.KubeletVersion, is.ContainerRuntimeVersion, first, c.groups, is.KernelVersion), nil
}

// missing returns what a cluster needs and a user of this machine does not have, or "".
func missing(user int) string {
	if user != 0 {
		return "nodes need root"
	}
	for _, program := range []string{"runc", "bash", "unshare", "nsenter", "mount", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			return "nodes need " + program
		}
	}
	return ""
}

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
	for n := 1; n <= c.Nodes; n++ {
		dir := filepath.Join(c.dir, fmt.Sprint("node-", n))
		if err := c.writeFiles(dir, n); err != nil {
			return err
		}
		m, err := newMachine(dir, n, c.pause, c.groups)
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
