package customresource

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// logging returns a logger of a level, and a function that returns its lines without their times and messages.
func logging(level slog.Level) (*slog.Logger, func() []string) {
	var b bytes.Buffer
	brief := regexp.MustCompile(`time=\S+ (level=\S+) msg="[^"]*" `)
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level})), func() []string {
		return strings.Split(strings.TrimSuffix(brief.ReplaceAllString(b.String(), "$1 "), "\n"), "\n")
	}
}

const faultyConfig = `
spec:
  resources:
  - groupVersionKind: {group: a.example.com, version: v1, kind: A}
    errorLogV: %d
    metrics:
    - name: x
      each: {type: Gauge, gauge: {path: [a]}}
    - name: y
      errorLogV: %d
      each: {type: StateSet, stateSet: {path: [b], labelName: s, list: [p]}}
`

// For each metric, each kind of issue is logged once, with the object's name and the reason, but without its content.
func TestIssuesAreLoggedOnce(t *testing.T) {
	logger, logged := logging(slog.LevelInfo)
	config := mustParse(t, fmt.Sprintf(faultyConfig, 0, 0))
	kinds := config.Kinds([]Definition{{Group: "a.example.com", Kind: "A", Plural: "as", Versions: []string{"v1", "v2"}}}, resources.Filter{}, logger)
	var l resources.Lines
	skipped := 0
	for i, spec := range []string{`"a":1,"b":"p"`, `"a":"secret","b":2`, `"a":[1,1]`, `"a":"secret","b":null`, `"a":[{},3]`} {
		for range 3 {
			object := fmt.Sprintf(`{"metadata":{"namespace":"n","name":"o%d"},%s}`, i, spec)
			if err := kinds[0].Renderer.Render(wire.JSON, []byte(object), &l); err != nil {
				t.Fatal(err)
			}
			skipped += l.Skipped
		}
	}
	const x = "level=INFO resource=as.v1.a.example.com metric=kube_customresource_x configured=\"spec.resources[0].metrics[0].name (line 7)\" namespace=n "
	const y = "level=INFO resource=as.v1.a.example.com metric=kube_customresource_y configured=\"spec.resources[0].metrics[1].name (line 9)\" namespace=n "
	equalLines(t, logged(),
		x+`name=o1 reason="the value can't be read as a number"`,
		y+`name=o1 reason="the value is no text"`,
		x+`name=o2 reason="several values give the same series, of which the first counts"`,
		y+`name=o2 reason="its path leads nowhere"`,
	)
	if skipped != 3*5 {
		t.Errorf("got %d skipped samples, want 15", skipped)
	}
}

// Issues of metrics with errorLogV above 0 are logged at level DEBUG. The metric's errorLogV counts, unless it is 0.
func TestErrorLogV(t *testing.T) {
	f := func(resource, metric int, at slog.Level, want ...string) {
		t.Helper()
		logger, logged := logging(at)
		r := newRenderer(exampleGVK, mustParse(t, fmt.Sprintf(faultyConfig, resource, metric)).entries, resources.Filter{}, logger)
		var l resources.Lines
		if err := r.Render(wire.JSON, []byte(`{"a":"?","b":1}`), &l); err != nil || l.Skipped != 2 {
			t.Errorf("got %d skipped samples, error %v, want 2", l.Skipped, err)
		}
		var got []string
		for _, line := range logged() {
			if level, rest, ok := strings.Cut(line, " metric=kube_customresource_"); ok {
				got = append(got, rest[:1]+" "+level)
			}
		}
		equalLines(t, got, want...)
	}
	f(0, 0, slog.LevelInfo, "x level=INFO", "y level=INFO")
	f(0, 1, slog.LevelInfo, "x level=INFO")
	f(0, 1, slog.LevelDebug, "x level=INFO", "y level=DEBUG")
	f(5, 0, slog.LevelInfo)
	f(5, 0, slog.LevelDebug, "x level=DEBUG", "y level=DEBUG")
	f(0, 0, slog.LevelWarn)
}

// A missing optional field is not an issue.
func TestOptionalFieldsAreNotLogged(t *testing.T) {
	logger, logged := logging(slog.LevelDebug)
	config := mustParse(t, wrap(`{name: x, each: {type: Gauge, gauge: {path: [a], valueFrom: [v]}}},
		{name: y, each: {type: Gauge, gauge: {path: [b], nilIsZero: true}}},
		{name: z, each: {type: Info, info: {path: [c], labelsFromPath: {d: [d]}}}}`))
	r := newRenderer(exampleGVK, config.entries, resources.Filter{}, logger)
	var l resources.Lines
	for _, object := range []string{`{"a":{}}`, `{"a":[]}`, `{"a":[{"v":1},{}]}`} {
		if err := r.Render(wire.JSON, []byte(object), &l); err != nil || l.Skipped != 0 {
			t.Errorf("got %d skipped samples, error %v, want 0", l.Skipped, err)
		}
	}
	equalLines(t, logged(), "")
}

func TestIssuesAreLoggedOnceAcrossGoroutines(t *testing.T) {
	logger, logged := logging(slog.LevelInfo)
	r := newRenderer(exampleGVK, mustParse(t, wrap(`{name: x, each: {type: Gauge, gauge: {path: [a]}}}`)).entries, resources.Filter{}, logger)
	var running sync.WaitGroup
	for range 5 {
		running.Go(func() {
			var l resources.Lines
			for range 100 {
				if err := r.Render(wire.JSON, []byte(`{"a":"?"}`), &l); err != nil || l.Skipped != 1 {
					t.Errorf("got %d skipped samples, error %v, want 1", l.Skipped, err)
				}
			}
		})
	}
	running.Wait()
	if got := logged(); len(got) != 1 {
		t.Errorf("got the log lines %q, want 1", got)
	}
}

// The other families of the object are rendered.
func TestPanicCostsOneFamily(t *testing.T) {
	config := mustParse(t, wrap(`{name: x, each: {type: Gauge, gauge: {path: [a]}}}, {name: y, each: {type: Gauge, gauge: {path: [a]}}},
		{name: y, each: {type: Gauge, gauge: {path: [a]}}}, {name: z, each: {type: Gauge, gauge: {path: [a]}}}`))
	r := newRenderer(exampleGVK, config.entries, resources.Filter{}, silent())
	r.metrics[1][1].each = nil
	var l resources.Lines
	if err := r.Render(wire.JSON, []byte(`{"a":1}`), &l); err != nil {
		t.Fatal(err)
	}
	want := "kube_customresource_x{" + reserved + "} 1\nkube_customresource_z{" + reserved + "} 1\n"
	if string(l.Buf) != want || len(l.Failed) != 1 || l.Failed[0].Family != 1 || len(l.Ends) != 3 || l.Ends[0] != l.Ends[1] {
		t.Errorf("got the lines\n%swant\n%sfailed %v, ends %v, want only family 1 to fail", l.Buf, want, l.Failed, l.Ends)
	}
}

func equalLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}
