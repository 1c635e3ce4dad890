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

// TestNoSecretValueIsInMemory: the memory of a process holds no part of a value of a Secret or ConfigMap, neither after
// lists in either form, nor after events, nor after consistency checks. The values are random, and only the API server
// has them, which is another process than the one that is read.
func TestNoSecretValueIsInMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: the memory of another process is read from /proc, which is Linux")
	}
	binary := filepath.Join(t.TempDir(), "statefleet") // without the race detector, whose memory is too much to read
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
			s := newSecretWorld(t, c.options)
			p := s.exporter(t, binary, c.flags...)
			lines := p.Samples(t)
			if n := exporter.Count(lines, "kube_secret_type{"); n != c.types || exporter.Count(lines, "kube_configmap_info{") != secretCount {
				t.Fatalf("%d samples of kube_secret_type, want %d; the page:\n%s", n, c.types, strings.Join(lines, ""))
			}
			if n := exporter.Count(lines, "own_"); c.flags != nil && c.types > 0 && n != 2*secretCount {
				t.Errorf("%d samples of custom resource entries, want %d:\n%s", n, 2*secretCount, strings.Join(lines, ""))
			}
			if c.types > 0 && exporter.Count(lines, `kube_secret_type{namespace="vault",secret="sealed-0",type="example.com/sealed"} 1`) != 1 {
				t.Errorf("no type on the page:\n%s", strings.Join(lines, ""))
			}
			s.put(t, 1) // every object is changed
			exporter.Eventually(t, "the changes are on the page", func() bool {
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

// secretCount is how many Secrets there are, and how many ConfigMaps.
const secretCount = 4

// secretWorld is an API server with Secrets and ConfigMaps whose values no other process has.
type secretWorld struct {
	cluster *simulator.Cluster
	api     string
	name    string // stands in the metadata of each object, which may be known
	value   string // of which each value is many repetitions, so that a part of a value is found, too
}

func newSecretWorld(t *testing.T, o simulator.Options) *secretWorld {
	t.Helper()
	s := &secretWorld{cluster: simulator.New(o), name: rand.Text(), value: rand.Text()[:24]}
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
func (s *secretWorld) put(t *testing.T, round int) {
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

// exporter runs a process that exports the objects.
func (s *secretWorld) exporter(t *testing.T, binary string, flags ...string) *memoryProgram {
	t.Helper()
	args := append([]string{
		s.api, "--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1", "--telemetry-port=0", "--resources=secrets,configmaps",
		"--metric-labels-allowlist=secrets=[*],configmaps=[*]", "--consistency.check-interval=200ms", "--telemetry.pprof",
	}, flags...)
	p := &memoryProgram{Exporter: exporter.New()}
	p.child = exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...) // ended below
	p.child.Stderr = &p.Log
	if err := p.child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Client.CloseIdleConnections()
		_ = p.child.Process.Signal(syscall.SIGTERM)
		if err := p.child.Wait(); err != nil || t.Failed() {
			t.Errorf("%v; its log:\n%s", err, p.Log.String())
		}
	})
	p.Listen(t)
	return p
}

// memoryProgram is a program that runs as another process.
type memoryProgram struct {
	*exporter.Exporter
	child *exec.Cmd
}

// search reads the memory as it is, and again after garbage collections.
func (s *secretWorld) search(t *testing.T, p *memoryProgram) {
	t.Helper()
	for range 2 {
		memory := p.memory(t)
		if !bytes.Contains(memory, []byte(s.name)) {
			t.Fatal("a label of the objects, which is on the page, is not found: the memory was not read")
		}
		// JSON has values in base64, which makes repetitions of repetitions of three bytes.
		encoded := base64.StdEncoding.EncodeToString([]byte(s.value))
		if n := bytes.Count(memory, []byte(s.value)) + bytes.Count(memory, []byte(encoded)); n > 0 {
			t.Errorf("%d bytes of values are in memory", n*len(s.value))
		}
		for range 3 {
			p.Get(t, p.Telemetry, "/debug/pprof/heap?gc=1")
		}
	}
}

// memory returns what the process can write, without what is empty.
func (p *memoryProgram) memory(t *testing.T) []byte {
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
			// Pages that were given back since then cannot be read.
			if n, err := mem.ReadAt(chunk, int64(at)); err == nil && !bytes.Equal(chunk[:n], empty) {
				all = append(all, chunk[:n]...)
			}
		}
	}
	return all
}
