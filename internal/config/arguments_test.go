package config

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestSplitPatterns(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"a", []string{"a"}},
		{"a, b ,,c", []string{"a", "b", "c"}},
		{"kube_.{2,4}_info,b", []string{"kube_.{2,4}_info", "b"}},
		{"(a|b,c),d", []string{"(a|b,c)", "d"}},
		{"[,],d", []string{"[,]", "d"}},
		{"[(],d", []string{"[(]", "d"}},
		{"[])],d", []string{"[])]", "d"}},
		{"[^],],d", []string{"[^],]", "d"}},
		{"[[:alpha:],],d", []string{"[[:alpha:],]", "d"}},
		{`[\],],d`, []string{`[\],]`, "d"}},
		{`\(,b`, []string{`\(`, "b"}},
		{`a\,b`, []string{`a\,b`}},
		{`a\`, []string{`a\`}},
		{"a),b", []string{"a)", "b"}},
		{"[[:],b", []string{"[[:]", "b"}},
		{"[[:alpha:],]c,d", []string{"[[:alpha:],]c", "d"}},
	} {
		if got := splitPatterns(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzSplitPatterns checks that only commas and space get lost, that no pattern is empty, which would match everything,
// and that two joined lists give the patterns of both. The last check skips braces: they may be literal characters.
func FuzzSplitPatterns(f *testing.F) {
	f.Add("a,b{1,2},[,]", "c")
	f.Add(`\,(`, "")
	f.Add("[(],a", "[^],)],b")
	f.Add("\xc2\v", "\xa0")
	// Two halves of characters may form a space when they are joined, so bare removes space from each part first.
	bare := func(list string) string {
		var b strings.Builder
		for part := range strings.SplitSeq(list, ",") {
			b.WriteString(strings.Join(strings.Fields(part), ""))
		}
		return b.String()
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		both := splitPatterns(a + "," + b)
		if slices.Contains(both, "") {
			t.Errorf("%q: got an empty pattern", a+","+b)
		}
		if bare(strings.Join(both, ",")) != bare(a+","+b) {
			t.Errorf("%q: got %q, which lacks or adds text", a+","+b, both)
		}
		if _, err := regexp.Compile(a); err != nil || strings.ContainsAny(a, "{}") || strings.Contains(a, `\Q`) {
			return
		}
		if apart := append(splitPatterns(a), splitPatterns(b)...); !slices.Equal(both, apart) {
			t.Errorf("%q and %q: got %q joined, want %q as apart", a, b, both, apart)
		}
	})
}

func TestSplitNames(t *testing.T) {
	if got, want := splitNames(" pods, jobs,,nodes,"), []string{"pods", "jobs", "nodes"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
