package shard

import (
	"strings"
	"testing"
)

func TestStatic(t *testing.T) {
	for _, c := range []struct {
		shard, total int
		fault        string // flag that the error must begin with
	}{
		{0, 1, ""}, {0, 3, ""}, {2, 3, ""}, {MaxTotal - 1, MaxTotal, ""},
		{3, 3, "--shard must be between 0 and 2 with --total-shards=3, got 3"}, {-1, 3, "--shard "}, {1, 1, "--shard "},
		{0, 0, "--total-shards "}, {0, -1, "--total-shards "}, {0, MaxTotal + 1, "--total-shards "}, {5, 0, "--total-shards "},
	} {
		got, err := Static(c.shard, c.total)
		if c.fault != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.fault) || got != (Assignment{}) {
				t.Errorf("Static(%d, %d) = %v, %v; want an error about %s", c.shard, c.total, got, err, c.fault)
			}
			continue
		}
		if want := (Assignment{Ordinal: c.shard, Total: c.total}); err != nil || got != want {
			t.Errorf("Static(%d, %d) = %v, %v; want %v", c.shard, c.total, got, err, want)
		}
	}
}

func TestAssignmentRanges(t *testing.T) {
	for _, c := range []struct {
		assignment Assignment
		want       Ranges
	}{
		{Assignment{0, 1}, All()},
		{Assignment{0, 2}, Ranges{{0, 1 << 63}}},
		{Assignment{1, 2}, Ranges{{1 << 63, 0}}},
		{Assignment{2, 2}, nil},
		{Assignment{-1, 2}, nil},
		{Assignment{}, nil},
		{Assignment{0, MaxTotal + 1}, nil},
	} {
		if got := c.assignment.Ranges(); !got.Equal(c.want) {
			t.Errorf("%v owns %v, want %v", c.assignment, got, c.want)
		}
	}
	if got, want := (Assignment{2, 3}).String(), "shard 2 of 3 (counted from 0)"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
