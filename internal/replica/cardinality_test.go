package replica

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// TestCardinalityCountsTheExposition compares the report with a scrape.
func TestCardinalityCountsTheExposition(t *testing.T) {
	w := newWorld(t)
	for i := range 90 {
		w.pod(i, "n1")
	}
	r := w.start(nil)
	r.assign(0, 2)
	r.waitReady()
	c, err := r.Cardinality(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	samples := r.samples()
	lines, namespaces := map[string]int{}, map[string]int{}
	size := int64(0)
	for _, l := range samples {
		family, _, _ := strings.Cut(l, "{")
		lines[family]++
		_, rest, _ := strings.Cut(l, `namespace="`)
		namespace, _, _ := strings.Cut(rest, `"`)
		namespaces[namespace]++
		size += int64(len(l)) + 1
	}
	if len(samples) == 0 || c.All.Series != len(samples) || c.All.Bytes != size || c.All.Memory == 0 {
		t.Errorf("got %d series of %d bytes, want %d of %d", c.All.Series, c.All.Bytes, len(samples), size)
	}
	if len(c.Kinds) != 1 || c.Kinds[0].Name != "pods" || c.Kinds[0].Series != len(samples) {
		t.Errorf("got kinds %+v, want only pods with %d series", c.Kinds, len(samples))
	}
	if c.FamilyTotal != len(lines) || c.NamespaceTotal != len(namespaces) || len(c.Namespaces) != 3 {
		t.Errorf("got %d families and %d namespaces, want %d and %d", c.FamilyTotal, c.NamespaceTotal, len(lines), len(namespaces))
	}
	for i, f := range c.Families {
		if f.Series != lines[f.Name] || i > 0 && f.Series > c.Families[i-1].Series {
			t.Errorf("family %d is %+v, want %d series, and no more than the one before", i, f, lines[f.Name])
		}
	}
	for _, n := range c.Namespaces {
		if n.Series != namespaces[n.Name] {
			t.Errorf("got namespace %+v, want %d series", n, namespaces[n.Name])
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Cardinality(ctx); err == nil {
		t.Error("no error after the context has ended")
	}
}

func TestCardinalityNamesTheLargest(t *testing.T) {
	all := counts{}
	for i := range 100 {
		all.add(Count{Name: strings.Repeat("x", i+1), Series: i % 50, Bytes: 1})
	}
	all.add(Count{Name: "x", Series: 1000, Bytes: 1})
	largest := all.largest()
	if len(largest) != maxCounts || largest[0].Name != "x" || largest[0].Series != 1000 || largest[0].Bytes != 2 || largest[1].Series != 49 || len(largest[1].Name) != 50 {
		t.Errorf("got %+v, want the %d largest, of which the first is x with 1000 series", largest, maxCounts)
	}
}

func TestNamespaceOf(t *testing.T) {
	for line, want := range map[string]string{
		`kube_pod_info{namespace="a",pod="b"} 1`:                   "a",
		`kube_pod_info{pod="b",namespace="a"} 1`:                   "a",
		`kube_pod_info{pod="namespace=\"no\",",namespace="a"} 1`:   "a",
		`kube_pod_info{pod="b\\",namespace="a"} 1`:                 "a",
		`kube_pod_info{pod=",namespace=",exported_namespace="a"} `: "",
		`kube_node_info{node="a"} 1`:                               "",
		`kube_x 1`:                                                 "",
		`kube_x{} 1`:                                               "",
		`kube_x{a="`:                                               "",
		`kube_x{a="b\`:                                             "",
		`kube_x{a="b"x,namespace="a"} 1`:                           "",
		`kube_x{="b",namespace="a"} 1`:                             "a",
		`kube_x{a="b"`:                                             "",
		`kube_x{namespace="ab`:                                     "",
		`kube_x{namespace=""} 1`:                                   "",
		`kube_x{a="",namespace="a"} 1`:                             "a",
		`{"a.b",namespace="a"} 1`:                                  "",
		``:                                                         "",
	} {
		if got := namespaceOf([]byte(line)); string(got) != want {
			t.Errorf("namespaceOf(%s) = %q, want %q", line, got, want)
		}
	}
}

// FuzzNamespaceOf checks that no line makes namespaceOf panic, and that it finds the namespace between
// any other values.
func FuzzNamespaceOf(f *testing.F) {
	f.Add([]byte(`kube_pod_info{pod="b\\",namespace="a"} 1`), `b\`, "a", "c")
	f.Add([]byte(`x{`), `",namespace="no`, "\n", `"`)
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	f.Fuzz(func(t *testing.T, any []byte, before, namespace, after string) {
		if got := namespaceOf(any); len(got) > len(any) {
			t.Errorf("namespaceOf(%q) = %q, want a part of the line", any, got)
		}
		line := `kube_x{a="` + escape.Replace(before) + `",namespace="` + escape.Replace(namespace) + `",z="` + escape.Replace(after) + `"} 1`
		if got := namespaceOf([]byte(line)); string(got) != escape.Replace(namespace) {
			t.Errorf("namespaceOf(%q) = %q, want %q", line, got, escape.Replace(namespace))
		}
	})
}

func TestThrottlePausesFourTimesAsLong(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		start := time.Now()
		p := throttle{since: start}
		for i := range 100 {
			time.Sleep(time.Millisecond) // work
			before := time.Now()
			if !p.yield(t.Context()) {
				t.Fatal("yield returned false although the context has not ended")
			}
			if paused := time.Since(before) > 0; paused != (i%5 == 4) {
				t.Errorf("after %d ms of work: paused is %t, want %t", i+1, paused, i%5 == 4)
			}
		}
		if took := time.Since(start); took != 5*100*time.Millisecond {
			t.Errorf("100 ms of work took %s, want 500 ms", took)
		}
	})
}
