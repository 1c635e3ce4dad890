package web

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logInterval is the shortest time between two log lines of one kind.
const logInterval = time.Minute

// limitedLog limits log lines that clients can cause: it logs the first line of each kind, then the
// number of further ones once in each interval. It implements io.Writer for the loggers of the
// standard library.
type limitedLog struct {
	log   *slog.Logger
	level slog.Level

	mu    sync.Mutex
	kinds map[string]*lineCount
}

// lineCount counts lines of one kind.
type lineCount struct {
	since time.Time // when a line was last logged; zero: never
	more  int       // lines since then
	last  string    // the last of them
}

func newLimitedLog(l *slog.Logger, level slog.Level) *limitedLog {
	return &limitedLog{log: l, level: level, kinds: map[string]*lineCount{}}
}

// logger returns a logger that writes to l.
func (l *limitedLog) logger() *log.Logger { return log.New(l, "", 0) }

// Write implements io.Writer.
func (l *limitedLog) Write(text []byte) (int, error) {
	line := strings.TrimSpace(string(text))
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := kindOf(line)
	if l.kinds[kind] == nil {
		l.kinds[kind] = &lineCount{}
	}
	k := l.kinds[kind]
	since := time.Since(k.since)
	if k.more == 0 && since >= logInterval {
		k.since = time.Now()
		l.log.Log(context.Background(), l.level, line)
		return len(text), nil
	}
	if k.more == 0 { // a timer ends by itself, so the count is logged also if no further line comes
		time.AfterFunc(logInterval-since, func() { l.logCount(k) })
	}
	k.more++
	k.last = line
	return len(text), nil
}

// logCount logs the number of lines that were left out.
func (l *limitedLog) logCount(k *lineCount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log.Log(context.Background(), l.level, k.last, "similar_lines", k.more, "since", k.since.UTC().Format(time.RFC3339))
	k.since, k.more = time.Now(), 0
}

// kindOf returns the kind of a line of the standard library. There are few kinds, whatever clients send.
func kindOf(line string) string {
	for _, kind := range []string{"http: TLS handshake error", "http: panic serving", "http: Accept error", "http2: panic serving"} {
		if strings.HasPrefix(line, kind) {
			return kind
		}
	}
	return ""
}

// failureLog logs when reviews begin to fail and when they succeed again. Clients may be able to make
// single reviews fail, so it logs at most one failure in each logInterval, and a recovery only after
// that.
type failureLog struct {
	log    *slog.Logger
	review string // kind of review

	mu     sync.Mutex
	logged time.Time // of the last logged failure; zero: none
	fails  bool      // according to the last log line
}

// note returns err.
func (f *failureLog) note(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil && !f.fails && time.Since(f.logged) >= logInterval:
		f.fails, f.logged = true, time.Now()
		f.log.Error("reviews of callers fail; they get 503", "review", f.review, "err", err)
	case err == nil && f.fails:
		f.fails = false
		f.log.Info("reviews of callers succeed again", "review", f.review)
	}
	return err
}
