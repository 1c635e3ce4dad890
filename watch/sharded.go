package watch

// filtering finds out whether an API server honours the shard selector of one
// watch. A list says so in its metadata; a watch, also one that streams a list,
// is known only by what it brings. It is used by one goroutine.
type filtering struct {
	source   *Source
	selector string // as it was sent; "" asked for everything
	ours     int    // objects so far
	known    bool   // nothing further can be learned
}

// convincing is how many objects of ours, and none of others, are no accident:
// a replica that holds half of all objects sees that once in a million.
const convincing = 20

// newFiltering takes the selector that the server was sent.
func newFiltering(s *Source, selector string) *filtering {
	f := &filtering{source: s, selector: selector}
	if selector == "" {
		f.conclude(false)
	}
	return f
}

// saw notes an object, of this replica or of another shard.
func (f *filtering) saw(ours bool) {
	switch {
	case f.known:
	case ours:
		if f.ours++; f.ours == convincing {
			f.source.counters.sharded(true)
		}
	case f.selector == f.source.Selector():
		f.conclude(false)
	default:
		f.known = true // the replica holds less by now than it asked this server for
	}
}

// listed notes the end of a streamed list. An empty one proves nothing.
func (f *filtering) listed() {
	if !f.known && f.ours > 0 {
		f.source.counters.sharded(true)
	}
}

func (f *filtering) conclude(honoured bool) {
	f.known = true
	f.source.counters.sharded(honoured)
}
