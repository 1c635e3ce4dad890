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

// serviceAddress is the address of the Service default/kubernetes.
const serviceAddress = "10.0.0.1"

// readyTimeout is far more than a component takes to become ready, because the host may be busy.
const readyTimeout = 3 * time.Minute

// minFreeDisk is more than the bytes that a cluster writes to disk, most of them for etcd and images.
const minFreeDisk = 1 << 30

// ErrUnsupported is wrapped by errors of [Start] that name something which the host lacks.
var ErrUnsupported = errors.New("this host cannot run nodes")

// Options configure a Cluster.
type Options struct {
	// Nodes is the number of nodes, at least 1. They are named node-1 and so on.
	Nodes int
	// Archives are paths of image archives, as "docker save" and "make image" write them. Each node gets all of them.
	Archives []string
}

// Cluster is a running cluster. All methods except Stop may be called concurrently.
type Cluster struct {
	Options
	*folder
	groups       cgroups
	tools        string // folder with containerd and the other programs of a node
	controlplane string
	pause        string
	token        string
	machines     []*machine
}

// Start starts a cluster and returns when all nodes are ready. The caller must call Stop. If the process ends before
// that, the cluster ends with it. The error wraps [ErrUnsupported] if the host lacks something that nodes need.
func Start(ctx context.Context, o Options) (c *Cluster, err error) {
	if why := missingRequirement(os.Geteuid()); why != "" {
		return nil, fmt.Errorf("%w: %s", ErrUnsupported, why)
	}
	c = &Cluster{Options: o}
	if c.groups, err = findCgroups(cgroupRoot); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err := errors.Join(sweepFolders(os.TempDir()), c.groups.sweep()); err != nil {
		return nil, fmt.Errorf("removing leftovers of a killed process: %w", err)
	}
	if err := checkFreeSpace(os.TempDir(), minFreeDisk); err != nil {
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

// Stop ends the cluster and removes its files. It must be called once.
func (c *Cluster) Stop() error {
	var errs []error
	for _, m := range c.machines {
		errs = append(errs, m.stop())
	}
	return errors.Join(append(errs, c.remove())...)
}

// Versions returns one line with the versions of kubelet, container runtime, runc and kernel, and of control groups.
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
	info := n.Status.NodeInfo
	return fmt.Sprintf("kubelet %s, %s, %s, %s, Linux %s", info.KubeletVersion, info.ContainerRuntimeVersion, first, c.groups, info.KernelVersion), nil
}

// missingRequirement names a requirement of nodes that the host does not meet for a user, or returns "".
func missingRequirement(user int) string {
	if user != 0 {
		return "nodes need root"
	}
	for _, program := range []string{"runc", "bash", "unshare", "nsenter", "mount", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			return "nodes need the program " + program
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
	c.controlplane, err = controlplane.Build()
	return err
}

// startMachines creates the nodes, connects them, and starts containerd on each.
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

// writeFiles writes the configuration files of a node.
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

// connect links the bridge of a node with that of the first node, so that all pods are in one network.
func (c *Cluster) connect(ctx context.Context, m *machine) error {
	link := fmt.Sprint("to-", m.number)
	// The PIDs are those of the host's PID namespace, so the command does not run inside a machine.
	first := c.machines[0].init.Process.Pid
	add := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(first), "--net", "ip", "link", "add", link, "type", "veth",
		"peer", "name", "uplink", "netns", strconv.Itoa(m.init.Process.Pid))
	if out, err := add.CombinedOutput(); err != nil {
		return fmt.Errorf("linking node 1 with node %d: %w\n%s", m.number, err, out)
	}
	if _, err := c.machines[0].run(ctx, "ip", "link", "set", link, "master", "cni0", "up"); err != nil {
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
		if err := waitFor(readyTimeout, func() bool { _, err := m.run(ctx, ctr, "version"); return err == nil }); err != nil {
			return fmt.Errorf("waiting for containerd on node %d: %w", m.number, err)
		}
		for _, archive := range append([]string{pause}, c.Archives...) {
			if _, err := m.run(ctx, ctr, "-n", "k8s.io", "images", "import", archive); err != nil {
				return err
			}
		}
	}
	return nil
}

// startKubelets starts the kubelets and waits until all nodes are ready.
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
		if err := waitFor(readyTimeout, ready); err != nil {
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
