package config

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

// writeConfig writes a configuration file and returns the flag that names it.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "--config=" + name
}

func allFlags() []*kingpin.FlagModel {
	app := kingpin.New("test", "")
	newConfig().declare(app, nil)
	return app.Model().Flags
}

func TestSettingsBecomeArguments(t *testing.T) {
	known := allFlags()
	f := func(text string, want ...string) {
		t.Helper()
		entries, err := parseYAML("f", []byte(text), known)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.args...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	f("{}")
	f("port: 8080", "--port=8080")
	f("resources: [pods, jobs]", "--resources=pods", "--resources=jobs")
	f("resources: pods,jobs", "--resources=pods,jobs")
	f("resources: []")
	f("resources: {pods: {}, jobs: null}", "--resources=pods", "--resources=jobs")
	f("use-apiserver-cache: true\nauto-gomemlimit: False", "--use-apiserver-cache", "--no-auto-gomemlimit")
	f("server-read-timeout: 1m30s\nobject-limit: 0", "--server-read-timeout=1m30s", "--object-limit=0")
	f("store.raw-bytes: 32MiB\nkube-api-qps: 0.5", "--store.raw-bytes=32MiB", "--kube-api-qps=0.5")
	f(`node: "12"`, "--node=12")
	f("node: 012\nport: '8080'", "--node=012", "--port=8080")
	f("node: ''", "--node=")
	f("metric-labels-allowlist: {pods: [app, team/*], '*': []}", "--metric-labels-allowlist=pods=[app,team/*]",
		"--metric-labels-allowlist=*=[]")
	f("metric-labels-allowlist: ['pods=[app]']", "--metric-labels-allowlist=pods=[app]")
	f("namespaces: &all [a, b]\nnamespaces-denylist: *all", "--namespaces=a", "--namespaces=b", "--namespaces-denylist=a",
		"--namespaces-denylist=b")
	f("custom-resource-state-config: |\n  spec: {}\n", "--custom-resource-state-config=spec: {}\n")
}

func TestConfigFileOfKubeStateMetricsKeepsItsMeaning(t *testing.T) {
	c := mustLoad(t, writeConfig(t, `
annotations_allow_list:
  pods: [team]
auto-gomemlimit: false
auto-gomemlimit-ratio: 0.5
custom_resources_only: false
enable_gzip_encoding: true
host: 127.0.0.1
labels_allow_list:
  "*": [app]
  nodes:
  - kubernetes.io/os
metric_denylist:
  kube_pod_info: {}
namespace: monitoring
namespaces_denylist: [a]
pod: statefleet-1
port: 9000
resources:
  pods: {}
  nodes: {}
server_read_timeout: 30s
telemetry_port: 9001
tls_config: web.yaml
track_unscheduled_pods: true
use_api_server_cache: true
`))
	if got := c.KindNames(); !slices.Equal(got, []string{"nodes", "pods"}) {
		t.Errorf("got kinds %q, want nodes and pods", got)
	}
	if c.Pod != "statefleet-1" || c.PodNamespace != "monitoring" || c.Listen[0].HostPort != "127.0.0.1:9000" ||
		c.Telemetry.HostPort != ":9001" || c.WebConfigFile != "web.yaml" || !c.TrackUnscheduled || !c.UseAPIServerCache ||
		c.AutoMemLimit || c.AutoMemLimitRatio != 0.5 || c.Timeouts.Read != 30*time.Second || !slices.Equal(c.NamespacesDenied, []string{"a"}) {
		t.Errorf("unexpected configuration: %+v", c)
	}
	if !slices.Equal(c.selection.Deny, []string{"kube_pod_info"}) || !slices.Equal(c.Filter.Labels.Resources(), []string{"nodes"}) ||
		!slices.Equal(c.Filter.Annotations.Resources(), []string{"pods"}) {
		t.Errorf("unexpected configuration: %+v", c)
	}
}

func TestCommandLineWinsOverConfigFile(t *testing.T) {
	c := mustLoad(t, writeConfig(t, "port: 9000\nresources: [pods, nodes]\nuse-apiserver-cache: true\nobject-limit: 7\n"),
		"--port=9001", "--resources=jobs", "--use-apiserver-cache=false")
	if c.Listen[0].HostPort != ":9001" || !slices.Equal(c.KindNames(), []string{"jobs"}) || c.UseAPIServerCache || c.ObjectLimit != 7 {
		t.Errorf("unexpected configuration: %+v", c)
	}
}

// Every flag that is a setting is a key, and every key of kube-state-metrics stands for a flag.
func TestEveryFlagIsAKey(t *testing.T) {
	flags := allFlags()
	for _, f := range flags {
		for _, key := range []string{f.Name, strings.ReplaceAll(f.Name, "-", "_")} {
			if got := lookUp(flags, key); isSetting(f) && got != f || !isSetting(f) && got != nil {
				t.Errorf("key %s: got the flag %v, want %s if it is a setting, else none", key, got, f.Name)
			}
		}
		if typeOf(f) == "" {
			t.Errorf("%s has no type", f.Name)
		}
	}
	for name, flag := range ksmAliases() {
		if f := lookUp(flags, name); f == nil || f.Name != flag {
			t.Errorf("key %s: got the flag %v, want %s", name, f, flag)
		}
	}
}

// FuzzParseYAML checks that any content sets flags, or gives an error that names the file.
func FuzzParseYAML(f *testing.F) {
	f.Add("resources: [pods, {a: b}]\nport: 1")
	f.Add("labels_allow_list: {pods: [a], '*': *x}")
	f.Add("a: &a [*a]\nresources: *a")
	f.Add("<<: {port: 1}")
	f.Add("? [a]\n: b")
	known := allFlags()
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parseYAML("FILE", []byte(text), known)
		if err != nil && !strings.HasPrefix(err.Error(), "--config: FILE:") {
			t.Errorf("the error does not name the file: %v", err)
		}
		for _, e := range entries {
			for _, a := range e.args {
				if !strings.HasPrefix(a, "--"+e.flag) && !strings.HasPrefix(a, "--no-"+e.flag) {
					t.Errorf("key %s: got the argument %q, want one for --%s", e.key, a, e.flag)
				}
			}
		}
	})
}

// An unreadable file is watched, too: it may be created later.
func TestUnreadableFileIsRecordedNextToTheError(t *testing.T) {
	c, _, err := Load([]string{"--config=no-such-file"}, io.Discard, io.Discard)
	if err == nil || len(c.Files) != 1 || !c.Files[0].Missing || c.Files[0].Name != "no-such-file" {
		t.Errorf("got files %+v and error %v, want the missing file and an error", c.Files, err)
	}
}
