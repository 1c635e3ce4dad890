package fleet

import (
	"context"
	"log/slog"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// loggedState is a state whose changes are logged.
type loggedState struct{ current string }

// changedTo records a state and reports whether it was another one before.
func (c *loggedState) changedTo(to string) bool {
	was := c.current
	c.current = to
	return was != to
}

// errorLogger logs when one kind of request begins to fail, when its error changes, and when it
// succeeds again. Its requests must not overlap, except with one whose context has ended.
type errorLogger struct {
	log    *slog.Logger
	action string // such as "read the pod"
	state  loggedState
}

func (o *errorLogger) observe(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // this process cancelled the request
	}
	if err == nil {
		if o.state.changedTo("") {
			o.log.Info("can " + o.action + " again")
		}
		return
	}
	// Compare the reason, since the text may contain ports and counts that differ each time.
	if o.state.changedTo("failing: " + string(apierrors.ReasonForError(err))) {
		o.log.Warn("cannot "+o.action+"; retrying", "err", err)
	}
}
