package wire

import (
	"strings"
	"testing"
)

func TestMaskJSONForms(t *testing.T) {
	m := mustMask(t, "metadata.name metadata.labels spec.containers.name status", ExcludeKey("metadata.labels", "cut"))
	f := func(object, want string) {
		t.Helper()
		if got, err := m.Append(nil, JSON, []byte(object)); err != nil || string(got) != want {
			t.Errorf("%s: got %s, error %v, want %s", object, got, err, want)
		}
	}
	f(`{}`, `{}`)
	f(` { } `, `{}`)
	f("\r\n\t {}", `{}`)
	f(`{"a":1}`, `{}`)
	f(`{"a":1,"status":2}`, `{"status":2}`)
	f(`{"status":1,"a":-2.5e3}`, `{"status":1}`)
	f(`{"status":null,"a":true,"metadata":{"name":"x"}}`, `{"status":null,"metadata":{"name":"x"}}`)
	f(`{"metadata":{"name":"x","uid":"u","labels":{"cut":"1"}}}`, `{"metadata":{"name":"x","labels":{}}}`)
	f(`{"metadata":{"labels":{"a":"1","cut":"2","b":"3"}}}`, `{"metadata":{"labels":{"a":"1","b":"3"}}}`)
	f(`{"metadata":{"labels":{"cut":"2","b":"3"}}}`, `{"metadata":{"labels":{"b":"3"}}}`)
	f(`{"spec":{"containers":[]}}`, `{"spec":{"containers":[]}}`)
	f(`{"spec":{"containers":[ ]}}`, `{"spec":{"containers":[]}}`)
	f(`{"spec":{"containers":[{"name":"a","image":"b"}]}}`, `{"spec":{"containers":[{"name":"a"}]}}`)
	f(`{"spec":{"containers":[ {"name":"a"} , {"image":"b"} ]}}`, `{"spec":{"containers":[{"name":"a"},{}]}}`)
	f(`{"spec":{"containers":[null,7]}}`, `{"spec":{"containers":[null,7]}}`)
	f(`{"spec":{"containers":null},"status":{"a":[{"b":"]}"}]}}`, `{"spec":{"containers":null},"status":{"a":[{"b":"]}"}]}}`)
	f(`{"\u0073tatus":1}`, `{"\u0073tatus":1}`)
	f(`{"":1,"status":2}`, `{"status":2}`)
	f(`[]`, `[]`)
	f(`[{"a":1},{"status":1}]`, `[{},{"status":1}]`)
}

func TestMaskRejectsInvalidJSON(t *testing.T) {
	m := mustMask(t, "metadata.name spec.containers.name status")
	for _, object := range []string{
		``, ` `, `{`, `{ `, `[`, `[ `, `[{}`, `[{} `, `[{},`, `[{} {}]`, `[{}}`, `[,]`,
		`{"`, `{"a`, `{"a"`, `{"a" `, `{"a":`, `{"a":1`, `{"a":1 `, `{"a":1,`, `{"a" 1}`, `{"a"}`, `{a:1}`, `{"a":}`, `{"a":1 "b":2}`, `{"a":1]`,
		`{"a":"x\`, `{"a":"x\"`, `{"a":"x\"}`, `{"a":]}`, `{"a":[}`, `{"a":[1`, `{"a":{"b":1}`, `{"metadata":{"name":"x"}`,
		`{"spec":{"containers":[{"name":"a"} {"name":"b"}]}}`, `{"spec":{"containers":[{"name" "a"}]}}`, `{"spec":{"containers":[{"name":"a"},]}}`,
	} {
		if got, err := m.Append(nil, JSON, []byte(object)); err == nil {
			t.Errorf("%s: got %s, want an error", object, got)
		}
	}
}

func TestIdentityIsFoundAfterValuesOfAnyType(t *testing.T) {
	for _, value := range []string{
		`1`, `-1.5e+3`, `true`, `null`, `""`, `"x"`, `"\\"`, `"\"}"`, `[]`, `[1,[2],{"metadata":{"name":"no"}}]`, `{}`, `{"a":{"b":[{}]}}`,
		` 1 `, "\t1\r", `"a" `, ` [ ] `, ` { } `,
	} {
		m, err := ReadMeta(JSON, []byte(`{"first":`+value+`,"metadata":{"other":`+value+`,"name":"a"}}`))
		if err != nil || string(m.Name) != "a" {
			t.Errorf("%s: got name %q, error %v, want a", value, m.Name, err)
		}
	}
}

func TestNestingIsNotBounded(t *testing.T) {
	for _, depth := range []int{1_000, 1_200, 100_000} {
		object := []byte(`{"spec":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `,"metadata":{"name":"a"}}`)
		if m, err := ReadMeta(JSON, object); err != nil || string(m.Name) != "a" {
			t.Errorf("%d levels: got name %q, error %v, want a", depth, m.Name, err)
		}
	}
}

func TestErrorsWithinMetadataAreReturned(t *testing.T) {
	for _, metadata := range []string{`{"name" "a"}`, `{"name":"\x"}`, `{name:"a"}`, `{"name":"a" "uid":"u"}`, `{"name":"a",}`} {
		if m, err := ReadMeta(JSON, []byte(`{"metadata":`+metadata+`}`)); err == nil {
			t.Errorf("%s: got %+v, want an error", metadata, m)
		}
	}
}

func TestNothingAfterMetadataIsRead(t *testing.T) {
	if m, err := ReadMeta(JSON, []byte(`{"metadata":{"name":"a"}, no JSON`)); err != nil || string(m.Name) != "a" {
		t.Errorf("got name %q, error %v, want a", m.Name, err)
	}
	if m, err := ReadMeta(Protobuf, []byte("\x0a\x03\x0a\x01n\xff")); err != nil || string(m.Name) != "n" {
		t.Errorf("got name %q, error %v, want n", m.Name, err)
	}
}

func TestMetadataMustBeAnObject(t *testing.T) {
	for _, object := range []string{`{"metadata":7}`, `{"metadata":"x"}`, `{"metadata":[{"name":"a"}]}`} {
		if m, err := ReadMeta(JSON, []byte(object)); err != nil || m.Name != nil {
			t.Errorf("%s: got name %q, error %v, want no name", object, m.Name, err)
		}
	}
	for _, annotations := range []string{`7`, `null`, `["k8s.io/initial-events-end","true"]`, `{"k8s.io/initial-events-end":true}`, `{"a":"true"}`} {
		if end, err := InitialEventsEnd(JSON, []byte(`{"metadata":{"annotations":`+annotations+`}}`)); err != nil || end {
			t.Errorf("%s: got %t, error %v, want false", annotations, end, err)
		}
	}
}
