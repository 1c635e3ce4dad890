package wire

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestValidJSONAgreesWithTheStandardLibrary(t *testing.T) {
	for _, text := range validitySeeds() {
		if got, want := ValidJSON([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}

func TestValidJSONReadsAnyDepth(t *testing.T) {
	for _, depth := range []int{63, 64, 65, 128, 10_001, 1_000_000} {
		lists := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		if !ValidJSON([]byte(lists)) || ValidJSON([]byte(lists[:len(lists)-1])) || ValidJSON([]byte(lists+"]")) {
			t.Errorf("%d nested lists: wrong result", depth)
		}
		objects := strings.Repeat(`{"a":[`, depth) + strings.Repeat("]}", depth)
		if !ValidJSON([]byte(objects)) || ValidJSON([]byte(objects[:len(objects)-2]+"}]")) {
			t.Errorf("%d nested objects with lists: wrong result", depth)
		}
	}
}

func validitySeeds() []string {
	return []string{
		``, ` `, `{}`, ` { } `, `[]`, ` [ ] `, `{`, `[`, `}`, `]`, `{]`, `[}`, `{"a":1}`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`,
		`{"a":1 "b":2}`, `[1 2]`, `{"a":1}{}`, `{} x`, "\t\r\n1 ", `"`, `"a`, `"a"`, `"\`, `"\"`, `"\""`, `"\x"`, `"\u12"`, `"\u12aF"`, `"\u12ag"`, "\"\x1f\"", "\"\xff\"", "\"\x7f\"",
		`true`, `tru`, `truex`, `false`, `null`, `nul`, `[true,false,null]`, `0`, `-0`, `00`, `01`, `-`, `+1`, `.5`, `1.`, `1.5`, `1e`, `1e+`, `1E-5`, `-1.5e+3`, `1.e1`, `--1`,
		`[[{"a":[{"b":{}}]}],{}]`, `{"a":{"b":[1,{"c":"d"}]},"e":[]}`, `{"a":[}]`, `{"a":{]}`,
	}
}

func FuzzValidJSON(f *testing.F) {
	for _, text := range validitySeeds() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := ValidJSON(b), json.Valid(b); got != want && strings.Count(string(b), "[")+strings.Count(string(b), "{") < 10_000 {
			t.Errorf("%q: got %t, want %t", b, got, want)
		}
	})
}
