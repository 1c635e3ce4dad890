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
	ask(t, h, "HEAD", "/metrics")
	ask(t, h, "GET", "/metrics?resources=none")
	if sum := log.Summary(); sum != (ScrapeSummary{}) {
		t.Errorf("before the first scrape: %+v", sum)
	}
	for range 2 * recentScrapes {
		ask(t, h, "GET", "/metrics")
	}
	e.replace = &brokenPage{fakePage{released: &e.released}}
	ask(t, h, "GET", "/metrics")
	sum := log.Summary()
	if sum.Last.Encoding != "identity" || sum.Last.Complete || sum.Last.Bytes != 10 || sum.Count != recentScrapes || sum.Incomplete != 1 {
		t.Errorf("after an incomplete scrape: %+v", sum)
	}
	e.replace = nil
	a := ask(t, h, "GET", "/metrics", "Accept-Encoding", "gzip")
	sum = log.Summary()
	if sum.Last.Encoding != "gzip" || !sum.Last.Complete || sum.Last.Bytes != int64(len(a.sent)) || sum.MeanBytes == 0 || sum.MaxSeconds < sum.MeanSeconds {
		t.Errorf("after a complete scrape: %+v", sum)
	}
}
