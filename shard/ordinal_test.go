package shard

import (
	"strconv"
	"strings"
	"testing"
)

func TestOrdinal(t *testing.T) {
	for _, c := range []struct {
		name, stem string
		ordinal    int
		fault      string
	}{
		{"statefleet-2", "statefleet", 2, ""},
		{"a-0", "a", 0, ""},
		{"kube-state-metrics-10", "kube-state-metrics", 10, ""},
		{"x-1-2", "x-1", 2, ""},
		{"x-2147483647", "x", 2147483647, ""},
		{"", "", 0, "must end in an ordinal"},
		{"statefleet", "", 0, "must end in an ordinal"},
		{"statefleet2", "", 0, "must end in an ordinal"},
		{"7", "", 0, "must end in an ordinal"},
		{"statefleet-", "", 0, "must end in an ordinal"},
		{"statefleet-7d9f8b-x2kq9", "", 0, "must end in an ordinal"},
		{"statefleet-+1", "", 0, "must end in an ordinal"},
		{"statefleet-1 ", "", 0, "must end in an ordinal"},
		{"-1", "", 0, "nothing before"},
		{"statefleet-01", "", 0, "leading zero"},
		{"statefleet-2147483648", "", 0, "too large"},
		{"statefleet-99999999999999999999", "", 0, "too large"},
	} {
		stem, ordinal, err := Ordinal(c.name)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), strconv.Quote(c.name)) {
				t.Errorf("Ordinal(%q): error %v, want one with %q and the name", c.name, err, c.fault)
			}
			continue
		}
		if err != nil || stem != c.stem || ordinal != c.ordinal {
			t.Errorf("Ordinal(%q) = %q, %d, %v; want %q, %d", c.name, stem, ordinal, err, c.stem, c.ordinal)
		}
	}
}

func FuzzOrdinal(f *testing.F) {
	for _, name := range []string{"", "-", "statefleet-2", "a--1", "x-01", "-0", "x-99999999999", "é-3", "x-٣"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		stem, ordinal, err := Ordinal(name)
		if err != nil {
			if stem != "" || ordinal != 0 {
				t.Fatalf("Ordinal(%q) = %q, %d with error %v, want zero values", name, stem, ordinal, err)
			}
			return
		}
		if stem == "" || ordinal < 0 || stem+"-"+strconv.Itoa(ordinal) != name {
			t.Fatalf("Ordinal(%q) = %q, %d, which are not the parts of the name", name, stem, ordinal)
		}
	})
}
