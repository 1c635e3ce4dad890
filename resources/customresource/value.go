package customresource

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// valueKind is the kind of a JSON value.
type valueKind uint8

const (
	nullValue valueKind = iota
	boolValue
	numberValue
	textValue
	listValue
	objectValue
)

// value is a JSON value. Its methods treat nil as null, so that callers need not check whether a
// path leads anywhere.
type value struct {
	kind  valueKind
	text  string // the content of a text, the literal of a number or boolean
	items []item // the elements of a list, the members of an object
}

// item is an element of a list, or a member of an object with its name.
type item struct {
	name string
	value
}

func (v *value) isNull() bool   { return v == nil || v.kind == nullValue }
func (v *value) isList() bool   { return v != nil && v.kind == listValue }
func (v *value) isObject() bool { return v != nil && v.kind == objectValue }

// member returns a member of an object. If several have the same name, the last one counts, as in decoders.
func (v *value) member(name string) *value {
	for i := len(v.items) - 1; i >= 0; i-- {
		if v.items[i].name == name {
			return &v.items[i].value
		}
	}
	return nil
}

// element returns an element of a list, counted from the end if i is negative.
func (v *value) element(i int) *value {
	if i < 0 {
		i += len(v.items)
	}
	if i < 0 || i >= len(v.items) {
		return nil
	}
	return &v.items[i].value
}

// label returns the value as the text of a label. Lists and objects are written as Go prints them,
// as in kube-state-metrics.
func (v *value) label() string {
	switch {
	case v.isNull():
		return "<nil>"
	case v.kind == numberValue:
		return numberLabel(v.text)
	case v.kind == listValue, v.kind == objectValue:
		return fmt.Sprint(v.printable())
	}
	return v.text
}

// printable returns a value that fmt prints as the label.
func (v *value) printable() any {
	switch v.kind {
	case listValue:
		list := make([]any, len(v.items))
		for i := range v.items {
			list[i] = v.items[i].printable()
		}
		return list
	case objectValue:
		members := make(map[string]any, len(v.items))
		for i := range v.items {
			members[v.items[i].name] = v.items[i].printable()
		}
		return members
	}
	return v.label()
}

// numberLabel writes integers as they are and other numbers in their shortest form.
func numberLabel(literal string) string {
	if _, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return literal
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return literal
	}
	return fmt.Sprint(f)
}

// float returns the value as that of a gauge. ok is false if it cannot be read as a number.
func (v *value) float() (f float64, ok bool) {
	switch {
	case v.isNull():
		return 0, false
	case v.kind == boolValue:
		return boolToFloat(v.text == "true"), true
	case v.kind == numberValue:
		f, err := strconv.ParseFloat(v.text, 64)
		return f, err == nil
	case v.kind == textValue:
		return textFloat(v.text)
	}
	return 0, false
}

func boolToFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// maxQuantity is the largest length of a text that is read as a quantity: the time of the library grows with the square
// of the number of digits.
const maxQuantity = 64

// textFloat parses the texts that stand for a number: the words of conditions, numbers, RFC 3339 times (as unix
// seconds), whole percentages (as a fraction) and quantities of Kubernetes ("250m", "1.5Gi").
func textFloat(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "true", "yes":
		return 1, true
	case "false", "no", "unknown":
		return 0, true
	}
	// Numbers come before quantities, because the latter saturate at 2^63 and would compute every
	// digit of a number with a huge exponent.
	f, err := strconv.ParseFloat(s, 64)
	if err == nil {
		return f, true
	}
	if errors.Is(err, strconv.ErrRange) || len(s) > maxQuantity {
		return 0, false
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return float64(t.Unix()), true
	}
	if digits, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.ParseUint(digits, 10, 64)
		return float64(n) / 100, err == nil
	}
	q, err := resource.ParseQuantity(s)
	return q.AsApproximateFloat64(), err == nil
}
