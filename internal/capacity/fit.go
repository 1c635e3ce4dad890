package capacity

import (
	"fmt"
	"time"
)

// Limits are what a replica has to stay within. Those that are 0 do not count.
type Limits struct {
	Memory  int64         // bytes: the container's limit
	Timeout time.Duration // of a scrape
	Page    int64         // bytes of a page's text, which Prometheus calls the body size limit
}

// Part of a limit that may be used in normal times. The rest is for what an
// estimate does not know: large objects, bursts, a slow minute of a node.
const (
	memoryPart  = 0.8
	timeoutPart = 0.5
)

// Exceeds says which limit the replica does not stay within, as a sentence
// about it; "" when it does.
func (l Limits) Exceeds(r Replica) string {
	switch {
	case l.Memory > 0 && r.Memory > memoryPart*float64(l.Memory):
		return fmt.Sprintf("takes more than %.0f %% of the memory limit", 100*memoryPart)
	case l.Timeout > 0 && r.ScrapeTime > duration(timeoutPart*l.Timeout.Seconds()):
		return fmt.Sprintf("takes more than %.0f %% of the scrape timeout", 100*timeoutPart)
	case l.Page > 0 && r.Text > float64(l.Page):
		return "is a page over the limit"
	}
	return ""
}

// MostReplicas is the largest fleet that Fit considers: beyond it, exact shard
// selectors get too long, and coarser ones have API servers send several times
// what a replica holds.
const MostReplicas = 128

// Fit returns the smallest fleet that stays within the limits. Without one, it
// returns the largest that was tried, and false.
func (c Costs) Fit(load Load, limits Limits) (r Replica, ok bool) {
	least := 1
	if load.Standby {
		least = 2
	}
	for n := least; n <= MostReplicas; n++ {
		if r = c.Replica(load, n); limits.Exceeds(r) == "" {
			return r, true
		}
	}
	return r, false
}
