package objects

import (
	"context"
	"log/slog"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/internal/watch/outage"
)

// ErrorLogger logs when one kind of request begins to fail, when its error changes, and when it
// succeeds again. Its requests must not overlap, except with one whose context has ended.
type ErrorLogger struct {
	Log    *slog.Logger
	Action string // such as "read the pod"

	failing bool
	reason  string
	level   slog.Level // of the last error
}

// Observe records the result of a request. It ignores requests that this process has cancelled.
func (l *ErrorLogger) Observe(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	// Compare the reason, since the text may contain ports and counts that differ each time.
	failing, reason := err != nil, string(apierrors.ReasonForError(err))
	changed := failing != l.failing || reason != l.reason
	l.failing, l.reason = failing, reason
	switch {
	case !changed:
	case failing:
		l.level = outage.Level(err)
		l.Log.Log(ctx, l.level, "cannot "+l.Action+"; retrying", "err", err)
	default:
		l.Log.Log(ctx, min(l.level, slog.LevelInfo), "can "+l.Action+" again")
	}
}
