package limits

import (
	"time"

	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/test/audit"
)

const (
	// overlap is how long two replicas may expose an object at a switch, as in the end-to-end tests.
	overlap = 250 * time.Millisecond
	// maxDelay is how long a change of an object may take to appear in the exposition, on a busy machine.
	maxDelay = 10 * time.Second
	// podsInterval is the time between two samples of all pods. There are too many pods for shorter intervals.
	podsInterval, podsTimeout = time.Second, 30 * time.Second
)

// audits checks that each job and each pod is exposed exactly once. It samples jobs often, and pods every podsInterval.
type audits struct {
	server   *simulator.Server
	clusters [2]*audit.Cluster
	running  [2]*audit.Audit
}

func kinds() [2]string { return [2]string{audit.Jobs, audit.Pods} }

// openAudits watches the jobs and pods of the cluster until the end of the run. Further calls do nothing.
func (s *setup) openAudits() error {
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

// begin starts to sample the expositions.
func (a *audits) begin(s *setup) {
	for i := range kinds() {
		o := audit.Options{Cluster: a.clusters[i], Targets: s.targets, Late: maxDelay, Allow: audit.Allowance{Doubled: overlap}}
		if i > 0 {
			o.Every, o.Timeout = podsInterval, podsTimeout
		}
		a.running[i] = audit.Begin(o)
	}
}

// auditResult is the result of the audit of one kind during one change of the fleet.
type auditResult struct {
	Change, Kind            string
	Objects, Looks, Moved   int
	Apart                   time.Duration // longest time from one sample to the next
	Missing, Doubled, Ghost int
	Longest                 time.Duration // longest time that one object was missing
}

// end stops the audits and records their results.
func (a *audits) end(s *setup, change string) {
	for i, kind := range kinds() {
		r := a.running[i].Stop()
		s.audited = append(s.audited, auditResult{
			Change: change, Kind: kind, Objects: r.Objects, Looks: r.Samples, Moved: r.Moved, Apart: r.Slowest,
			Missing: len(r.Missing), Doubled: len(r.Doubled), Ghost: len(r.Ghosts), Longest: r.WorstMissing,
		})
		s.printf("%s", r.Line(change+" "+kind))
		if len(r.Doubled)+len(r.Ghosts) > 0 {
			s.printf("%s", r.Details())
		}
	}
}

// targets returns the endpoints of all processes that run. It may be called concurrently.
func (s *setup) targets() []audit.Target {
	var targets []audit.Target
	for _, r := range s.started() {
		if r.Running() {
			targets = append(targets, audit.Target{Name: r.URL, URL: r.URL})
		}
	}
	return targets
}
