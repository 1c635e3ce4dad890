package web

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestScrapesAreRecorded(t *testing.T) {
	log, e := &ScrapeLog{}, &fakeExporter{}
	h, err := Handler(e, prometheus.NewRegistry(), Options{Scrapes: log})
	if err != nil {
		t.Fatal(err)
	}
	do(t, h, "HEAD", "/metrics")
	do(t, h, "GET", "/metrics?resources=none")
	if sum := log.Summary(); sum != (ScrapeSummary{}) {
		t.Errorf("before the first scrape: got %+v, want zero", sum)
	}
	for range 2 * recentScrapes {
		do(t, h, "GET", "/metrics")
	}
	e.replace = &brokenSnapshot{fakeSnapshot{released: &e.released}}
	do(t, h, "GET", "/metrics")
	sum := log.Summary()
	if sum.Last.Encoding != "identity" || sum.Last.Complete || sum.Last.Bytes != 10 || sum.Count != recentScrapes || sum.Incomplete != 1 {
		t.Errorf("after an incomplete scrape: got %+v", sum)
	}
	e.replace = nil
	a := do(t, h, "GET", "/metrics", "Accept-Encoding", "gzip")
	sum = log.Summary()
	if sum.Last.Encoding != "gzip" || !sum.Last.Complete || sum.Last.Bytes != int64(len(a.sent)) || sum.MeanBytes == 0 || sum.MaxSeconds < sum.MeanSeconds {
		t.Errorf("after a complete scrape: got %+v", sum)
	}
}
