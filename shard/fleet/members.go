package fleet

import (
	"fmt"
	"iter"
	"math"

	"github.com/statefleet/statefleet/shard"
)

// members are the pods of one table: total pods, numbered from start.
type members struct{ start, total int }

// has reports whether the pod with this number is a member.
func (m members) has(number int) bool { return number >= m.start && number < m.end() }

// end returns the number after the last member.
func (m members) end() int { return m.start + m.total }

// numbers returns the pod numbers of all members.
func (m members) numbers() iter.Seq[int] {
	return func(yield func(int) bool) {
		for number := m.start; number < m.end(); number++ {
			if !yield(number) {
				return
			}
		}
	}
}

// validate returns an error if the numbers are out of range.
func (m members) validate() error {
	switch {
	case m.total < 1 || m.total > shard.MaxTotal:
		return fmt.Errorf("replicas must be between 1 and %d, got %d", shard.MaxTotal, m.total)
	case m.start < 0 || m.start > math.MaxInt32-shard.MaxTotal:
		return fmt.Errorf("start must be between 0 and %d, got %d", math.MaxInt32-shard.MaxTotal, m.start)
	}
	return nil
}

// without returns the members before the first leaving one. If there are none, it returns those
// after the last leaving one, and if there are none either, all. A leaving pod is not replaced by
// another of its name before it has ended, so its objects have to move to other replicas first.
func (m members) without(leaving func(number int) bool) members {
	first, last := m.end(), 0
	for number := range m.numbers() {
		if leaving(number) {
			first, last = min(first, number), number
		}
	}
	before, after := members{m.start, first - m.start}, members{last + 1, m.end() - last - 1}
	switch {
	case before.total > 0: // all, if none leaves
		return before
	case after.total > 0:
		return after
	}
	return m
}
