package resources

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Allowlist states which labels or annotations of which kinds become labels of metrics. The zero value allows none.
type Allowlist struct {
	byResource map[string]*keys
	wildcard   *keys // of the resource "*": for all kinds, including those with an entry
}

// keys are the keys allowed for one kind.
type keys struct {
	exact    map[string]bool
	patterns []pattern
}

// pattern is a key with one star in it, which stands for any text.
type pattern struct{ prefix, suffix string }

// ParseAllowlist parses the values of --metric-labels-allowlist or --metric-annotations-allowlist, which add up: entries
// `resource=[key,key]`, separated by commas. The resource `*` stands for all kinds, including those with an entry of
// their own. A key may contain one star, which stands for any text. A star alone allows all keys, but only as the first
// key. If a value names a resource twice, the last entry counts. The error names the invalid entry.
func ParseAllowlist(values []string) (Allowlist, error) {
	all := Allowlist{byResource: map[string]*keys{}}
	for _, text := range values {
		a, err := parseAllowlist(text)
		if err != nil {
			return Allowlist{}, err
		}
		for resource, k := range a.byResource {
			all.byResource[resource] = union(all.byResource[resource], k)
		}
		if a.wildcard != nil {
			all.wildcard = union(all.wildcard, a.wildcard)
		}
	}
	return all, nil
}

func parseAllowlist(rest string) (Allowlist, error) {
	a := Allowlist{byResource: map[string]*keys{}}
	for rest != "" {
		resource, after, ok := strings.Cut(rest, "=[")
		if !ok {
			return Allowlist{}, fmt.Errorf("%q must have the form resource=[key,key]", rest)
		}
		list, next, ok := strings.Cut(after, "]")
		if !ok {
			return Allowlist{}, fmt.Errorf("%q: missing ] after the keys", rest)
		}
		if next != "" && next[0] != ',' {
			return Allowlist{}, fmt.Errorf("%q: want a comma after ]", next)
		}
		rest = strings.TrimPrefix(next, ",")
		if err := a.add(strings.TrimSpace(resource), list); err != nil {
			return Allowlist{}, err
		}
	}
	return a, nil
}

// Resources returns the names of the kinds with an entry, sorted and without "*".
func (a Allowlist) Resources() []string {
	return slices.Sorted(maps.Keys(a.byResource))
}

func (a *Allowlist) add(resource, list string) error {
	if resource == "" || strings.ContainsAny(resource, "[],=") {
		return fmt.Errorf("%q is not a resource name", resource)
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

// parseKeys parses keys with at most one star each. A star alone allows all keys if it comes first.
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
			if key != "*" || i == 0 {
				k.patterns = append(k.patterns, pattern{prefix, suffix})
			}
		default:
			return nil, fmt.Errorf("key %q must not have more than one star", key)
		}
	}
	return k, nil
}

// keys returns the keys that are allowed for a kind, by its own entry and by that of "*"; nil if there are none.
func (a Allowlist) keys(resource string) *keys {
	k := union(a.wildcard, a.byResource[resource])
	if len(k.exact)+len(k.patterns) == 0 {
		return nil
	}
	return k
}

// union returns the keys that any of the entries allows; nil stands for no entry.
func union(entries ...*keys) *keys {
	k := &keys{exact: map[string]bool{}}
	for _, entry := range entries {
		if entry != nil {
			maps.Copy(k.exact, entry.exact)
			k.patterns = append(k.patterns, entry.patterns...)
		}
	}
	return k
}

func (k *keys) allow(key string) bool {
	if k.exact[key] {
		return true
	}
	for _, p := range k.patterns {
		if len(key) >= len(p.prefix)+len(p.suffix) && strings.HasPrefix(key, p.prefix) && strings.HasSuffix(key, p.suffix) {
			return true
		}
	}
	return false
}
