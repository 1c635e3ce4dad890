package fleet

import (
	"fmt"
	"iter"
	"math"

	"github.com/statefleet/statefleet/shard"
)

// members are the pods that one table is for: those numbered from start on in their names, one for each ordinal.
type members struct{ start, total int }

// has reports whether the pod with this number is one of them.
func (m members) has(number int) bool { return number >= m.start && number < m.end() }

// end is the number after the last one.
func (m members) end() int { return m.start + m.total }

// numbers returns the numbers of all of them.
func (m members) numbers() iter.Seq[int] {
	return func(yield func(int) bool) {
		for number := m.start; number < m.end(); number++ {
			if !yield(number) {
				return
			}
		}
	}
}

// check returns an error when there can be no such members.
func (m members) validate() error {
	switch {
	case m.total < 1 || m.total > shard.MaxTotal:
		return fmt.Errorf("must be between 1 and %d, got %d", shard.MaxTotal, m.total)
	case m.start < 0 || m.start > math.MaxInt32-shard.MaxTotal:
		return fmt.Errorf("starts at pod number %d", m.start)
	}
	return nil
}

// without returns the members before the first of those that leave accepts; if there are none, those after the last; and
// all of them if there are none either. A pod that leaves cannot be replaced by one of its name before it is gone, so
// that its objects have to move to others first.
func (m members) without(leave func(number int) bool) members {
	first, last := m.end(), m.start-1
	for number := range m.numbers() {
		if leave(number) {
			first, last = min(first, number), number
		}
	}
	before, after := members{m.start, first - m.start}, members{last + 1, m.end() - last - 1}
	switch {
	case last < m.start: // none leaves
		return m
	case before.total > 0:
		return before
	case after.total > 0:
		return after
	}
	return m
}
