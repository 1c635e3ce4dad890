package fleet

import (
	"context"
	"log/slog"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// condition is a state that is worth a log line when it changes.
type loggedState struct{ current string }

// turns reports whether the condition was another one before.
func (c *loggedState) changedTo(to string) bool {
	was := c.current
	c.current = to
	return was != to
}

// outage logs when one kind of request begins to fail, when it fails for another reason, and when it works
// again. Its requests must follow each other; only one whose ctx has ended may overlap.
type errorLogger struct {
	log    *slog.Logger
	action string // what the request does, such as "read the pod"
	state  loggedState
}

func (o *errorLogger) observe(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // cut off by ourselves
	}
	if err == nil {
		if o.state.changedTo("") {
			o.log.Info("can " + o.action + " again")
		}
		return
	}
	// The reason, not the text: that may name ports and counts that differ each time.
	if o.state.changedTo("failing: " + string(apierrors.ReasonForError(err))) {
		o.log.Warn("cannot "+o.action+"; trying again", "err", err)
	}
}
