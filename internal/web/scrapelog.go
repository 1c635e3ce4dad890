package web

import (
	"slices"
	"sync"
	"time"
)

// recentScrapes is the number of scrapes that a [ScrapeLog] keeps: a quarter of an hour at one
// scrape every 30 s.
const recentScrapes = 32

// ScrapeLog keeps the latest scrapes. The zero value is empty. It is safe for concurrent use.
type ScrapeLog struct {
	mu     sync.Mutex
	recent []Scrape // the oldest first
}

// Scrape is one response with the exposition.
type Scrape struct {
	At       time.Time `json:"at,omitzero"` // when it ended
	Seconds  float64   `json:"seconds"`     // from the request until the last byte
	Bytes    int64     `json:"bytes"`       // of the body
	Encoding string    `json:"encoding,omitempty"`
	Complete bool      `json:"complete"` // whether it was written completely
}

// ScrapeSummary summarizes the latest scrapes.
type ScrapeSummary struct {
	Last        Scrape  `json:"last"`
	Count       int     `json:"count"`
	Incomplete  int     `json:"incomplete"`
	MeanSeconds float64 `json:"meanSeconds"`
	MaxSeconds  float64 `json:"maxSeconds"`
	MeanBytes   int64   `json:"meanBytes"`
}

func (l *ScrapeLog) add(s Scrape) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.recent) == recentScrapes {
		l.recent = slices.Delete(l.recent, 0, 1)
	}
	l.recent = append(l.recent, s)
}

// Summary summarizes the latest scrapes; zero before the first.
func (l *ScrapeLog) Summary() (sum ScrapeSummary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.recent)
	if n == 0 {
		return sum
	}
	sum.Last, sum.Count = l.recent[n-1], n
	for _, s := range l.recent {
		if !s.Complete {
			sum.Incomplete++
		}
		sum.MeanSeconds += s.Seconds / float64(n)
		sum.MaxSeconds = max(sum.MaxSeconds, s.Seconds)
		sum.MeanBytes += s.Bytes
	}
	sum.MeanBytes /= int64(n)
	return sum
}
