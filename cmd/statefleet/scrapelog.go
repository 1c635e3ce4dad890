package main

import (
	"io"
	"sync"
	"time"

	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/internal/web/statuspage"
	"github.com/statefleet/statefleet/store"
)

// recentScrapes is how many scrapes are remembered: with a scrape every 30 s, those of a quarter of an hour.
const recentScrapes = 32

// scrapeLog is an exporter that remembers what its pages have cost.
type scrapeLog struct {
	web.Exporter

	mu     sync.Mutex
	recent []statuspage.Scrape // the oldest first
}

// Collect implements [web.Exporter].
func (l *scrapeLog) Collect(f store.Format, include func(resource string) bool) (web.Page, error) {
	start := time.Now()
	p, err := l.Exporter.Collect(f, include)
	if err != nil {
		return nil, err
	}
	return &loggedPage{Page: p, log: l, start: start}, nil
}

func (l *scrapeLog) add(s statuspage.Scrape) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.recent) == recentScrapes {
		l.recent = append(l.recent[:0], l.recent[1:]...)
	}
	l.recent = append(l.recent, s)
}

// overview sums up what is remembered.
func (l *scrapeLog) overview() (o statuspage.Scrapes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.recent)
	if n == 0 {
		return o
	}
	o.Last, o.Recent.Scrapes = l.recent[n-1], n
	var bytes int64
	for _, s := range l.recent {
		if !s.Whole {
			o.Recent.Failed++
		}
		o.Recent.MeanSeconds += s.Seconds / float64(n)
		o.Recent.MaxSeconds = max(o.Recent.MaxSeconds, s.Seconds)
		bytes += s.Bytes
	}
	o.Recent.MeanBytes = bytes / int64(n)
	return o
}

// loggedPage is a page that tells the log when it was written.
type loggedPage struct {
	web.Page
	log   *scrapeLog
	start time.Time
}

// WriteGzip implements [web.Page].
func (p *loggedPage) WriteGzip(w io.Writer) error {
	return p.done(statuspage.Scrape{Encoding: "gzip", Bytes: p.GzipSize()}, p.Page.WriteGzip(w))
}

// WriteText implements [web.Page].
func (p *loggedPage) WriteText(w io.Writer) error {
	return p.done(statuspage.Scrape{Encoding: "identity", Bytes: p.Size()}, p.Page.WriteText(w))
}

func (p *loggedPage) done(s statuspage.Scrape, err error) error {
	s.At, s.Whole = time.Now(), err == nil
	s.Seconds = s.At.Sub(p.start).Seconds()
	p.log.add(s)
	return err
}
