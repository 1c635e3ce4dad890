package resources

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// Filter is a compiled Selection. The zero value selects every family that is not opt-in. A Filter is immutable and safe
// for concurrent use.
type Filter struct {
	Selection
	allow, deny, optIn []matcher
	parameters         *keys // nil: the default ones
}

// Selection states which families are rendered, and which labels and annotations they carry.
type Selection struct {
	// Allow, Deny and OptIn are lists of regular expressions for family names, not anchored, as in the flags
	// --metric-allowlist, --metric-denylist and --metric-opt-in-list.
	Allow, Deny, OptIn []string
	// Labels and Annotations are the allowlists of the families that copy an object's labels and annotations. Such a
	// family is left out for a kind without allowed keys.
	Labels, Annotations Allowlist
	// ParameterKeys are the parameters of VolumeAttributesClasses that become labels. A key may contain one star. If
	// empty, DefaultParameterKeys apply.
	ParameterKeys []string
	// SkipZeroStateSets leaves out samples with the value 0 of the families that stateSets lists.
	SkipZeroStateSets bool
	// CopiedLabelsWin lets labels that a custom resource configuration copies with a star replace its commonLabels, as
	// in kube-state-metrics.
	CopiedLabelsWin bool
}

// The flags that hold the lists of a Selection.
const (
	allowFlag = "--metric-allowlist"
	denyFlag  = "--metric-denylist"
	optInFlag = "--metric-opt-in-list"

	parametersFlag = "--metric-volumeattributesclass-parameters-allowlist"
)

// Ineffective returns a sentence for each pattern that matches none of the families, for example because of a typing
// error.
func (f Filter) Ineffective(families []Family) (all []string) {
	for _, list := range []struct {
		flag, noun string
		patterns   []matcher
		optIn      bool
	}{
		{allowFlag, "metric family", f.allow, false},
		{denyFlag, "metric family", f.deny, false},
		{optInFlag, "metric family that is off by default", f.optIn, true},
	} {
		for _, m := range list.patterns {
			matches := func(f Family) bool { return (f.OptIn || !list.optIn) && m.matches(f.Name, true) }
			if !slices.ContainsFunc(families, matches) {
				all = append(all, fmt.Sprintf("%s: pattern %q matches no %s", list.flag, m.pattern, list.noun))
			}
		}
	}
	return all
}

// matchTimeout limits one match of a pattern that RE2 cannot express.
const matchTimeout = time.Second

// matcher is a compiled pattern.
type matcher struct {
	pattern string
	match   func(name string) (bool, error)
}

// matches reports whether a name matches; it returns onTimeout if that takes too long.
func (m matcher) matches(name string, onTimeout bool) bool {
	ok, err := m.match(name)
	return ok && err == nil || onTimeout && err != nil
}

// NewFilter compiles a selection. Patterns are RE2. A pattern that RE2 cannot express (look-around, back references)
// runs in a backtracking engine with a time limit. The error names the flag and the invalid pattern.
func NewFilter(s Selection) (Filter, error) {
	if len(s.Allow) > 0 && len(s.Deny) > 0 {
		return Filter{}, errors.New(allowFlag + " and " + denyFlag + " exclude each other")
	}
	f := Filter{Selection: s}
	for _, list := range []struct {
		flag     string
		patterns []string
		into     *[]matcher
	}{
		{allowFlag, s.Allow, &f.allow},
		{denyFlag, s.Deny, &f.deny},
		{optInFlag, s.OptIn, &f.optIn},
	} {
		for _, p := range list.patterns {
			m, err := compile(p)
			if err != nil {
				return Filter{}, fmt.Errorf("%s: pattern %q: %w", list.flag, p, err)
			}
			*list.into = append(*list.into, m)
		}
	}
	if len(s.ParameterKeys) > 0 {
		var err error
		if f.parameters, err = parseKeys(s.ParameterKeys); err != nil {
			return Filter{}, fmt.Errorf("%s: %w", parametersFlag, err)
		}
	}
	return f, nil
}

// Selects reports whether the family must be rendered. A pattern that times out counts as a match in the denylist and
// as no match in the other lists: in doubt, the family is not exposed.
func (f Filter) Selects(fam Family) bool {
	if fam.OptIn && !anyMatch(f.optIn, fam.Name, false) {
		return false
	}
	if len(f.allow) > 0 {
		return anyMatch(f.allow, fam.Name, false)
	}
	return !anyMatch(f.deny, fam.Name, true)
}

func anyMatch(list []matcher, name string, onTimeout bool) bool {
	return slices.ContainsFunc(list, func(m matcher) bool { return m.matches(name, onTimeout) })
}

func compile(p string) (matcher, error) {
	re, err := regexp.Compile(p)
	if err == nil {
		return matcher{p, func(name string) (bool, error) { return re.MatchString(name), nil }}, nil
	}
	re2, err2 := regexp2.Compile(p)
	var unknown *syntax.Error
	switch {
	case err2 != nil && errors.As(err, &unknown) && unknown.Code == syntax.ErrInvalidPerlOp:
		return matcher{}, err2 // err is only about the look-around, which is allowed
	case err2 != nil:
		return matcher{}, err
	}
	re2.MatchTimeout = matchTimeout
	return matcher{p, re2.MatchString}, nil
}
