package resources

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseAllowlist(t *testing.T) {
	f := func(entries []string, resource string, allowed, refused string) {
		t.Helper()
		a, err := ParseAllowlist(entries)
		if err != nil {
			t.Errorf("%v: %v", entries, err)
			return
		}
		k := a.keys(resource)
		for _, key := range strings.Fields(allowed) {
			if k == nil || !k.allow(key) {
				t.Errorf("%v: key %s of %s is not allowed, want allowed", entries, key, resource)
			}
		}
		for _, key := range strings.Fields(refused) {
			if k != nil && k.allow(key) {
				t.Errorf("%v: key %s of %s is allowed, want not allowed", entries, key, resource)
			}
		}
	}
	f(nil, "pods", "", "app")
	f([]string{"pods=[app,tier]"}, "pods", "app tier", "ap apps other")
	f([]string{"pods=[app,tier]"}, "nodes", "", "app")
	f([]string{"pods=[app],nodes=[zone]"}, "nodes", "zone", "app")
	f([]string{"pods=[app]", "nodes=[zone]"}, "nodes", "zone", "app")
	f([]string{" pods=[ app , tier ]"}, "pods", "app tier", "")
	f([]string{"pods=[*]"}, "pods", "app any/thing", "")
	f([]string{"pods=[app,*]"}, "pods", "app", "other")
	f([]string{"pods=[example.com/*]"}, "pods", "example.com/ example.com/a", "example.co example.org/a")
	f([]string{"pods=[*-id]"}, "pods", "-id team-id", "team-ids")
	f([]string{"pods=[a*z]"}, "pods", "az abz", "a z za")
	f([]string{"pods=[aa*a]"}, "pods", "aaa", "aa")
	f([]string{"*=[app]"}, "anything", "app", "other")
	f([]string{"*=[app],pods=[tier]"}, "pods", "app tier", "other")
	f([]string{"*=[app],pods=[tier]"}, "nodes", "app", "tier")
	f([]string{"*=[app],pods=[team/*]"}, "pods", "app team/a", "other")
	f([]string{"*=[app],pods=[*]"}, "pods", "app other", "")
	f([]string{"*=[*],pods=[app]"}, "pods", "app other", "")
	f([]string{"*=[app],pods=[]"}, "pods", "app", "other")
	f([]string{"pods=[]"}, "pods", "", "app")
	f([]string{"pods=[a],pods=[b]"}, "pods", "b", "a")
	f([]string{"pods=[a]", "pods=[b],*=[c]", "*=[d],pods=[e*]"}, "pods", "a b c d ee", "f")
	f([]string{"pods=[a]", "pods=[*]", "pods=[]"}, "pods", "a other", "")
}

// The labels and annotations families of such a kind are left out, instead of being exported without these labels.
func TestKindWithoutAllowedKeysHasNoKeys(t *testing.T) {
	for _, entry := range []string{"", "nodes=[app]", "pods=[]", "*=[]", "*=[],pods=[ ]"} {
		a, err := ParseAllowlist([]string{entry})
		if err != nil {
			t.Fatal(err)
		}
		if a.keys("pods") != nil {
			t.Errorf("%q: got keys of pods, want none", entry)
		}
	}
}

func TestParseAllowlistErrorsNameTheEntry(t *testing.T) {
	f := func(entry, part string) {
		t.Helper()
		_, err := ParseAllowlist([]string{"nodes=[zone]", entry})
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %v, want one with %q", entry, err, part)
		}
	}
	f("pods", `"pods"`)
	f("pods=app", `"pods=app"`)
	f("pods=[app", "app")
	f("pods=[app]nodes=[zone]", "comma")
	f("=[app]", "not a resource name")
	f("a,b=[app]", `"a,b"`)
	f("pods=[a*b*c]", `"a*b*c"`)
	f("pods=[**]", `"**"`)
}

func TestAllowlistResources(t *testing.T) {
	a, err := ParseAllowlist([]string{"pods=[a],*=[b],nodes=[c]"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.Resources(), []string{"nodes", "pods"}; !slices.Equal(got, want) {
		t.Errorf("Resources() = %v, want %v", got, want)
	}
}

// No input makes ParseAllowlist panic, and an accepted allowlist allows the keys that it names.
func FuzzParseAllowlist(f *testing.F) {
	for _, s := range []string{"", "pods=[app,tier]", "*=[*],nodes=[a*b]", "pods=[", "=[]", "pods=[a]]", "pods=[a],", "a=[=[]"} {
		f.Add(s, "app")
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		a, err := ParseAllowlist([]string{text})
		if err != nil {
			return
		}
		for _, resource := range a.Resources() {
			if resource == "" || strings.ContainsAny(resource, "[],=") {
				t.Errorf("%q: got invalid resource %q", text, resource)
			}
			k := a.keys(resource)
			if k == nil { // there are no keys
				continue
			}
			for exact := range k.exact {
				if !k.allow(exact) {
					t.Errorf("%q: its key %q is not allowed", text, exact)
				}
			}
			k.allow(key)
		}
	})
}

// An entry allows exactly the keys that it names. A star stands for any text, and no other character has a special
// meaning.
func FuzzAllowlistKeys(f *testing.F) {
	f.Add("app, tier", "app")
	f.Add("a*b,*", "ab")
	f.Add("*", "anything")
	f.Add(" *.io/x ", "example.io/x")
	f.Fuzz(func(t *testing.T, list, key string) {
		a, err := ParseAllowlist([]string{"pods=[" + list + "]"})
		if err != nil || strings.Contains(list, "]") || !utf8.ValidString(list) || !utf8.ValidString(key) {
			return
		}
		want := false
		for i, each := range strings.Split(list, ",") {
			each = strings.TrimSpace(each)
			expression := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(each), `\*`, ".*") + "$"
			// A star alone allows all keys only if it comes first.
			if each != "" && (each != "*" || i == 0) {
				want = want || regexp.MustCompile(expression).MatchString(key)
			}
		}
		k := a.keys("pods")
		if got := k != nil && k.allow(key); got != want {
			t.Errorf("[%s]: key %q allowed: %v, want %v", list, key, got, want)
		}
	})
}
