package customresource

import (
	"context"
	"sync/atomic"

	"github.com/statefleet/statefleet/internal/wire"
)

// issues are the ways in which an object did not fit a metric, one bit each.
type issues uint32

const (
	missing   issues = 1 << iota // the path leads nowhere
	noNumber                     // a gauge's value
	noText                       // a state set's value
	duplicate                    // another value gave the series
	allIssues
)

func (i issues) String() string {
	switch i {
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

// skip leaves a sample out and counts it.
func (s *samples) skip(why issues) {
	s.found |= why
	s.out.Skip()
}

// recordMissing records that there is no value if v is null. That is logged, since the path may be wrong, but not
// counted, because most fields are optional. If v exists and only lacks a part, that is no issue at all.
func (s *samples) recordMissing(v *value) {
	if v.isNull() {
		s.found |= missing
	}
}

// reported is a metric of one kind with its issues that were logged.
type reported struct {
	*metric
	logged atomic.Uint32
}

// report logs the issues of the metric with an object, each the first time only, because objects tend to share them.
func (r *Renderer) report(m *reported, found issues, raw []byte) {
	ctx := context.Background()
	if uint32(found)&^m.logged.Load() == 0 || !r.logger.Enabled(ctx, m.level) {
		return
	}
	found &^= issues(m.logged.Or(uint32(found)))
	object, _ := wire.ReadMeta(wire.JSON, raw) // it is valid, but may have no name
	for i := missing; i < allIssues; i <<= 1 {
		if found&i != 0 {
			r.logger.Log(ctx, m.level, "a metric has no sample of a custom resource; further ones are not logged",
				"metric", m.family.Name, "configured", m.place,
				"namespace", string(object.Namespace), "name", string(object.Name), "reason", i.String())
		}
	}
}
