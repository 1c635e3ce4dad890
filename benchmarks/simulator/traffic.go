package simulator

import (
	"sync/atomic"
)

// Traffic counts what was asked of one resource and what was answered.
type Traffic struct {
	Lists, Watches, Gets uint64 // requests; a page of a list is one
	Events               uint64 // frames of watches, bookmarks included
	Bytes                uint64 // of answers, without HTTP headers and chunk heads
}

// Add returns the sum.
func (t Traffic) Add(other Traffic) Traffic {
	return Traffic{
		Lists:   t.Lists + other.Lists,
		Watches: t.Watches + other.Watches,
		Gets:    t.Gets + other.Gets,
		Events:  t.Events + other.Events,
		Bytes:   t.Bytes + other.Bytes,
	}
}

type counters struct {
	lists, watches, gets, events, bytes atomic.Uint64
}

func (c *counters) load() Traffic {
	return Traffic{
		Lists:   c.lists.Load(),
		Watches: c.watches.Load(),
		Gets:    c.gets.Load(),
		Events:  c.events.Load(),
		Bytes:   c.bytes.Load(),
	}
}

// counts are the counters that a request adds to.
type counts []*counters

func (c counts) each(add func(*counters)) {
	for _, counters := range c {
		add(counters)
	}
}

// traffic has the counters of each resource. The map never changes.
type traffic map[string]*counters

func newTraffic(kinds []Kind) traffic {
	t := traffic{}
	for _, kind := range kinds {
		t[kind.Resource] = &counters{}
	}
	return t
}

func (t traffic) load() map[string]Traffic {
	loaded := make(map[string]Traffic, len(t))
	for resource, c := range t {
		loaded[resource] = c.load()
	}
	return loaded
}

// Sum adds up the traffic of all resources.
func Sum(byResource map[string]Traffic) Traffic {
	var sum Traffic
	for _, t := range byResource {
		sum = sum.Add(t)
	}
	return sum
}
