package customresource

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

var exampleGVK = schema.GroupVersionKind{Group: "a.example.com", Version: "v1", Kind: "A"}

// reserved is the text of the labels that every sample of exampleGVK has.
const reserved = `customresource_group="a.example.com",customresource_kind="A",customresource_version="v1"`

func newTestRenderer(t testing.TB, config string) *Renderer {
	t.Helper()
	return newRenderer(exampleGVK, mustParse(t, config).entries, resources.Filter{}, silent())
}

// render returns the lines of an object without name prefix and reserved labels, and the number of skipped samples.
func render(t testing.TB, config, object string) (string, int) {
	t.Helper()
	var l resources.Lines
	if err := newTestRenderer(t, config).Render(wire.JSON, []byte(object), &l); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("kube_customresource_", "", reserved+",", "", ","+reserved, "", reserved, "").Replace(string(l.Buf))
	return text, l.Skipped
}

func TestMetrics(t *testing.T) {
	f := func(metric, object string, want ...string) {
		t.Helper()
		got, _ := render(t, wrap(metric), object)
		if diff := cmp.Diff(strings.Join(append(want, ""), "\n"), got); diff != "" {
			t.Errorf("%s\n%s\n%s", metric, object, diff)
		}
	}
	gauge := func(s string) string { return "{name: x, each: {type: Gauge, gauge: {" + s + "}}}" }
	info := func(s string) string { return "{name: x, each: {type: Info, info: {" + s + "}}}" }
	states := func(s string) string { return "{name: x, each: {type: StateSet, stateSet: {" + s + "}}}" }

	// One value, the elements of a list, the members of a map.
	f(gauge(`path: [a]`), `{"a":1}`, `x{} 1`)
	f(gauge(`path: [a]`), `{"a":[1,2],"b":3}`, `x{} 1`)
	f(gauge(`path: [a], labelsFromPath: {v: []}`), `{"a":[1,2]}`, `x{v="1"} 1`, `x{v="2"} 2`)
	f(gauge(`path: [a], valueFrom: [v], labelsFromPath: {n: [n]}`), `{"a":[{"n":"p","v":1},{"n":"q"},{"v":"2"}]}`, `x{n="p"} 1`, `x{} 2`)
	f(gauge(`path: [a], labelFromKey: k`), `{"a":{"p":1,"q":2}}`, `x{k="p"} 1`, `x{k="q"} 2`)
	f(gauge(`path: [a], labelFromKey: k, valueFrom: [v, "0"]`), `{"a":{"p":{"v":[7]},"q":{"v":[]}}}`, `x{k="p"} 7`)
	f(gauge(`path: [a], valueFrom: [p]`), `{"a":{"p":1,"q":2}}`, `x{} 1`)
	f(gauge(`valueFrom: [a]`), `{"a":1}`, `x{} 1`)
	f(gauge(`path: [a]`), `{"a":{"p":1}}`, `x{} 1`)
	f(gauge(`path: [a], labelFromKey: k`), `{"a":1}`, `x{} 1`)
	f(gauge(`path: [a], labelFromKey: k`), `{"a":{}}`)

	// Members of a map, distinguished by their own labels or those of the map.
	f(gauge(`path: [a], valueFrom: [v], labelsFromPath: {n: [n]}`), `{"a":{"p":{"n":"1","v":1},"q":{"n":"2"},"r":{"n":"3","v":3},"v":{"v":4}}}`,
		`x{n="1"} 1`, `x{n="3"} 3`)
	f(gauge(`path: [a], valueFrom: [v], labelsFromPath: {n: [n]}`), `{"a":{"p":{"n":"1","v":1},"v":4}}`, `x{n="1"} 1`, `x{} 4`)
	f(gauge(`valueFrom: [v, w]`), `{"a":{"v":{"w":5}}}`, `x{} 5`)
	f(info(`path: [a], labelsFromPath: {n: [n]}`), `{"a":{"p":{"n":"1"},"q":2,"r":{"n":"3"}}}`, `x{n="1"} 1`, `x{n="3"} 1`)
	f(info(`path: [a], labelsFromPath: {n: [n]}`), `{"a":{"p":{"n":"1"},"n":"0"}}`, `x{n="0"} 1`, `x{n="1"} 1`)
	f(states(`path: [a], labelName: s, list: [p], valueFrom: [v]`), `{"a":{"p":{"v":"p"}}}`)
	f(states(`path: [a], labelName: s, list: [p], valueFrom: [v]`), `{"a":{"v":"p"}}`, `x{s="p"} 1`)

	// Only members that have a number give a sample. Without valueFrom, the others are not an issue.
	const mixed = `{"a":{"p":{"v":1,"x":"px"},"q":{"v":"2","y":"qy"},"r":null,"v":7,"x":"top","l":[1,2]}}`
	f(gauge(`path: [a], labelFromKey: k`), mixed, `x{k="v"} 7`)
	f(gauge(`path: [a], labelFromKey: k, valueFrom: [v]`), mixed, `x{k="p"} 1`, `x{k="q"} 2`, `x{k="v"} 7`)
	f(gauge(`path: [a], labelFromKey: k, valueFrom: [p, v]`), mixed)
	f(gauge(`path: [a], labelFromKey: k, valueFrom: [v], nilIsZero: true`), mixed,
		`x{k="p"} 1`, `x{k="q"} 2`, `x{k="r"} 0`, `x{k="v"} 7`, `x{k="x"} 0`, `x{k="l"} 0`)
	f(gauge(`path: [a], valueFrom: [p]`), `{"a":{"p":1,"q":{"p":2},"r":3}}`, `x{} 1`)
	// Labels of the map replace those of the member, which replace the key.
	f(gauge(`path: [a], labelFromKey: k, labelsFromPath: {k: [x], j: [y]}, valueFrom: [v]`), `{"a":{"p":{"v":1,"x":"px"},"q":{"v":2,"y":"qy"}}}`,
		`x{k="px"} 1`, `x{j="qy",k="q"} 2`)
	f(gauge(`path: [a], labelFromKey: k, labelsFromPath: {x: [x]}, valueFrom: [v]`), mixed, `x{k="p",x="top"} 1`, `x{k="q",x="top"} 2`, `x{k="v",x="top"} 7`)
	// An info metric of a map has a sample for the map, without a key, and one for each member.
	f(info(`path: [a], labelFromKey: k, labelsFromPath: {x: [x]}`), mixed, `x{x="top"} 1`, `x{k="p",x="px"} 1`, `x{k="q"} 1`, `x{k="r"} 1`,
		`x{k="v"} 1`, `x{k="x"} 1`, `x{k="l"} 1`)
	f(info(`path: [a], labelsFromPath: {"m_*": []}`), `{"a":{"p":{"v":1},"r":null,"l":[1]}}`, `x{m_l="[1]",m_p="map[v:1]",m_r="<nil>"} 1`, `x{m_v="1"} 1`)

	// A missing value gives no sample, or zero.
	f(gauge(`path: [a]`), `{}`)
	f(gauge(`path: [a]`), `{"a":null}`)
	f(gauge(`path: [a], nilIsZero: true`), `{}`, `x{} 0`)
	f(gauge(`path: [a], nilIsZero: true, labelsFromPath: {i: []}`), `{"a":[null,5]}`, `x{} 0`, `x{i="5"} 5`)
	f(gauge(`path: [a], nilIsZero: true`), `{"a":[]}`)
	f(gauge(`path: [a], nilIsZero: true, labelFromKey: k`), `{}`, `x{} 0`)
	f(gauge(`path: [a], nilIsZero: true, labelFromKey: k, valueFrom: [v]`), `{"a":{"p":{}}}`, `x{k="p"} 0`)
	f(gauge(`path: [a], nilIsZero: true`), `{"a":"hello"}`)

	// State sets need a text.
	f(states(`path: [a], labelName: s, list: [p, q]`), `{"a":"q"}`, `x{s="p"} 0`, `x{s="q"} 1`)
	f(states(`path: [a], labelName: s, list: [p, "true"]`), `{"a":true}`)
	f(states(`path: [a], labelName: s, list: [p]`), `{"a":null}`)
	f(states(`path: [a], labelName: s, list: [p], valueFrom: [v], labelsFromPath: {n: [n], s: [n]}`), `{"a":[{"n":1,"v":"p"},{"n":2,"v":"r"},{"n":3}]}`,
		`x{n="1",s="p"} 1`, `x{n="2",s="p"} 0`)

	// Info metrics need a label of their own.
	f(info(`labelsFromPath: {v: [a, v]}`), `{"a":{"v":"1"}}`, `x{v="1"} 1`)
	f(info(`labelsFromPath: {v: [a, v]}`), `{"a":{"v":""}}`, `x{v=""} 1`)
	f(info(`labelsFromPath: {v: [a, v]}`), `{"a":{}}`)
	f(info(`path: [a], labelsFromPath: {v: []}`), `{"a":["p","q","p"]}`, `x{v="p"} 1`, `x{v="q"} 1`)
	f(info(`path: [a], labelFromKey: k`), `{"a":{"p":{},"q":1}}`, `x{k="p"} 1`, `x{k="q"} 1`)
	f(info(`path: [a], labelsFromPath: {"*": []}`), `{"a":{"p":"1","q-r":2}}`, `x{p="1",q_r="2"} 1`)
}

// Of common labels, labels copied from maps, labels of single values, labels of each and reserved labels, the last
// counts.
func TestWhichLabelWins(t *testing.T) {
	f := func(labels, own, object, want string) {
		t.Helper()
		config := wrap(`{name: x, ` + labels + `, each: {type: Gauge, gauge: {path: [v], ` + own + `}}}`)
		if got, _ := render(t, config, object); got != "x{"+want+"} 1\n" {
			t.Errorf("%s %s: got %s, want %s", labels, own, got, want)
		}
	}
	const object = `{"v":[1],"m":{"a":"map","b":"map"},"n":{"a":"other","c":"other"},"s":"single"}`
	f(`commonLabels: {a: common, z: "1"}`, ``, object, `a="common",z="1"`)
	f(`commonLabels: {a: common}, labelsFromPath: {"*": [m]}`, ``, object, `a="common",b="map"`)
	f(`commonLabels: {a: common}, labelsFromPath: {a: [s], "*": [m]}`, ``, object, `a="single",b="map"`)
	f(`labelsFromPath: {a: [s], "*": [m]}`, ``, object, `a="single",b="map"`)
	f(`labelsFromPath: {"**": [n], "*": [m]}`, ``, object, `_a="other",_c="other",a="map",b="map"`)
	f(`labelsFromPath: {"*y": [n], "*": [m]}`, ``, object, `a="other",b="map",c="other"`)
	f(`labelsFromPath: {"p_*": [m], p_a: [s]}`, ``, object, `p_a="single",p_b="map"`)
	f(`labelsFromPath: {a: [s]}`, `labelsFromPath: {a: []}`, object, `a="1"`)
	f(`labelsFromPath: {a: [none], b: [v, none]}, commonLabels: {a: common}`, ``, object, `a="common"`)
	f(`labelsFromPath: {"*": [s]}, commonLabels: {a-b: x}`, ``, object, `a_b="x"`)
	f(`labelsFromPath: {"*": [m]}`, ``, `{"v":[1],"m":{"__name__":"y","--name--":"z","le":"\"\n\\"}}`, `le="\"\n\\"`)
	f(`commonLabels: {customresource_kind: mine}, labelsFromPath: {customresource_group: [s]}`, `labelsFromPath: {customresource_version: []}`, object, ``)
}

// Each label of the metric replaces the label of the resource with the same name.
func TestLabelsOfResourceAndMetric(t *testing.T) {
	got, _ := render(t, `
spec:
  resources:
  - groupVersionKind: {group: a.example.com, version: v1, kind: A}
    metricNamePrefix: ""
    commonLabels: {a: resource, b: resource}
    labelsFromPath: {c: [r], d: [r]}
    metrics:
    - name: x
      commonLabels: {b: metric}
      labelsFromPath: {d: [m]}
      each: {type: Gauge, gauge: {path: [v]}}
    - name: y
      each: {type: Gauge, gauge: {path: [v]}}
`, `{"v":1,"r":"from-resource","m":"from-metric"}`)
	want := `x{a="resource",b="metric",c="from-resource",d="from-metric"} 1
y{a="resource",b="resource",c="from-resource",d="from-resource"} 1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A value that is not a number, a state that is not a text and a repeated series are counted. A missing optional value
// is not.
func TestUnusableValuesAreCounted(t *testing.T) {
	f := func(metric, object string, want int) {
		t.Helper()
		if _, skipped := render(t, wrap(metric), object); skipped != want {
			t.Errorf("%s: got %d skipped samples, want %d", object, skipped, want)
		}
	}
	f(`{name: x, each: {type: Gauge, gauge: {path: [a]}}}`, `{"a":["hello",{},null,1,2]}`, 3)
	f(`{name: x, each: {type: Gauge, gauge: {path: [a], labelFromKey: k}}}`, `{"a":{"p":"hello","q":{},"r":null,"s":1}}`, 0)
	f(`{name: x, each: {type: Gauge, gauge: {path: [a], labelFromKey: k, valueFrom: [v]}}}`, `{"a":{"p":{"v":"hello"},"q":{}}}`, 1)
	f(`{name: x, each: {type: StateSet, stateSet: {path: [a], labelName: s, list: [b]}}}`, `{"a":[1,null]}`, 1)
	f(`{name: x, each: {type: Info, info: {path: [a], labelsFromPath: {b: []}}}}`, `{"a":["b",null,"b"]}`, 1)
}

// The lines of metrics with the same name are adjacent, in the place of the first.
func TestMetricsWithTheSameNameFormOneFamily(t *testing.T) {
	config := wrap(`{name: x, commonLabels: {r: cpu}, each: {type: Gauge, gauge: {path: [c]}}},
		{name: y, each: {type: Gauge, gauge: {path: [c]}}},
		{name: x, commonLabels: {r: memory}, each: {type: Gauge, gauge: {path: [m]}}}`)
	got, _ := render(t, config, `{"c":"100m","m":"1Ki"}`)
	if want := "x{r=\"cpu\"} 0.1\nx{r=\"memory\"} 1024\ny{} 0.1\n"; got != want {
		t.Errorf("got %swant %s", got, want)
	}
}

func TestBadObjects(t *testing.T) {
	r := newTestRenderer(t, wrap(`{name: x, each: {type: Gauge, gauge: {path: [a, b]}}}`))
	l := resources.Lines{Buf: []byte("old"), Ends: []int{3}, Skipped: 1}
	for _, raw := range []string{"", "{", "[]", "null", `"a"`, `{"a":{"b":01}}`, `{"a":1}{}`, "\x00", `{"a":{"b":1}`, strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<20)} {
		if err := r.Render(wire.JSON, []byte(raw), &l); err == nil {
			t.Errorf("%.20q: got the lines %s, want an error", raw, l.Buf)
		}
	}
	if err := r.Render(wire.Protobuf, []byte("{}"), &l); !errors.Is(err, errEncoding) {
		t.Errorf("protobuf: got the error %v, want %v", err, errEncoding)
	}
	// A valid object after them.
	if err := r.Render(wire.JSON, []byte(" {\"a\":{\"b\":1}}\n"), &l); err != nil || len(l.Ends) != 1 || l.Ends[0] != len(l.Buf) || l.Skipped != 0 {
		t.Errorf("got the lines %s, ends %v, error %v, want one complete family", l.Buf, l.Ends, err)
	}
}

// Labels are copied from a large map to each of many samples.
func TestCopiedLabelsDoNotExceedTheLimit(t *testing.T) {
	const limit = 4 << 20
	var b strings.Builder
	b.WriteString(`{"l":[0`)
	for i := range 50_000 {
		fmt.Fprintf(&b, ",%d", i+1)
	}
	b.WriteString(`],"m":{"a":""`)
	for i := range 50_000 {
		fmt.Fprintf(&b, `,"a%d":""`, i)
	}
	b.WriteString("}}")
	r := newTestRenderer(t, wrap(`{name: x, labelsFromPath: {"*": [m]}, each: {type: Gauge, gauge: {path: [l], labelsFromPath: {own: []}}}}`))
	var l resources.Lines
	l.Limit = limit
	if err := r.Render(wire.JSON, []byte(b.String()), &l); err != nil || len(l.Omitted) != 1 || len(l.Buf) > 0 {
		t.Errorf("got %d bytes, %d omitted families, error %v, want 0 bytes and 1 omitted family", len(l.Buf), len(l.Omitted), err)
	}
	if cap(l.Buf) > 2*limit {
		t.Errorf("got a buffer of %d bytes, want at most %d", cap(l.Buf), 2*limit)
	}
}

// The renderer does not mix the labels of objects.
func TestRendererIsSafeForConcurrentUse(t *testing.T) {
	r := newTestRenderer(t, wrap(`{name: x, labelsFromPath: {"*": [m]}, each: {type: Gauge, gauge: {path: [v], labelsFromPath: {own: []}}}}`))
	var running sync.WaitGroup
	for g := range 5 {
		running.Go(func() {
			var l resources.Lines
			for i := range 500 {
				object := fmt.Sprintf(`{"v":[%d],"m":{"k%d":"%d"}}`, i, g, i)
				want := fmt.Sprintf(`kube_customresource_x{%s,k%d="%d",own="%d"} %d`+"\n", reserved, g, i, i, i)
				if err := r.Render(wire.JSON, []byte(object), &l); err != nil || string(l.Buf) != want {
					t.Errorf("got %s, want %s, error %v", l.Buf, want, err)
					return
				}
			}
		})
	}
	running.Wait()
}

// For any bytes, Render returns lines of a valid exposition, or an error. It does not panic, not even in a way that it
// recovers from.
func FuzzRender(f *testing.F) {
	f.Add([]byte(exampleObject))
	f.Add([]byte(`{"spec":{"replicas":3,"slots":[{"slot":9,"value":true}]},"status":{"values":{"a":{"v":"1.5Gi"}},"conditions":[{"type":"Ready","status":"True"}]}}`))
	f.Add([]byte(`{"metadata":{"labels":{"a-b":"1","a_b":"2"}},"status":{"regions":[{"used":1,"tags":{"\n":"\u0000"}}]}}`))
	config := mustParse(f, readFile(f, fixtureDir+"/widgets.crs.yaml")+"---\n"+readFile(f, fixtureDir+"/mixed.crs.yaml"))
	r := newRenderer(exampleGVK, config.entries, resources.Filter{}, silent())
	full := newRenderer(exampleGVK, config.entries, resources.Filter{}, silent())
	full.shape = shape{all: true}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var l, all resources.Lines
		err := r.Render(wire.JSON, raw, &l)
		if errFull := full.Render(wire.JSON, raw, &all); (err == nil) != (errFull == nil) {
			t.Fatalf("got the error %v, but %v if everything is decoded", err, errFull)
		}
		if err != nil {
			if p, recovered := errors.AsType[*resources.Panic](err); recovered {
				t.Fatalf("%v\n%s", p, p.Stack())
			}
			return
		}
		if len(l.Failed) > 0 {
			t.Fatalf("got the failed families %v, want none", l.Failed)
		}
		if string(l.Buf) != string(all.Buf) || l.Skipped != all.Skipped {
			t.Fatalf("got\n%s\nbut if everything is decoded\n%s", l.Buf, all.Buf)
		}
		exposition := conformance.NewExposition()
		addLines(t, &exposition, r.Families(), l)
		seen := map[string]bool{}
		for line := range bytes.Lines(l.Buf) {
			series := string(resources.AppendSeries(nil, line))
			if seen[series] {
				t.Fatalf("got the series %s twice in\n%s", series, l.Buf)
			}
			seen[series] = true
		}
	})
}
