package customresource

import (
	"encoding/json"
	"strings"
	"testing"
)

// exampleObject has each kind of value that a path may lead to.
const exampleObject = `{"apiVersion":"v1","metadata":{"name":"foo","labels":{"a/b":"1","x":""}},
	"spec":{"order":[{"id":1,"value":true},{"id":3.0,"value":false,"on":true},7,null,["deep"]],
		"refs":["one","two"],"0":"zero","n":1,"none=x":"literal","in=x":{"a":"deeper"},"[k":"open",
		"checks":[{"status":"True","same":true,"code":"one"},{"status":"False","code":"1.0"}],"empty":{},"none":null,"text":"a\"b\u00e9"},
	"status":{"conditions":[{"name":"a","value":45},{"name":"b","value":66.5}],"sub":{"x":{"n":1},"y":{"n":"2"}}}}`

func mustPath(t testing.TB, steps ...string) path {
	t.Helper()
	p := make(path, len(steps))
	for i, step := range steps {
		s, err := newSegment(step)
		if err != nil {
			t.Fatal(err)
		}
		p[i] = s
	}
	return p
}

// everything returns the shape that includes all fields.
func everything() *shape { return &shape{all: true} }

func mustDecode(t testing.TB, raw string, s *shape) *value {
	t.Helper()
	v, err := decode([]byte(raw), s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestPaths looks up values in a completely decoded object, and in one of which only the path is decoded.
func TestPaths(t *testing.T) {
	f := func(want string, steps ...string) {
		t.Helper()
		p := mustPath(t, steps...)
		var only shape
		only.add(p)
		for _, s := range []*shape{everything(), &only} {
			if got := p.get(mustDecode(t, exampleObject, s)).label(); got != want {
				t.Errorf("%v: got %q, want %q", steps, got, want)
			}
		}
	}
	const nothing = "<nil>"
	f("foo", "metadata", "name")
	f("1", "metadata", "labels", "a/b")
	f("", "metadata", "labels", "x")
	f(nothing, "metadata", "labels", "y")
	f(nothing, "metadata", "name", "more")
	f(`a"bé`, "spec", "text")
	f(nothing, "spec", "none")
	f(nothing, "spec", "none", "more")
	f("map[]", "spec", "empty")
	f("[one two]", "spec", "refs")
	f("map[x:map[n:1] y:map[n:2]]", "status", "sub")
	f("[map[name:a value:45] map[name:b value:66.5]]", "status", "conditions")

	// Indexes. A number may also be the name of a member.
	f("true", "spec", "order", "0", "value")
	f("two", "spec", "refs", "-1")
	f("one", "spec", "refs", "-2")
	f(nothing, "spec", "refs", "2")
	f(nothing, "spec", "refs", "-3")
	f(nothing, "spec", "refs", "first")
	f("zero", "spec", "0")
	f("deep", "spec", "order", "4", "0")
	f(nothing, "spec", "order", "3")

	// Lookups in a list, by text, number and boolean.
	f("45", "status", "conditions", "[name=a]", "value")
	f("b", "status", "conditions", "[value=66.5]", "name")
	f("b", "status", "conditions", "[value=6.65e1]", "name")
	f("false", "spec", "order", "[id=3]", "value")
	f("3", "spec", "order", "[on=true]", "id")
	f("3", "spec", "order", "[on=True]", "id")
	f(nothing, "spec", "order", "[on=false]", "id")
	f("b", "status", "conditions", "[value=66500m]", "name")
	f("3", "spec", "order", "[on=1]", "id")
	f("3", "spec", "order", "[on=yes]", "id")
	f("3", "spec", "order", "[on=t]", "id")
	f("true", "spec", "checks", "[status=true]", "same")
	f("1.0", "spec", "checks", "[code=1]", "code")
	f("1.0", "spec", "checks", "[code=true]", "code")
	f(nothing, "spec", "checks", "[code=two]", "code")
	f(nothing, "status", "conditions", "[name=c]", "value")
	f(nothing, "status", "conditions", "[none=]", "value")
	f(nothing, "status", "sub", "[n=1]")

	// A member only if it equals a value.
	f("foo", "metadata", "name=foo")
	f(nothing, "metadata", "name=bar")
	f(nothing, "metadata", "labels=x")
	f("", "metadata", "labels", "x=")
	f(nothing, "spec", "refs", "x=one")
	// Only a text can equal the value. A name may contain an equals sign.
	f(nothing, "spec", "n=1")
	f("literal", "spec", "none=x")
	f("deeper", "spec", "in=x", "a")
	f("open", "spec", "[k")
}

// The last of several members with the same name counts, as in most JSON decoders.
func TestLastOfDuplicateNamesCounts(t *testing.T) {
	p := mustPath(t, "a", "b")
	if got := p.get(mustDecode(t, `{"a":{"b":1},"a":{"b":2,"b":3}}`, everything())).label(); got != "3" {
		t.Errorf("got %s, want 3", got)
	}
}

// FuzzPath checks that a path leads to the same value in a completely decoded object and in one of which only the path
// is decoded, and that decode agrees with encoding/json.
func FuzzPath(f *testing.F) {
	f.Add(exampleObject, "spec", "order", "[id=3]")
	f.Add(exampleObject, "spec", "refs", "-1")
	f.Add(exampleObject, "metadata", "name=foo", "0")
	f.Add(`{"a\n":{"":[[],{},"\ud800",-1.5e-3]}}`, "a\n", "", "3")
	f.Fuzz(func(t *testing.T, raw, a, b, c string) {
		var p path
		for _, step := range []string{a, b, c} {
			s, err := newSegment(step)
			if err != nil {
				return
			}
			p = append(p, s)
		}
		all, err := decode([]byte(raw), everything())
		var oracle map[string]any
		decoder := json.NewDecoder(strings.NewReader(raw))
		decoder.UseNumber()
		if errOracle := decoder.Decode(&oracle); err == nil && errOracle != nil {
			t.Fatalf("decode accepts input that encoding/json refuses: %v", errOracle)
		}
		if err != nil {
			return
		}
		if strings.ToValidUTF8(raw, "") == raw {
			delete(oracle, lastApplied)
			for name, want := range oracle {
				checkOracle(t, all.member(name), want)
			}
		}
		var only shape
		only.add(p)
		cut, err := decode([]byte(raw), &only)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := p.get(all), p.get(cut); x.label() != y.label() || x.isNull() != y.isNull() {
			t.Fatalf("%v: got %s when only the path is decoded, want %s", p, y.label(), x.label())
		}
	})
}

func checkOracle(t *testing.T, v *value, want any) {
	t.Helper()
	switch want := want.(type) {
	case nil:
		if !v.isNull() || v == nil {
			t.Fatalf("got %v, want null", v)
		}
	case bool:
		if v.kind != boolValue || (v.text == "true") != want {
			t.Fatalf("got %v, want %v", v, want)
		}
	case json.Number:
		if v.kind != numberValue || v.text != want.String() {
			t.Fatalf("got %v, want %v", v, want)
		}
	case string:
		if v.kind != textValue || v.text != want {
			t.Fatalf("got %v, want %q", v, want)
		}
	case []any:
		if v.kind != listValue || len(v.items) != len(want) {
			t.Fatalf("got %v, want %v", v, want)
		}
		for i := range want {
			checkOracle(t, v.element(i), want[i])
		}
	case map[string]any:
		delete(want, lastApplied)
		if v.kind != objectValue || len(v.items) < len(want) {
			t.Fatalf("got %v, want %v", v, want)
		}
		for name, m := range want {
			checkOracle(t, v.member(name), m)
		}
	}
}
