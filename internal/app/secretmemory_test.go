package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// TestNoSecretValueIsInMemory checks that the memory of a process contains no part of a value of a Secret or ConfigMap,
// after lists in either form, after events, and after consistency checks. The values are random. Only the API server
// has them, and it is in another process than the one whose memory is read.
func TestNoSecretValueIsInMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: the memory of another process is read from /proc, which is Linux")
	}
	binary := filepath.Join(t.TempDir(), "statefleet") // without the race detector, whose memory is too large to read
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/statefleet")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct {
		name    string
		options simulator.Options
		flags   []string
		types   int // samples of kube_secret_type
	}{
		{name: "streamed lists of Tables", types: secretCount},
		{name: "paged lists of Tables", options: simulator.Options{NoWatchList: true}, types: secretCount},
		{name: "streamed lists of metadata", flags: []string{"--metric-denylist=kube_secret_type"}},
		{name: "paged lists of metadata", options: simulator.Options{NoWatchList: true}, flags: []string{"--metric-denylist=kube_secret_type"}},
		{name: "custom resource entries, streamed", types: secretCount, flags: []string{secretEntries}},
		{name: "custom resource entries, paged", options: simulator.Options{NoWatchList: true}, types: secretCount, flags: []string{secretEntries}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSecretCluster(t, c.options)
			p := s.startExporter(t, binary, c.flags...)
			lines := p.Samples(t)
			if n := exporter.Count(lines, "kube_secret_type{"); n != c.types || exporter.Count(lines, "kube_configmap_info{") != secretCount {
				t.Fatalf("got %d samples of kube_secret_type, want %d; the exposition:\n%s",
					n, c.types, strings.Join(lines, ""))
			}
			if n := exporter.Count(lines, "own_"); c.flags != nil && c.types > 0 && n != 2*secretCount {
				t.Errorf("got %d samples of custom resource entries, want %d:\n%s",
					n, 2*secretCount, strings.Join(lines, ""))
			}
			if c.types > 0 && exporter.Count(lines, `kube_secret_type{namespace="vault",secret="sealed-0",type="example.com/sealed"} 1`) != 1 {
				t.Errorf("the exposition lacks the type of a Secret:\n%s", strings.Join(lines, ""))
			}
			s.put(t, 1) // changes every object
			exporter.Eventually(t, "the changes are exposed", func() bool {
				_, text := p.Get(t, p.Metrics, "/metrics")
				return strings.Count(text, `label_round="1"`) == 2*secretCount
			})
			exporter.Eventually(t, "consistency checks have read lists", func() bool {
				_, text := p.Get(t, p.Telemetry, "/metrics")
				equal := regexp.MustCompile(`statefleet_consistency_checks_total{resource="(secrets|configmaps)",result="equal"} [1-9]`)
				return len(equal.FindAllString(text, -1)) == 2
			})
			s.search(t, p)
		})
	}
}

// secretEntries are entries of Secrets and ConfigMaps.
const secretEntries = `--custom-resource-state-config={kind: CustomResourceStateMetrics, spec: {resources: [
{groupVersionKind: {group: "", version: v1, kind: Secret}, metricNamePrefix: own, labelsFromPath: {uid: [metadata, uid]}, metrics: [
  {name: secret, each: {type: Info, info: {labelsFromPath: {type: [type]}}}}]},
{groupVersionKind: {group: "", version: v1, kind: ConfigMap}, metricNamePrefix: own, labelsFromPath: {uid: [metadata, uid]}, metrics: [
  {name: map, each: {type: Info, info: {labelsFromPath: {name: [metadata, name]}}}}]}]}}`

// secretCount is the number of Secrets, and that of ConfigMaps.
const secretCount = 4

// secretCluster is an API server with Secrets and ConfigMaps whose values no other process knows.
type secretCluster struct {
	cluster *simulator.Cluster
	api     string
	name    string // a label of each object; it may be in memory
	value   string // each value repeats it, so that a search also finds a part of a value
}

func newSecretCluster(t *testing.T, o simulator.Options) *secretCluster {
	t.Helper()
	s := &secretCluster{cluster: simulator.New(o), name: rand.Text(), value: rand.Text()[:24]}
	server, err := s.cluster.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	s.api = "--apiserver=" + server.URL()
	s.put(t, 0)
	return s
}

// put creates or changes all objects.
func (s *secretCluster) put(t *testing.T, round int) {
	t.Helper()
	for i := range secretCount {
		meta := metav1.ObjectMeta{
			Namespace: "vault", Name: "sealed-" + strconv.Itoa(i),
			Labels: map[string]string{"round": strconv.Itoa(round), "name": s.name},
		}
		text := strings.Repeat(s.value, 800)
		for _, o := range []simulator.Object{
			&corev1.Secret{ObjectMeta: meta, Type: "example.com/sealed", Data: map[string][]byte{"key": []byte(text)}},
			&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"key": text}, BinaryData: map[string][]byte{"bin": []byte(text)}},
		} {
			if err := s.cluster.Put(o); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// startExporter starts a process that exports the objects.
func (s *secretCluster) startExporter(t *testing.T, binary string, flags ...string) *childProcess {
	t.Helper()
	args := append([]string{
		s.api, "--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1", "--telemetry-port=0", "--resources=secrets,configmaps",
		"--metric-labels-allowlist=secrets=[*],configmaps=[*]", "--consistency.check-interval=200ms", "--telemetry.pprof",
	}, flags...)
	p := &childProcess{Exporter: exporter.New()}
	p.child = exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...) // the cleanup below ends it
	p.child.Stderr = &p.Log
	if err := p.child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Client.CloseIdleConnections()
		_ = p.child.Process.Signal(syscall.SIGTERM)
		if err := p.child.Wait(); err != nil || t.Failed() {
			t.Errorf("the process ended with %v; its log:\n%s", err, p.Log.String())
		}
	})
	p.Listen(t)
	return p
}

// childProcess is an exporter in a process of its own.
type childProcess struct {
	*exporter.Exporter
	child *exec.Cmd
}

// search searches the memory of the process, and again after garbage collections.
func (s *secretCluster) search(t *testing.T, p *childProcess) {
	t.Helper()
	for range 2 {
		memory := p.memory(t)
		if !bytes.Contains(memory, []byte(s.name)) {
			t.Fatal("the memory lacks a label of the objects, which is exposed: it was not read")
		}
		// JSON holds values in base64, which preserves the repetitions because the length of value is a multiple of
		// three.
		encoded := base64.StdEncoding.EncodeToString([]byte(s.value))
		if n := bytes.Count(memory, []byte(s.value)) + bytes.Count(memory, []byte(encoded)); n > 0 {
			t.Errorf("got %d bytes of values in memory, want none", n*len(s.value))
		}
		for range 3 {
			p.Get(t, p.Telemetry, "/debug/pprof/heap?gc=1")
		}
	}
}

// memory returns the writable memory of the process without pages of zeros.
func (p *childProcess) memory(t *testing.T) []byte {
	t.Helper()
	process := fmt.Sprintf("/proc/%d/", p.child.Process.Pid)
	maps, err := os.ReadFile(process + "maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(process + "mem")
	if os.IsPermission(err) {
		t.Skip("NOT TESTED: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mem.Close() }()
	var all []byte
	chunk, empty := make([]byte, os.Getpagesize()), make([]byte, os.Getpagesize())
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var access string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for at := from; strings.HasPrefix(access, "rw") && at < to; at += uint64(len(chunk)) {
			// Pages that the process has released since then cannot be read.
			if n, err := mem.ReadAt(chunk, int64(at)); err == nil && !bytes.Equal(chunk[:n], empty) {
				all = append(all, chunk[:n]...)
			}
		}
	}
	return all
}
