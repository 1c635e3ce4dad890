package config

import (
	"errors"
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

// flagValue is a value whose errors name the flag.
type flagValue struct {
	kingpin.Value
	flag string
}

// Set implements [kingpin.Value].
func (v flagValue) Set(s string) error {
	if err := v.Value.Set(s); err != nil {
		return fmt.Errorf("--%s: %w", v.flag, err)
	}
	return nil
}

// IsCumulative reports whether the flag may be repeated.
func (v flagValue) IsCumulative() bool {
	_, ok := v.Value.(list)
	return ok
}

// parsedValue is a value that a function parses.
type parsedValue[T any] struct {
	into  *T
	kind  string // the type, for people
	parse func(string) (T, error)
}

// Set implements [kingpin.Value].
func (p parsedValue[T]) Set(s string) (err error) {
	*p.into, err = p.parse(strings.TrimSpace(s))
	return err
}

// String implements [kingpin.Value].
func (p parsedValue[T]) String() string { return fmt.Sprint(*p.into) }

func (p parsedValue[T]) typeName() string { return p.kind }

// intValue parses an integer between low and the largest T, or [math.MaxInt32] if that is less.
func intValue[T int | int64 | uint16](into *T, low int64) kingpin.Value {
	high := int64(math.MaxInt32)
	if T(0)-1 > 0 {
		high = math.MaxUint16
	}
	return parsedValue[T]{into, "integer", func(s string) (T, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("must be an integer between %d and %d, got %q", low, high, s)
		}
		return T(n), nil
	}}
}

// positiveFloat parses a number above 0 and up to high.
func positiveFloat(into *float64, high float64) kingpin.Value {
	return parsedValue[float64]{into, "number", func(s string) (float64, error) {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x > 0 && x <= high) {
			return 0, fmt.Errorf("must be a number above 0 and up to %g, got %q", high, s)
		}
		return x, nil
	}}
}

// durationValue parses a duration that is not negative.
func durationValue(into *time.Duration) kingpin.Value {
	return parsedValue[time.Duration]{into, "duration", func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("must be a duration, such as 1m30s, got %q", s)
		}
		return d, nil
	}}
}

// sizeValue parses a number of bytes, such as 32MiB, 32Mi, 50MB or 1048576.
func sizeValue(into *int64, low, high int64) kingpin.Value {
	return parsedValue[int64]{into, "size", func(s string) (int64, error) {
		q, err := resource.ParseQuantity(strings.TrimSuffix(s, "B"))
		switch {
		case err != nil || q.Sign() < 0 || q.CmpInt64(math.MaxInt64) > 0: // beyond an int64, Value is any number
			return 0, fmt.Errorf("must be a number of bytes, such as 32MiB, got %q", s)
		case q.Value() < low || q.Value() > high:
			return 0, fmt.Errorf("must be between %d and %d bytes, got %q", low, high, s)
		}
		return q.Value(), nil
	}}
}

// textValue parses a text that is empty or passes a check.
func textValue(into *string, check func(string) error) kingpin.Value {
	return parsedValue[string]{into, textType, func(s string) (string, error) {
		if s == "" {
			return s, nil
		}
		return s, check(s)
	}}
}

// choice is a value that must be one of a few texts.
type choice struct {
	kingpin.Value
	allowed []string
}

// Set implements [kingpin.Value].
func (c choice) Set(s string) error {
	if err := c.Value.Set(s); err != nil {
		return fmt.Errorf("must be one of %s, got %q", strings.Join(c.allowed, ", "), s)
	}
	return nil
}

// choiceValue accepts the allowed texts only.
func choiceValue(into *string, allowed []string) kingpin.Value {
	return choice{parsedValue[string]{into, textType, func(s string) (string, error) {
		if !slices.Contains(allowed, s) {
			return "", errors.New("not allowed")
		}
		return s, nil
	}}, allowed}
}

// list is a value whose elements are separated by commas or given by repeating the flag. Each is
// kept once.
type list struct {
	into  *[]string
	split func(string) []string
	check func(string) error // nil: no check
}

// Set implements [kingpin.Value].
func (l list) Set(s string) error {
	for _, element := range l.split(s) {
		if l.check != nil {
			if err := l.check(element); err != nil {
				return err
			}
		}
		if !slices.Contains(*l.into, element) {
			*l.into = append(*l.into, element)
		}
	}
	return nil
}

// String implements [kingpin.Value].
func (l list) String() string { return strings.Join(*l.into, ",") }

func (l list) typeName() string { return listType }

// objectSelectors parses label selectors of kinds, separated by semicolons.
func objectSelectors(into *map[string]labels.Selector) kingpin.Value {
	return parsedValue[map[string]labels.Selector]{into, textType, func(s string) (map[string]labels.Selector, error) {
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
	}}
}
