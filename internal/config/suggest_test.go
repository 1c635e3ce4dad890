package config

import (
	"strings"
	"testing"
)

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"pods", "pods", 0}, {"pots", "pods", 1}, {"pod", "pods", 1}, {"pods", "pod", 1},
		{"prot", "port", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"estimate", "etsimat", 2},
	} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := edits(c.b, c.a); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestOnlySimilarNamesAreSuggested(t *testing.T) {
	known := []string{"port", "pod", "host", "metric-allowlist", "metric-denylist"}
	for name, want := range map[string]string{
		"prot": "port", "pods": "pod", "prt": "port",
		"metrics-alowlist": "metric-allowlist", "metric-deny-list": "metric-denylist",
		"frobnicate": "", "x": "", "": "", "most-of-it": "", "metric": "", strings.Repeat("port", 1000): "",
	} {
		if want != "" {
			want = "; did you mean --" + want + "?"
		}
		if got := didYouMean(name, "--", known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
