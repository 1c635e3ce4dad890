package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
)

// Types of flags, for people.
const (
	textType  = "text"
	boolType  = "boolean"
	listType  = "list of texts"
	listsType = "lists of texts by kind"
)

// flagValue is the value of a flag. Its errors name the flag.
type flagValue struct {
	flag string // see [section.value]
	kind string // the type
	set  func(string) error
	text func() string
}

// Set implements [kingpin.Value].
func (v flagValue) Set(s string) error {
	if err := v.set(s); err != nil {
		return fmt.Errorf("--%s: %w", v.flag, err)
	}
	return nil
}

// String implements [kingpin.Value].
func (v flagValue) String() string { return v.text() }

// IsCumulative reports whether the flag may be repeated.
func (v flagValue) IsCumulative() bool { return v.kind == listType }

// parsed is a value that a function parses. kind is its type, for people.
func parsed[T any](into *T, kind string, parse func(string) (T, error)) flagValue {
	return flagValue{
		kind: kind,
		set: func(s string) (err error) {
			*into, err = parse(strings.TrimSpace(s))
			return err
		},
		text: func() string { return fmt.Sprint(*into) },
	}
}

// intValue parses an integer between low and the largest T, or [math.MaxInt32] if that is less.
func intValue[T int | int64 | uint16](into *T, low int64) flagValue {
	high := int64(math.MaxInt32)
	if T(0)-1 > 0 { // T is unsigned: uint16
		high = math.MaxUint16
	}
	return parsed(into, "integer", func(s string) (T, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("must be an integer between %d and %d, got %q", low, high, s)
		}
		return T(n), nil
	})
}

// positiveFloat parses a number above 0 and up to high.
func positiveFloat(into *float64, high float64) flagValue {
	return parsed(into, "number", func(s string) (float64, error) {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x > 0 && x <= high) {
			return 0, fmt.Errorf("must be a number above 0 and up to %g, got %q", high, s)
		}
		return x, nil
	})
}

// durationValue parses a duration that is not negative.
func durationValue(into *time.Duration) flagValue {
	return parsed(into, "duration", func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("must be a duration, such as 1m30s, got %q", s)
		}
		return d, nil
	})
}

// sizeValue parses a number of bytes, such as 32MiB, 32Mi, 50MB or 1048576.
func sizeValue(into *int64, low, high int64) flagValue {
	return parsed(into, "size", func(s string) (int64, error) {
		q, err := resource.ParseQuantity(strings.TrimSuffix(s, "B"))
		switch {
		case err != nil || q.Sign() < 0 || q.CmpInt64(math.MaxInt64) > 0: // beyond an int64, Value is any number
			return 0, fmt.Errorf("must be a number of bytes, such as 32MiB, got %q", s)
		case q.Value() < low || q.Value() > high:
			return 0, fmt.Errorf("must be between %d and %d bytes, got %q", low, high, s)
		}
		return q.Value(), nil
	})
}

// textValue parses a text that is empty or passes a check.
func textValue(into *string, check func(string) error) flagValue {
	return parsed(into, textType, func(s string) (string, error) {
		if s == "" {
			return s, nil
		}
		return s, check(s)
	})
}

// choice sets another value to one of the allowed texts.
func choice(of kingpin.Value, allowed []string) flagValue {
	return flagValue{kind: textType, text: of.String, set: func(s string) error {
		if of.Set(s) != nil {
			return notOneOf(allowed, s)
		}
		return nil
	}}
}

func notOneOf(allowed []string, s string) error {
	return fmt.Errorf("must be one of %s, got %q", strings.Join(allowed, ", "), s)
}

// list is a value whose elements are separated by commas or given by repeating the flag. Each is
// kept once. check may be nil.
func list(into *[]string, split func(string) []string, check func(string) error) flagValue {
	return flagValue{
		kind: listType,
		set: func(s string) error {
			for _, element := range split(s) {
				if check != nil {
					if err := check(element); err != nil {
						return err
					}
				}
				if !slices.Contains(*into, element) {
					*into = append(*into, element)
				}
			}
			return nil
		},
		text: func() string { return strings.Join(*into, ",") },
	}
}

// selectorValue parses a label selector; nil if it selects everything.
func selectorValue(into *labels.Selector) flagValue {
	return parsed(into, textType, func(s string) (labels.Selector, error) {
		selector, err := labels.Parse(s)
		if err != nil || selector.Empty() {
			return nil, err
		}
		return selector, nil
	})
}

// objectSelectors parses label selectors of kinds, separated by semicolons.
func objectSelectors(into *map[string]labels.Selector) flagValue {
	return parsed(into, textType, func(s string) (map[string]labels.Selector, error) {
		all := map[string]labels.Selector{}
		for element := range strings.SplitSeq(s, ";") {
			kind, text, assigned := strings.Cut(strings.TrimSpace(element), "=")
			switch {
			case kind == "" && !assigned: // the last semicolon
				continue
			case !assigned || strings.TrimSpace(text) == "":
				return nil, fmt.Errorf("must be KIND=SELECTOR;..., got %q", element)
			case all[kind] != nil:
				return nil, fmt.Errorf("two selectors of %s; want one, with its requirements separated by commas", kind)
			}
			if err := checkKind(kind); err != nil {
				return nil, err
			}
			selector, err := labels.Parse(text)
			if err != nil {
				return nil, fmt.Errorf("selector of %s: %w", kind, err)
			}
			all[kind] = selector
		}
		return all, nil
	})
}
