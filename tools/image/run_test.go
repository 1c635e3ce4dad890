package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// memoryLimit is the memory limit of the container. The Go runtime must derive its limit from it.
const memoryLimit = 256 << 20

// TestImageRunsUnderRunc runs the image in the folder IMAGE with its own configuration: read-only, without
// capabilities, with a memory limit.
func TestImageRunsUnderRunc(t *testing.T) {
	dir := os.Getenv("IMAGE")
	switch _, err := exec.LookPath("runc"); {
	case dir == "":
		t.Skip(`NOT TESTED: no image; "make image-test" builds one`)
	case err != nil:
		t.Skip("NOT TESTED: runc is not installed")
	case os.Geteuid() != 0:
		t.Skip("NOT TESTED: runc needs root here")
	}
	api := simulator(t)
	bundle, image := t.TempDir(), imageFor(t, dir, runtime.GOARCH)
	extract(t, image, filepath.Join(bundle, "rootfs"))
	metrics, telemetry := freePort(t), freePort(t)
	writeConfig(t, image, bundle, "--apiserver="+api, "--host=127.0.0.1", "--port="+metrics,
		"--telemetry-host=127.0.0.1", "--telemetry-port="+telemetry)

	id := fmt.Sprintf("statefleet-image-test-%d", os.Getpid())
	var output bytes.Buffer
	container := exec.CommandContext(t.Context(), "runc", "run", "--bundle", bundle, id)
	container.Stdout, container.Stderr = &output, &output
	if err := container.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- container.Wait() }()
	defer func() { _ = exec.Command("runc", "delete", "--force", id).Run() }()
	exposition := waitForExposition(t, "http://127.0.0.1:"+metrics+"/metrics", ended, &output)
	if n := strings.Count(exposition, "\nkube_pod_info{"); n < 100 {
		t.Errorf("got %d pods in the exposition, want at least 100", n)
	}
	checkProcess(t, id)
	if self := get(t, "http://127.0.0.1:"+telemetry+"/metrics"); !strings.Contains(self, "\ngo_gc_gomemlimit_bytes 2.4") {
		t.Errorf("the memory limit of the Go runtime does not follow that of the container: %s",
			regexp.MustCompile(`\ngo_gc_gomemlimit_bytes .*`).FindString(self))
	}
	if err := exec.CommandContext(t.Context(), "runc", "kill", id, "TERM").Run(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("exit: %v\n%s", err, &output)
		}
	case <-time.After(time.Minute):
		t.Errorf("still running a minute after SIGTERM:\n%s", &output)
	}
}

// simulator runs a simulated cluster and returns the URL of its API server.
func simulator(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "benchmarks")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../..", "-o", program, "./benchmarks")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := exec.CommandContext(t.Context(), program, "apisim", "--listen=127.0.0.1:0", "--pods=300")
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	output, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Wait() })
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if m := regexp.MustCompile(`Serving .* at (\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return m[1]
		}
	}
	t.Fatal("the simulated cluster has ended")
	return ""
}

func imageFor(t *testing.T, dir, arch string) v1.Image {
	t.Helper()
	index, _, _, err := readLayout(filepath.Join(dir, layoutDir))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifest.Manifests {
		if m.Platform.Architecture == arch {
			image, err := index.Image(m.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return image
		}
	}
	t.Skipf("NOT TESTED: there is no image for %s", arch)
	return nil
}

// extract writes the files of an image to a folder.
func extract(t *testing.T, image v1.Image, root string) {
	t.Helper()
	archive := mutate.Extract(image)
	defer func() { _ = archive.Close() }()
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, fs.FileMode(h.Mode))
		} else {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, fs.FileMode(h.Mode)))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// writeConfig writes the configuration of the container as in the OCI runtime specification. The container uses the
// network of this machine, because the simulated cluster listens there.
func writeConfig(t *testing.T, image v1.Image, bundle string, args ...string) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	user, group, _ := strings.Cut(config.Config.User, ":")
	uid, errUID := strconv.Atoi(user)
	gid, errGID := strconv.Atoi(group)
	if err := errors.Join(errUID, errGID); err != nil {
		t.Fatal(err)
	}
	type object map[string]any
	type list []any
	none := list{}
	text, err := json.MarshalIndent(object{
		"ociVersion": "1.0.2",
		"root":       object{"path": "rootfs", "readonly": true},
		"process": object{
			"user": object{"uid": uid, "gid": gid}, "args": append(config.Config.Entrypoint, args...), "env": config.Config.Env,
			"cwd": config.Config.WorkingDir, "noNewPrivileges": true,
			"capabilities": object{"bounding": none, "effective": none, "inheritable": none, "permitted": none, "ambient": none},
		},
		"mounts": list{
			object{"destination": "/proc", "type": "proc", "source": "proc"},
			object{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": list{"ro", "nosuid", "noexec", "nodev"}},
		},
		"linux": object{
			"namespaces": list{object{"type": "pid"}, object{"type": "mount"}, object{"type": "ipc"}, object{"type": "uts"}},
			"resources":  object{"memory": object{"limit": memoryLimit}},
		},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// waitForExposition waits until the container serves its exposition, and returns it.
func waitForExposition(t *testing.T, url string, ended chan error, output *bytes.Buffer) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if text := get(t, url); text != "" {
			return text
		}
		select {
		case err := <-ended:
			t.Fatalf("the container has ended: %v\n%s", err, output)
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatal("the container has not served its exposition within a minute")
	return ""
}

// checkProcess checks user, capabilities and file system of the container's process.
func checkProcess(t *testing.T, id string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "runc", "state", id).Output()
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ Pid int }
	if err := json.Unmarshal(out, &state); err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/", state.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nUid:\t65534\t65534", "\nGid:\t65534\t65534", "\nCapEff:\t0000000000000000\n", "\nNoNewPrivs:\t1\n"} {
		if !bytes.Contains(status, []byte(want)) {
			t.Errorf("the status of the process lacks %q:\n%s", want, status)
		}
	}
	if err := os.WriteFile(proc+"root/written", nil, 0o600); !errors.Is(err, fs.ErrPermission) && !strings.Contains(fmt.Sprint(err), "read-only") {
		t.Errorf("write to the root file system: got error %v, want a read-only file system", err)
	}
}
