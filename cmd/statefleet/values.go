package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// named is a flag's value whose errors name the flag.
type named struct {
	kingpin.Value
	flag string
}

// Set implements [kingpin.Value].
func (n named) Set(s string) error {
	if err := n.Value.Set(s); err != nil {
		return fmt.Errorf("--%s: %w", n.flag, err)
	}
	return nil
}

// form is how the value of a flag is written in a configuration file.
type form struct {
	name string   // for people to read
	tags []string // of YAML scalars that may be one
}

// parsed is a flag's value that a function reads.
type parsed[T any] struct {
	into *T
	form form
	read func(string) (T, error)
}

// Set implements [kingpin.Value].
func (p parsed[T]) Set(s string) (err error) {
	*p.into, err = p.read(strings.TrimSpace(s))
	return err
}

// String implements [kingpin.Value].
func (p parsed[T]) String() string { return fmt.Sprint(*p.into) }

func (p parsed[T]) written() form { return p.form }

// whole reads an integer of at least low that fits T.
func whole[T int | int64 | uint16](into *T, low int64) kingpin.Value {
	high := int64(math.MaxInt32)
	if T(0)-1 > 0 {
		high = math.MaxUint16
	}
	return parsed[T]{into, form{"whole number", []string{"!!int"}}, func(s string) (T, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("must be an integer between %d and %d, got %q", low, high, s)
		}
		return T(n), nil
	}}
}

// positive reads a number above 0 and up to high.
func positive(into *float64, high float64) kingpin.Value {
	return parsed[float64]{into, form{"number", []string{"!!int", "!!float"}}, func(s string) (float64, error) {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x > 0 && x <= high) {
			return 0, fmt.Errorf("%q is no number above 0 and up to %g", s, high)
		}
		return x, nil
	}}
}

// duration reads a time span, such as 1m30s; 0 stands for no bound.
func duration(into *time.Duration) kingpin.Value {
	return parsed[time.Duration]{into, form{"time span", []string{"!!str", "!!int"}}, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is no time span, such as 1m30s", s)
		}
		return d, nil
	}}
}

// sizeBetween reads a number of bytes within bounds.
func sizeBetween(into *int64, low, high int64) kingpin.Value {
	v := parsedSize(into)
	read := v.read
	v.read = func(s string) (int64, error) {
		n, err := read(s)
		if err == nil && (n < low || n > high) {
			err = fmt.Errorf("must be from %d to %d bytes, got %q", low, high, s)
		}
		return n, err
	}
	return v
}

// size reads a number of bytes, such as 32MiB, 32Mi, 50MB or 1048576.
func size(into *int64) kingpin.Value { return parsedSize(into) }

func parsedSize(into *int64) parsed[int64] {
	return parsed[int64]{into, form{"number of bytes", []string{"!!str", "!!int"}}, func(s string) (int64, error) {
		q, err := resource.ParseQuantity(strings.TrimSuffix(s, "B"))
		// What an int64 cannot hold, Value turns into any number, 0 included, which may stand for no limit.
		if err != nil || q.Sign() < 0 || q.CmpInt64(math.MaxInt64) > 0 {
			return 0, fmt.Errorf("%q is no number of bytes, such as 32MiB", s)
		}
		return q.Value(), nil
	}}
}
