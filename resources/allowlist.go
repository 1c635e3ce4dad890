package resources

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Allowlist says which labels or annotations of which kinds become labels of metrics. The zero
// Allowlist allows none.
type Allowlist struct {
	byResource map[string]*keys
	wildcard   *keys // for all kinds, those that are named included, from the resource "*"
}

// keys are the keys allowed for one kind.
type keys struct {
	all      bool
	exact    map[string]bool
	patterns []pattern
}

// pattern is a key with one star in it.
type pattern struct{ prefix, suffix string }

// ParseAllowlist reads the grammar of --metric-labels-allowlist and --metric-annotations-allowlist:
// entries `resource=[key,key]` separated by commas. A resource or key may be `*`, which stands for
// all, in a key only as the first; a key may hold one star. What is allowed for all kinds is
// allowed for those that are named, too. The errors name the entry at fault.
func ParseAllowlist(entries []string) (Allowlist, error) {
	a := Allowlist{byResource: map[string]*keys{}}
	rest := strings.Join(entries, ",")
	for rest != "" {
		resource, after, ok := strings.Cut(rest, "=[")
		if !ok {
			return Allowlist{}, fmt.Errorf("%q: want resource=[key,key]", rest)
		}
		list, next, ok := strings.Cut(after, "]")
		if !ok {
			return Allowlist{}, fmt.Errorf("%q: no ] behind the keys", rest)
		}
		if next != "" && next[0] != ',' {
			return Allowlist{}, fmt.Errorf("%q: want a comma behind ]", next)
		}
		rest = strings.TrimPrefix(next, ",")
		if err := a.add(strings.TrimSpace(resource), list); err != nil {
			return Allowlist{}, err
		}
	}
	return a, nil
}

// Resources returns the kinds named, sorted, without "*".
func (a Allowlist) Resources() []string {
	return slices.Sorted(maps.Keys(a.byResource))
}

func (a *Allowlist) add(resource, list string) error {
	if resource == "" || strings.ContainsAny(resource, "[],=") {
		return fmt.Errorf("%q is no resource", resource)
	}
	k, err := parseKeys(strings.Split(list, ","))
	if err != nil {
		return fmt.Errorf("%s: %w", resource, err)
	}
	if resource == "*" {
		a.wildcard = k
	} else {
		a.byResource[resource] = k
	}
	return nil
}

// parseKeys reads keys of which each may hold one star; a star alone stands for all, if it comes
// first.
func parseKeys(list []string) (*keys, error) {
	k := &keys{exact: map[string]bool{}}
	for i, key := range list {
		key = strings.TrimSpace(key)
		switch strings.Count(key, "*") {
		case 0:
			if key != "" {
				k.exact[key] = true
			}
		case 1:
			prefix, suffix, _ := strings.Cut(key, "*")
			if prefix+suffix != "" {
				k.patterns = append(k.patterns, pattern{prefix, suffix})
			} else if i == 0 {
				k.all = true
			}
		default:
			return nil, fmt.Errorf("key %q holds more than one star", key)
		}
	}
	return k, nil
}

// keys returns what is allowed for a kind, by its own entry and by that of "*"; nil when that is
// nothing.
func (a Allowlist) keys(resource string) *keys {
	k := &keys{exact: map[string]bool{}}
	for _, entry := range []*keys{a.wildcard, a.byResource[resource]} {
		if entry != nil {
			k.all = k.all || entry.all
			maps.Copy(k.exact, entry.exact)
			k.patterns = append(k.patterns, entry.patterns...)
		}
	}
	if !k.all && len(k.exact)+len(k.patterns) == 0 {
		return nil
	}
	return k
}

func (k *keys) allow(key string) bool {
	if k.all || k.exact[key] {
		return true
	}
	for _, p := range k.patterns {
		if len(key) >= len(p.prefix)+len(p.suffix) && strings.HasPrefix(key, p.prefix) && strings.HasSuffix(key, p.suffix) {
			return true
		}
	}
	return false
}
