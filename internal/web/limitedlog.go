package web

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logInterval is how often a line of one kind is logged at most.
const logInterval = time.Minute

// limitedLog logs what clients can cause as often as they like: the first line of each kind, then once in each
// interval how many more there were. It implements io.Writer for the loggers of the standard library.
type limitedLog struct {
	log   *slog.Logger
	level slog.Level

	mu    sync.Mutex
	kinds map[string]*logged
}

// logged is what is known of one kind of lines.
type logged struct {
	since time.Time // when a line was last written
	more  int       // lines since then
	last  string    // the last of them
}

func newLimitedLog(l *slog.Logger, level slog.Level) *limitedLog {
	return &limitedLog{log: l, level: level, kinds: map[string]*logged{}}
}

// logger returns a logger whose lines go through the limit.
func (l *limitedLog) logger() *log.Logger { return log.New(l, "", 0) }

// Write implements io.Writer.
func (l *limitedLog) Write(text []byte) (int, error) {
	line := strings.TrimSpace(string(text))
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := kindOf(line)
	k, ok := l.kinds[kind]
	if !ok {
		k = &logged{}
		l.kinds[kind] = k
	}
	if k.since.IsZero() || time.Since(k.since) >= logInterval && k.more == 0 {
		k.since = time.Now()
		l.log.Log(context.Background(), l.level, line)
		return len(text), nil
	}
	k.more++
	k.last = line
	l.count(k)
	return len(text), nil
}

// count logs how many lines of a kind were left out, if an interval is over.
func (l *limitedLog) count(k *logged) {
	if k.more == 0 || time.Since(k.since) < logInterval {
		return
	}
	l.log.Log(context.Background(), l.level, k.last, "similar_lines", k.more, "since", k.since.UTC().Format(time.RFC3339))
	k.since, k.more = time.Now(), 0
}

// run logs the counts that no further line would show, until ctx ends.
func (l *limitedLog) run(ctx context.Context) {
	tick := time.NewTicker(logInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.mu.Lock()
			for _, k := range l.kinds {
				l.count(k)
			}
			l.mu.Unlock()
		}
	}
}

// kindOf tells the kinds of lines apart that the standard library writes. There are few, whatever clients send.
func kindOf(line string) string {
	for _, kind := range []string{"http: TLS handshake error", "http: panic serving", "http: Accept error", "http2: panic serving"} {
		if strings.HasPrefix(line, kind) {
			return kind
		}
	}
	return ""
}
