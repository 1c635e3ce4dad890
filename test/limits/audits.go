package limits

import (
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/test/audit"
)

const (
	// handOver is how long an object may be on two pages while the fleet changes over, as in the end-to-end tests.
	handOver = 250 * time.Millisecond
	// late is how long a change of an object may take to the pages, on a machine that is busy.
	late = 10 * time.Second
	// podsEvery is the time between two looks at all pods, of which there are too many to look at more often.
	podsEvery, podsTimeout = time.Second, 10 * time.Second
)

// audits look at all jobs often, and at all pods as often as a look at so many objects allows.
type audits struct {
	clusters [2]*audit.Cluster
	running  [2]*audit.Audit
}

func kinds() [2]string { return [2]string{audit.Jobs, audit.Pods} }

// openAudits follows the jobs and pods of the cluster.
func (s *site) openAudits() (a *audits, err error) {
	server, err := s.cluster.Serve("")
	if err != nil {
		return nil, err
	}
	s.audited = append(s.audited, server)
	a = &audits{}
	for i, kind := range kinds() {
		if a.clusters[i], err = audit.Open(&rest.Config{Host: server.URL()}, kind); err != nil {
			a.close()
			return nil, err
		}
	}
	return a, nil
}

func (a *audits) close() {
	for _, c := range a.clusters {
		if c != nil {
			c.Close()
		}
	}
}

// begin starts to look at the pages.
func (a *audits) begin(s *site) {
	for i := range kinds() {
		o := audit.Options{Cluster: a.clusters[i], Pages: s.pages, Late: late, Allow: audit.Allowance{Doubled: handOver}}
		if i > 0 {
			o.Every, o.Timeout = podsEvery, podsTimeout
		}
		a.running[i] = audit.Begin(o)
	}
}

// line is what an audit has seen of some objects.
type line struct{ of, text string }

// end stops looking, and tells what was seen.
func (a *audits) end() (lines []line) {
	for i, kind := range kinds() {
		r := a.running[i].Stop()
		text := fmt.Sprintf("%d missing (longest %.1f s), %d doubled, %d ghosts; %d looked at %d times, at most %.1f s apart, %d moved",
			len(r.Missing), r.WorstMissing.Seconds(), len(r.Doubled), len(r.Ghosts), r.Objects, r.Samples, r.Slowest.Seconds(), r.Moved)
		lines = append(lines, line{of: kind, text: text})
	}
	return lines
}

// pages are those of all processes that may answer. It may be called concurrently.
func (s *site) pages() []audit.Page {
	var pages []audit.Page
	for _, r := range s.started() {
		if r.Running() {
			pages = append(pages, audit.Page{Name: r.URL, URL: r.URL})
		}
	}
	return pages
}
