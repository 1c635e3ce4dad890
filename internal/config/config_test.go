package config

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// mustLoad returns the Config of a valid command line.
func mustLoad(t *testing.T, args ...string) *Config {
	t.Helper()
	c, done, err := Load(args, io.Discard, io.Discard)
	if err != nil || done {
		t.Fatalf("%q: done %v, %v", args, done, err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := mustLoad(t)
	if len(c.Listen) != 1 || c.Listen[0].HostPort != ":8080" || c.Telemetry.HostPort != ":8081" {
		t.Errorf("got addresses %v and %v, want :8080 and :8081", c.Listen, c.Telemetry)
	}
	if c.Assignment.Ordinal != 0 || c.Assignment.Total != 1 {
		t.Errorf("got assignment %v, want shard 0 of 1", c.Assignment)
	}
	if c.RawBytes != 32<<20 || c.APIQPS != 100 || c.APIBurst != 200 || !c.AutoMemLimit || c.AutoMemLimitRatio != 0.9 ||
		c.MaxRequests != 40 || c.Connections != (web.ConnectionLimits{Max: 512, PerClient: 128}) || c.PathPrefix != "" || c.Audiences != nil || c.AuthFilter || c.Profiling || c.SystemdSocket {
		t.Errorf("unexpected defaults: %+v", c)
	}
	for _, k := range c.Kinds {
		if !k.Default {
			t.Errorf("%s is enabled, but not a default kind", k.Name())
		}
	}
	if len(c.Kinds) == 0 {
		t.Error("no kind is enabled")
	}
}

func TestFlagsOfKubeStateMetricsKeepTheirMeaning(t *testing.T) {
	c := mustLoad(t, "--port=9000", "--host", "127.0.0.1", "--telemetry-host=::1", "--telemetry-port", "9001",
		"--resources=pods,jobs", "--resources", "nodes", "--namespaces=", "--namespaces-denylist=a,b",
		"--metric-labels-allowlist=pods=[app,tier],jobs=[*]", "--metric-labels-allowlist=nodes=[zone]",
		"--enable-gzip-encoding=true", "--use-apiserver-cache=true", "--track-unscheduled-pods=false", "--auto-gomemlimit=false",
		"--object-limit=500", "--shard=1", "--total-shards=3", "--server-write-timeout=10s", "--node=", "--pod=")
	if c.Listen[0].HostPort != "127.0.0.1:9000" || c.Telemetry.HostPort != "[::1]:9001" {
		t.Errorf("got addresses %v and %v, want 127.0.0.1:9000 and [::1]:9001", c.Listen, c.Telemetry)
	}
	if got, want := c.KindNames(), []string{"jobs", "nodes", "pods"}; !slices.Equal(got, want) {
		t.Errorf("got kinds %q, want %q", got, want)
	}
	if len(c.Namespaces) != 0 || !slices.Equal(c.NamespacesDenied, []string{"a", "b"}) {
		t.Errorf("got namespaces %q, denied %q; want all namespaces, denied a and b", c.Namespaces, c.NamespacesDenied)
	}
	if got := c.Filter.Labels.Resources(); !slices.Equal(got, []string{"jobs", "nodes", "pods"}) {
		t.Errorf("got labels of %q, want jobs, nodes and pods", got)
	}
	if !c.raw.gzip || !c.UseAPIServerCache || c.TrackUnscheduled || c.AutoMemLimit || c.ObjectLimit != 500 {
		t.Errorf("unexpected configuration: %+v", c)
	}
	if c.Assignment.Ordinal != 1 || c.Assignment.Total != 3 || c.Timeouts.Write != 10*time.Second {
		t.Errorf("got assignment %v and write timeout %v, want shard 1 of 3 and 10s", c.Assignment, c.Timeouts.Write)
	}
}

// As in kube-state-metrics, the argument after a flag that takes a value is its value, unless it is a flag.
func TestSeparateValueMayBeginWithADash(t *testing.T) {
	const config = "---\nkind: CustomResourceStateMetrics\nspec: {resources: []}\n"
	c := mustLoad(t, "--custom-resource-state-config", config, "--metric-denylist", "-created$", "--node", "", "--kubeconfig", "@home")
	if c.raw.custom != config || !slices.Equal(c.selection.Deny, []string{"-created$"}) || c.Node != "" || c.Kubeconfig != "@home" {
		t.Errorf("unexpected configuration: %+v", c)
	}
	for _, args := range [][]string{{"--port", "--host=x"}, {"--port", "-1"}, {"--port"}, {"--auth-filter", "-1"}, {"--port", "--"}, {"---"}} {
		if _, _, err := Load(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: got no error", args)
		}
	}
}

func TestListenAddressesReplaceHostAndPort(t *testing.T) {
	c := mustLoad(t, "--port=9000", "--web.listen-address=127.0.0.1:1", "--web.listen-address=:2")
	var got []string
	for _, a := range c.Listen {
		got = append(got, a.HostPort)
	}
	if want := []string{"127.0.0.1:1", ":2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "1048576": 1 << 20, "32MiB": 32 << 20, "32Mi": 32 << 20, "50MB": 50e6, "1GiB": 1 << 30} {
		if c := mustLoad(t, "--store.raw-bytes="+in); c.RawBytes != want {
			t.Errorf("%s: got %d, want %d", in, c.RawBytes, want)
		}
	}
	for _, in := range []string{"", "-1", "1 GiB", "10EB", "1e30", "9223372036854775808"} {
		if _, _, err := Load([]string{"--store.raw-bytes=" + in}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "--store.raw-bytes") {
			t.Errorf("%s: got the error %v, want one that names --store.raw-bytes", in, err)
		}
	}
}

// A repeated element counts once; elements of repeated flags are joined.
func TestListsAreJoinedWithoutDuplicates(t *testing.T) {
	c := mustLoad(t, "--namespaces=b, a", "--namespaces=", "--namespaces=c,a,", "--metric-denylist=a{1,2},b", "--metric-denylist=c")
	if want := []string{"b", "a", "c"}; !slices.Equal(c.Namespaces, want) {
		t.Errorf("got namespaces %q, want %q", c.Namespaces, want)
	}
	if want := []string{"a{1,2}", "b", "c"}; !slices.Equal(c.selection.Deny, want) {
		t.Errorf("got patterns %q, want %q", c.selection.Deny, want)
	}
}

func TestConfigurationsWithTheSameEffectAreEqual(t *testing.T) {
	config := "custom-resource-state-config: 'kind: CustomResourceStateMetrics'\nresources: [pods, jobs]\n"
	c := mustLoad(t, writeConfig(t, config))
	same := writeConfig(t, "# a comment\nresources: pods,jobs\ncustom_resource_config: 'kind: CustomResourceStateMetrics'\n")
	for name, want := range map[string]bool{same: true, writeConfig(t, config+"port: 1\n"): false, writeConfig(t, "resources: [pods, jobs]\n"): false} {
		other := mustLoad(t, name)
		other.values[configFlag] = c.values[configFlag]
		if got := c.Equal(other); got != want {
			t.Errorf("%s: got equal %v, want %v", name, got, want)
		}
	}
	if err := mustLoad(t, writeConfig(t, config+"port: 1\nlog.level: debug\nhost: localhost\n")).CheckImmutable(c); err == nil ||
		!strings.HasSuffix(err.Error(), ":5: host: cannot change without a restart: --host, --port") {
		t.Errorf("got the error %v, want one that names line 5 and the flags", err)
	}
	if err := c.CheckImmutable(c); err != nil {
		t.Error(err)
	}
}

func TestSettingsWithoutEffectGiveAWarning(t *testing.T) {
	if got := mustLoad(t).Warnings(); got != nil {
		t.Errorf("the defaults give the warnings %q, want none", got)
	}
	got := mustLoad(t, "--resources=pods", "--custom-resource-state-only", "--custom-resource-state-config=kind: CustomResourceStateMetrics",
		"--pod=a-0", "--pod-namespace=b", "--shard=1", "--auth-filter", "--enable-gzip-encoding=false").Warnings()
	for i, want := range []string{"--resources has no effect", "--pod wins", "--enable-gzip-encoding=false has no effect", "--auth-filter without TLS",
		"--custom-resource-state-config: spec"} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Errorf("got warnings %q, want number %d to begin with %q", got, i, want)
		}
	}
}

func TestPatternsMayNameFamiliesOfCustomResources(t *testing.T) {
	const custom = `--custom-resource-state-config={kind: CustomResourceStateMetrics, spec: {resources: [{groupVersionKind: ` +
		`{group: a, version: v1, kind: B}, labelsFromPath: {name: [metadata, name], namespace: [metadata, namespace]}, ` +
		`metrics: [{name: size, each: {type: Gauge, gauge: {path: [spec, size]}}}]}]}}`
	for _, c := range []struct {
		allow             string
		warnings          int
		custom, something bool
	}{
		{"kube_pod_info", 0, false, true},
		{"kube_pdo", 1, false, false},
		{"kube_customresource_size", 1, false, false},
		{"kube_customresource_size", 0, true, true},
	} {
		args := []string{"--resources=pods", "--metric-allowlist=" + c.allow}
		if c.custom {
			args = append(args, custom)
		}
		got := mustLoad(t, args...)
		if w := got.Warnings(); len(w) != c.warnings || got.ExposesNothing() == c.something {
			t.Errorf("%s: got warnings %q and exposes nothing %t, want %d and %t",
				c.allow, w, got.ExposesNothing(), c.warnings, !c.something)
		}
	}
}

// TestParametersOfVolumeAttributesClassesAreChosen checks that the flag reaches the filter.
func TestParametersOfVolumeAttributesClassesAreChosen(t *testing.T) {
	c := mustLoad(t, "--resources=volumeattributesclasses", "--metric-volumeattributesclass-parameters-allowlist=size,tier")
	r, err := c.Kinds[0].Renderer(c.Filter)
	if err != nil {
		t.Fatal(err)
	}
	var l resources.Lines
	object := `{"metadata":{"name":"c"},"parameters":{"iops":"1","tier":"2","size":"3"}}`
	if err := r.Render(wire.JSON, []byte(object), &l); err != nil {
		t.Fatal(err)
	}
	if want := `{volumeattributesclass="c",parameter_size="3",parameter_tier="2"} 1`; !strings.Contains(string(l.Buf), want) {
		t.Errorf("got %s, want %s", l.Buf, want)
	}
}
