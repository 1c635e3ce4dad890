package limits

import (
	"time"

	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/test/audit"
)

const (
	// handOver is how long an object may be on two pages while the fleet changes over, as in the end-to-end tests.
	handOver = 250 * time.Millisecond
	// late is how long a change of an object may take to the pages, on a machine that is busy.
	late = 10 * time.Second
	// podsEvery is the time between two looks at all pods, of which there are too many to look at more often.
	podsEvery, podsTimeout = time.Second, 30 * time.Second
)

// audits look at all jobs often, and at all pods as often as a look at so many objects allows.
type audits struct {
	server   *simulator.Server
	clusters [2]*audit.Cluster
	running  [2]*audit.Audit
}

func kinds() [2]string { return [2]string{audit.Jobs, audit.Pods} }

// openAudits follows the jobs and pods of the cluster until the end, unless that has been done.
func (s *site) openAudits() error {
	if s.audits != nil {
		return nil
	}
	server, err := s.cluster.Serve("")
	if err != nil {
		return err
	}
	s.audits = &audits{server: server}
	for i, kind := range kinds() {
		if s.audits.clusters[i], err = audit.Open(&rest.Config{Host: server.URL()}, kind); err != nil {
			return err
		}
	}
	return nil
}

func (a *audits) close() {
	for _, c := range a.clusters {
		if c != nil {
			c.Close()
		}
	}
	a.server.Stop()
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

// sight is what an audit has seen of one kind while the fleet changed.
type sight struct {
	Change, Kind            string
	Objects, Looks, Moved   int
	Apart                   time.Duration // from one look to the next, at most
	Missing, Doubled, Ghost int
	Longest                 time.Duration // that one object was missing
}

// end stops looking, and notes what was seen.
func (a *audits) end(s *site, change string) {
	for i, kind := range kinds() {
		r := a.running[i].Stop()
		s.sights = append(s.sights, sight{
			Change: change, Kind: kind, Objects: r.Objects, Looks: r.Samples, Moved: r.Moved, Apart: r.Slowest,
			Missing: len(r.Missing), Doubled: len(r.Doubled), Ghost: len(r.Ghosts), Longest: r.WorstMissing,
		})
		s.say("%s", r.Line(change+" "+kind))
		if len(r.Doubled)+len(r.Ghosts) > 0 {
			s.say("%s", r.Details())
		}
	}
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
