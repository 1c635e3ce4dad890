package customresource

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestValues reads JSON values as the values of a gauge.
func TestValues(t *testing.T) {
	f := func(json string, want float64) {
		t.Helper()
		v := mustDecode(t, `{"v":`+json+`}`, everything()).member("v")
		if got, ok := v.float(); !ok || got != want && (got == got || want == want) {
			t.Errorf("%s: got %v, %v, want %v", json, got, ok, want)
		}
	}
	f(`0`, 0)
	f(`-3`, -3)
	f(`1.5`, 1.5)
	f(`1e3`, 1000)
	f(`9007199254740993`, 9007199254740992)
	f(`true`, 1)
	f(`false`, 0)
	// Words of conditions, in any case.
	f(`"true"`, 1)
	f(`"YES"`, 1)
	f(`"False"`, 0)
	f(`"no"`, 0)
	f(`"Unknown"`, 0)
	// Times, in seconds.
	f(`"2026-05-17T00:00:00Z"`, 1778976000)
	f(`"2026-05-17T02:00:00.9+02:00"`, 1778976000)
	f(`"1969-12-31T23:59:59Z"`, -1)
	// Quantities.
	f(`"250m"`, 0.25)
	f(`"1500u"`, 0.0015)
	f(`"2k"`, 2000)
	f(`"1.5Gi"`, 1.5*(1<<30))
	f(`"-1Ki"`, -1024)
	f(`"1E"`, 1e18)
	// Percentages, as a fraction.
	f(`"37%"`, 0.37)
	f(`"150%"`, 1.5)
	// Numbers.
	f(`"12.25"`, 12.25)
	f(`"1e3"`, 1000)
	f(`"1e30"`, 1e30)
	f(`"0x10p0"`, 16)
	f(`"NaN"`, math.NaN())
	f(`"-Inf"`, math.Inf(-1))

	bad := func(json string) {
		t.Helper()
		v := mustDecode(t, `{"v":`+json+`}`, everything()).member("v")
		if got, ok := v.float(); ok {
			t.Errorf("%s: got %v, want no number", json, got)
		}
	}
	bad(`null`)
	bad(`""`)
	bad(`" 1"`)
	bad(`"hello"`)
	bad(`"%"`)
	bad(`"1.5%"`)
	bad(`"-5%"`)
	bad(`"2026-05-17"`)
	bad(`"1.5 Gi"`)
	bad(`1e999`)
	bad(`"1e999"`)
	bad(`{}`)
	bad(`[1]`)
}

// The quantity parser would take minutes for a huge exponent or for very many digits.
func TestLargeNumbersTakeNoTime(t *testing.T) {
	texts := []string{"1e1000000000", "1e-1000000000", strings.Repeat("9", 1<<20), strings.Repeat("9", 1<<20) + "Gi", "1E1000000000", "1e2147483647"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range texts {
			textFloat(s)
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("textFloat took more than a minute")
	}
}

func TestLabelsOfValues(t *testing.T) {
	f := func(json, want string) {
		t.Helper()
		if got := mustDecode(t, `{"v":`+json+`}`, everything()).member("v").label(); got != want {
			t.Errorf("%s: got %q, want %q", json, got, want)
		}
	}
	f(`"a"`, "a")
	f(`""`, "")
	f(`true`, "true")
	f(`7`, "7")
	f(`-7`, "-7")
	f(`7.0`, "7")
	f(`1.50`, "1.5")
	f(`9007199254740993`, "9007199254740993")
	f(`1e3`, "1000")
	f(`1e21`, "1e+21")
	f(`1e999`, "1e999")
	f(`[1,"a",null,{"b":[]}]`, "[1 a <nil> map[b:[]]]")
}

func TestLabelNames(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := labelName(s); got != want {
			t.Errorf("labelName(%q) = %q, want %q", s, got, want)
		}
	}
	f("name", "name")
	f("camelCase_1", "camelCase_1")
	f("app.kubernetes.io/name", "app_kubernetes_io_name")
	f("1a", "_1a")
	f("", "_")
	f("é", "_")
	f("a\"b\n", "a_b_")
}

func TestNormalize(t *testing.T) {
	l := labels{{"b", "1"}, {"a", "1"}, {"b", "2"}, {"c", ""}, {"b", "3"}}.normalize()
	if len(l) != 3 || l[0] != (label{"a", "1"}) || l[1] != (label{"b", "3"}) || l[2] != (label{"c", ""}) {
		t.Errorf("got %v, want the last label of each name, sorted", l)
	}
	if l := (labels{}).normalize(); len(l) != 0 {
		t.Errorf("got %v, want none", l)
	}
}
