package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// confined runs the binary in a network namespace without routes, where the kernel counts
// packets that find no route, and with a read-only root that holds only the binary.
const confined = `
unrouted() { awk '/^Ip:/ && !names { names = 1; for (i = 1; i <= NF; i++) if ($i == "OutNoRoutes") at = i; next }
  /^Ip:/ { n += $at } /^Ip6OutNoRoutes/ { n += $2 } END { print n }' /proc/net/snmp /proc/net/snmp6; }
ip link set lo up
"$1/benchmarks" apisim --listen=127.0.0.1:6443 --pods=50 & api=$!
sleep 1
before=$(unrouted)
mkdir "$1/root"
mount -t tmpfs tmpfs "$1/root"
cp "$1/statefleet" "$1/root/"
mount -o remount,ro "$1/root"
if touch "$1/root/x" 2>/dev/null; then echo "the root can be written"; exit 1; fi
chroot "$1/root" /statefleet --apiserver=http://127.0.0.1:6443 --port=8080 --telemetry-port=8081 & exporter=$!
for i in $(seq 100); do
  if curl -sf http://127.0.0.1:8080/readyz >/dev/null; then ready=yes; break; fi
  sleep 0.2
done
echo "ready=${ready:-no}"
echo "pods=$(curl -s http://127.0.0.1:8080/metrics | grep -c '^kube_pod_info{')"
curl -s http://127.0.0.1:8081/ >/dev/null
kill $exporter; wait $exporter || echo "ended with $?"
echo "sent=$(($(unrouted) - before))"
curl -s -m 1 http://198.51.100.1/ || true
echo "counted=$(($(unrouted) - before))"
kill $api
`

// TestConfined proves two promises of docs/security.md: the root file system can be
// read-only, and the process sends nothing except to the API server and to clients.
func TestConfined(t *testing.T) {
	for _, tool := range []string{"unshare", "ip", "curl", "chroot", "mount", "awk"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NOT TESTED: %s is not installed", tool)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "-rnm", "true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: cannot create namespaces: %v: %s", err, out)
	}
	dir := t.TempDir()
	for name, path := range map[string]string{"statefleet": ".", "benchmarks": "../../benchmarks"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, name), path)
		build.Env = append(build.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	out, err := exec.CommandContext(t.Context(), "unshare", "-rnm", "--fork", "sh", "-eu", "-c", confined, "sh", dir).CombinedOutput()
	text := string(out)
	for _, want := range []string{"ready=yes", "sent=0\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	// Without counted packets, sent=0 would prove nothing.
	for _, unwanted := range []string{"pods=0", "counted=0", "ended with"} {
		if strings.Contains(text, unwanted) {
			t.Errorf("the output contains %q", unwanted)
		}
	}
	if err != nil || t.Failed() {
		t.Errorf("%v\n%s", err, text)
	}
}
