package web

import (
	"log/slog"
	"sync"
	"time"
)

// failing logs when reviews of one kind begin to fail and when they work again. Clients may be able to make single
// reviews fail, so a failure is logged once in a logInterval at most, and a recovery only after it.
type failing struct {
	log  *slog.Logger
	kind string

	mu     sync.Mutex
	logged time.Time // the last failure in the log
	fails  bool      // the last line said so
}

func (f *failing) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil && !f.fails && (f.logged.IsZero() || time.Since(f.logged) >= logInterval):
		f.fails, f.logged = true, time.Now()
		f.log.Error("callers cannot be checked; they are answered 503", "review", f.kind, "err", err)
	case err == nil && f.fails:
		f.fails = false
		f.log.Info("callers can be checked again", "review", f.kind)
	}
}
