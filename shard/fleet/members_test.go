package fleet

import (
	"math"
	"testing"

	"github.com/statefleet/statefleet/shard"
)

// The last pod that a StatefulSet can have is numbered below 2^31.
func TestMembersAreValidUpToTheLargestNumbers(t *testing.T) {
	const lastStart = math.MaxInt32 - shard.MaxTotal
	for _, c := range []struct {
		members
		want string // the error
	}{
		{members{0, 1}, ""}, {members{lastStart, shard.MaxTotal}, ""},
		{members{0, 0}, "replicas must be between 1 and 1024, got 0"},
		{members{0, shard.MaxTotal + 1}, "replicas must be between 1 and 1024, got 1025"},
		{members{-1, 1}, "start must be between 0 and 2147482623, got -1"},
		{members{lastStart + 1, 1}, "start must be between 0 and 2147482623, got 2147482624"},
	} {
		got := ""
		if err := c.validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: error %q, want %q", c.members, got, c.want)
		}
	}
}

func TestMembersWithoutThoseThatLeave(t *testing.T) {
	all := members{10, 4}
	for _, c := range []struct {
		leaving []int
		want    members
	}{
		{nil, all}, {[]int{13}, members{10, 3}}, {[]int{11}, members{10, 1}}, {[]int{10}, members{11, 3}},
		{[]int{10, 12}, members{13, 1}}, {[]int{10, 13}, all}, {[]int{10, 11, 12, 13}, all},
	} {
		got := all.without(func(number int) bool {
			for _, l := range c.leaving {
				if l == number {
					return true
				}
			}
			return false
		})
		if got != c.want {
			t.Errorf("without %v: got %v, want %v", c.leaving, got, c.want)
		}
	}
}
