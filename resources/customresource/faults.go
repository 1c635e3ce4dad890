package customresource

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/statefleet/statefleet/internal/wire"
)

// faults are the ways in which a metric and an object did not fit, one bit each.
type faults uint32

const (
	missing  faults = 1 << iota // the path leads nowhere
	noNumber                    // a gauge's value
	noText                      // a state set's value
	repeated                    // the series stands there already
	allFaults
)

func (f faults) String() string {
	switch f {
	case missing:
		return "its path leads nowhere"
	case noNumber:
		return "the value can't be read as a number"
	case noText:
		return "the value is no text"
	default:
		return "several values give the same series, of which the first counts"
	}
}

// level returns at what level the faults of a metric are logged, from its
// errorLogV: those above 0 are not wanted unless someone looks for them.
func level(verbosity int32) slog.Level {
	if verbosity > 0 {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// skip leaves out a sample and counts it.
func (s *samples) skip(why faults) {
	s.found |= why
	s.out.Skip()
}

// miss notes that there is no value. That is worth a line in the log, since the
// path may be wrong, but is not counted: most fields are optional. A value whose
// part is not there is no fault at all.
func (s *samples) miss(v *value) {
	if v.isNull() {
		s.found |= missing
	}
}

// reported is a metric of one kind, and the faults of it that were logged.
type reported struct {
	*metric
	logged atomic.Uint32
}

// report logs the faults that the metric has with an object, each the first time
// only: what is wrong with one object is wrong with many.
func (r *Renderer) report(m *reported, found faults, raw []byte) {
	if uint32(found)&^m.logged.Load() == 0 || !r.logger.Enabled(context.Background(), m.level) {
		return
	}
	found &^= faults(m.logged.Or(uint32(found)))
	object, _ := wire.ReadMeta(wire.JSON, raw) // it is valid, but may have no name
	for f := missing; f < allFaults; f <<= 1 {
		if found&f != 0 {
			r.logger.Log(context.Background(), m.level, "a metric has no sample of a custom resource; further ones are not logged",
				"metric", m.family.Name, "configured", m.place, "namespace", string(object.Namespace), "name", string(object.Name), "reason", f.String())
		}
	}
}
