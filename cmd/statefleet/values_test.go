package main

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/web"
)

func TestSplitPatterns(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want []string
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{"a"}, []string{"a"}},
		{[]string{"a, b ,,c"}, []string{"a", "b", "c"}},
		{[]string{"a,b", "c"}, []string{"a", "b", "c"}},
		{[]string{"kube_.{2,4}_info,b"}, []string{"kube_.{2,4}_info", "b"}},
		{[]string{"(a|b,c),d"}, []string{"(a|b,c)", "d"}},
		{[]string{"[,],d"}, []string{"[,]", "d"}},
		{[]string{"[(],d"}, []string{"[(]", "d"}},
		{[]string{"[])],d"}, []string{"[])]", "d"}},
		{[]string{"[^],],d"}, []string{"[^],]", "d"}},
		{[]string{"[[:alpha:],],d"}, []string{"[[:alpha:],]", "d"}},
		{[]string{`[\],],d`}, []string{`[\],]`, "d"}},
		{[]string{`\(,b`}, []string{`\(`, "b"}},
		{[]string{`a\,b`}, []string{`a\,b`}},
		{[]string{`a\`}, []string{`a\`}},
		{[]string{"a),b"}, []string{"a)", "b"}},
		{[]string{"[[:],b", "[[:alpha:],]c,d"}, []string{"[[:]", "b", "[[:alpha:],]c", "d"}},
	} {
		if got := splitPatterns(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzSplitPatterns: nothing but commas and space gets lost, no pattern is empty, which would match everything, and two
// lists are the patterns of one and then of the other. (A brace may stand for itself, which no one can know.)
func FuzzSplitPatterns(f *testing.F) {
	f.Add("a,b{1,2},[,]", "c")
	f.Add(`\,(`, "")
	f.Add("[(],a", "[^],)],b")
	bare := strings.NewReplacer(",", "", " ", "").Replace
	f.Fuzz(func(t *testing.T, a, b string) {
		both := splitPatterns([]string{a + "," + b})
		if slices.Contains(both, "") {
			t.Errorf("%q: an empty pattern", a+","+b)
		}
		if joined := strings.Join(both, ""); bare(strings.Join(strings.Fields(joined), "")) != bare(strings.Join(strings.Fields(a+b), "")) {
			t.Errorf("%q became %q", a+","+b, both)
		}
		if _, err := regexp.Compile(a); err != nil || strings.ContainsAny(a, "{}") || strings.Contains(a, `\Q`) {
			return
		}
		if apart := splitPatterns([]string{a, b}); !slices.Equal(both, apart) {
			t.Errorf("%q and %q: %q together, %q apart", a, b, both, apart)
		}
	})
}

func TestSplitNames(t *testing.T) {
	got := splitNames([]string{"pods, jobs", "", "nodes,pods,"})
	if want := []string{"pods", "jobs", "nodes"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// checked returns the settings of a command line that is right.
func checked(t *testing.T, args ...string) *settings {
	t.Helper()
	f, done, err := parse(args, io.Discard, io.Discard)
	if err != nil || done {
		t.Fatalf("%q: done %v, %v", args, done, err)
	}
	s, err := f.settings()
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	s := checked(t)
	if len(s.listen) != 1 || s.listen[0].hostPort != ":8080" || s.telemetry.hostPort != ":8081" {
		t.Errorf("listens on %v and %v", s.listen, s.telemetry)
	}
	if s.assignment.Ordinal != 0 || s.assignment.Total != 1 {
		t.Errorf("assignment %v", s.assignment)
	}
	if s.rawBytes != 32<<20 || s.apiQPS != 100 || s.apiBurst != 200 || !s.autoMemLimit || s.autoMemLimitFraction != 0.9 ||
		s.maxRequests != 40 || s.connections != (web.ConnectionLimits{Max: 512, PerClient: 128}) || s.pathPrefix != "" || s.audiences != nil || s.authFilter || s.profiling || s.systemdSocket {
		t.Errorf("unexpected defaults: %+v", s.flags)
	}
	for _, k := range s.kinds {
		if !k.Default {
			t.Errorf("%s is enabled by default", k.Name())
		}
	}
	if len(s.kinds) == 0 {
		t.Error("no kind is enabled")
	}
}

// What is written for kube-state-metrics is understood alike.
func TestFlagsOfKubeStateMetrics(t *testing.T) {
	s := checked(t, "--port=9000", "--host", "127.0.0.1", "--telemetry-host=::1", "--telemetry-port", "9001",
		"--resources=pods,jobs", "--resources", "nodes", "--namespaces=", "--namespaces-denylist=a,b",
		"--metric-labels-allowlist=pods=[app,tier],jobs=[*]", "--metric-labels-allowlist=nodes=[zone]",
		"--enable-gzip-encoding=true", "--use-apiserver-cache=true", "--track-unscheduled-pods=false", "--auto-gomemlimit=false",
		"--object-limit=500", "--shard=1", "--total-shards=3", "--server-write-timeout=10s", "--node=", "--pod=")
	if s.listen[0].hostPort != "127.0.0.1:9000" || s.telemetry.hostPort != "[::1]:9001" {
		t.Errorf("listens on %v and %v", s.listen, s.telemetry)
	}
	var kinds []string
	for _, k := range s.kinds {
		kinds = append(kinds, k.Name())
	}
	if want := []string{"jobs", "nodes", "pods"}; !slices.Equal(kinds, want) {
		t.Errorf("kinds %q, want %q", kinds, want)
	}
	if len(s.namespaces) != 0 || !slices.Equal(s.denied, []string{"a", "b"}) {
		t.Errorf("namespaces %q without %q", s.namespaces, s.denied)
	}
	if got := s.filter.Labels.Resources(); !slices.Equal(got, []string{"jobs", "nodes", "pods"}) {
		t.Errorf("labels of %q", got)
	}
	if !s.gzip || !s.useAPIServerCache || s.trackUnscheduled || s.autoMemLimit || s.objectLimit != 500 {
		t.Errorf("unexpected: %+v", s.flags)
	}
	if s.assignment.Ordinal != 1 || s.assignment.Total != 3 || s.timeouts.Write != 10*time.Second {
		t.Errorf("assignment %v, write timeout %v", s.assignment, s.timeouts.Write)
	}
}

// TestValueMayLookLikeSomethingElse: what stands behind a flag that takes a value is its value, as for kube-state-metrics,
// unless it is a flag itself.
func TestValueMayLookLikeSomethingElse(t *testing.T) {
	const config = "---\nkind: CustomResourceStateMetrics\nspec: {resources: []}\n"
	s := checked(t, "--custom-resource-state-config", config, "--metric-denylist", "-created$", "--node", "", "--kubeconfig", "@home")
	if s.custom != config || !slices.Equal(s.deny, []string{"-created$"}) || s.node != "" || s.kubeconfig != "@home" {
		t.Errorf("unexpected: %+v", s.flags)
	}
	for _, args := range [][]string{{"--port", "--host=x"}, {"--port", "-1"}, {"--port"}, {"--auth-filter", "-1"}, {"--port", "--"}, {"---"}} {
		if _, _, err := parse(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestListenAddressesReplaceHostAndPort(t *testing.T) {
	s := checked(t, "--port=9000", "--web.listen-address=127.0.0.1:1", "--web.listen-address=:2")
	var got []string
	for _, a := range s.listen {
		got = append(got, a.hostPort)
	}
	if want := []string{"127.0.0.1:1", ":2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "1048576": 1 << 20, "32MiB": 32 << 20, "32Mi": 32 << 20, "50MB": 50e6, "1GiB": 1 << 30} {
		if s := checked(t, "--store.raw-bytes="+in); s.rawBytes != want {
			t.Errorf("%s: got %d, want %d", in, s.rawBytes, want)
		}
	}
	for _, in := range []string{"", "-1", "1 GiB", "10EB", "1e30", "9223372036854775808"} {
		if _, _, err := parse([]string{"--store.raw-bytes=" + in}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "--store.raw-bytes") {
			t.Errorf("%s: error %v", in, err)
		}
	}
}
