package architectures

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// Names of figures that exist only in this comparison.
const (
	busyCPU   = "CPU a second while jobs come and go"
	scrapeMS  = "gzip scrape"
	scrapeCPU = "gzip scrape, CPU"
	stale     = "age of a value at a scrape, at most"
	complete  = "fewest of its series on a page"
	gone      = "series of objects that are gone"
	afterRSS  = "resident memory, after jobs have come and gone"
)

func measures() []report.Measure {
	return []report.Measure{
		{Name: measure.Series}, {Name: measure.RestRSS, Unit: "MiB"}, {Name: measure.Peak, Unit: "MiB"},
		{Name: measure.IdleCPU, Unit: "ms"}, {Name: busyCPU, Unit: "ms"}, {Name: scrapeMS, Unit: "ms"}, {Name: scrapeCPU, Unit: "ms"},
		{Name: stale, Unit: "s"}, {Name: complete, Unit: "%"}, {Name: gone}, {Name: afterRSS, Unit: "MiB"},
	}
}

// subject is a running exporter.
type subject struct {
	*measure.Session
	most, fewest int64 // series in an exposition, before objects are deleted
}

func (s *subject) figures() report.Figures { return s.Figures[0] }

// measurement measures all exporters. It measures them at the same time where that does not disturb the figures.
type measurement struct {
	*options
	cluster  *simulator.Cluster
	progress io.Writer
	subjects []*subject
	events   float64 // per second during the churn of Jobs
}

func (m *measurement) close() {
	for _, s := range m.subjects {
		s.Close()
	}
}

func (m *measurement) measure(ctx context.Context, all []measure.Exporter) error {
	for _, e := range all {
		_, _ = fmt.Fprintln(m.progress, e.Name)
		s, err := measure.Open(m.cluster, e, 1, 1, false)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		m.subjects = append(m.subjects, &subject{Session: s})
		if err := s.Fleet.WaitReady(ctx, fleet.DefaultTimeout); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{{"memory and scrapes", m.rest}, {"staleness", m.staleness}, {"objects that come and go", m.growth}} {
		_, _ = fmt.Fprintln(m.progress, step.name)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// during measures the CPU of each exporter while run runs, in milliseconds per second, as the figure with a name.
func (m *measurement) during(name string, run func() error) (w measure.Window, err error) {
	nested := run
	for _, s := range m.subjects {
		inner := nested
		nested = func() error {
			w, err = s.During(inner)
			if err == nil {
				s.figures()[name] = w.CPU[0] * 1e3 / w.Seconds
			}
			return err
		}
	}
	return w, nested()
}

// rest measures scrapes and memory when nothing changes.
func (m *measurement) rest(ctx context.Context) error {
	if _, err := m.during(measure.IdleCPU, func() error { return fleet.Pause(ctx, m.settle) }); err != nil {
		return err
	}
	const scrapes, every = 3, 5 * time.Second
	for range scrapes { // an exporter in use needs memory for scrapes
		for _, s := range m.subjects {
			if _, err := s.Fleet.Replicas[0].Scrape(ctx, "gzip"); err != nil {
				return err
			}
		}
		if err := fleet.Pause(ctx, every); err != nil {
			return err
		}
	}
	for _, s := range m.subjects {
		used, err := s.Fleet.Replicas[0].Usage()
		if err != nil {
			return err
		}
		s.figures()[measure.Peak] = float64(used.Peak) / (1 << 20)
		if err := s.Memory(measure.RestRSS); err != nil {
			return err
		}
		if err := m.scrape(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// scrape measures sequential scrapes.
func (m *measurement) scrape(ctx context.Context, s *subject) error {
	const atLeast, scrapes = 2 * time.Second, 5 // the kernel counts CPU in steps of 10 ms
	n := 0
	w, err := s.During(func() error {
		for start := time.Now(); n < scrapes || time.Since(start) < atLeast; n++ {
			if _, err := s.Fleet.Replicas[0].Scrape(ctx, "gzip"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	f := s.figures()
	f[scrapeMS] = w.Seconds * 1e3 / float64(n)
	f[scrapeCPU] = (w.CPU[0]*1e3 - f[measure.IdleCPU]*w.Seconds) / float64(n)
	s.most, err = s.series(ctx)
	s.fewest = s.most
	return err
}

// series returns the largest number of series in several scrapes. A single exposition may lack series that are not
// copied yet.
func (s *subject) series(ctx context.Context) (most int64, err error) {
	const scrapes = 3
	for range scrapes {
		plain, err := s.Fleet.Replicas[0].Scrape(ctx, "identity")
		if err != nil {
			return 0, err
		}
		most = max(most, plain.Series)
	}
	return most, nil
}

// staleness increments the restart count of a container continually. It measures how long before the start of a
// scrape the count in the exposition was replaced by the next one.
func (m *measurement) staleness(ctx context.Context) error {
	h := &history{}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer cancel() // without changes there is nothing to measure
		done <- m.restart(ctx, h)
	}()
	var err error
	for _, s := range m.subjects {
		for start := time.Now(); err == nil && time.Since(start) < m.follow; {
			err = s.sampleAge(ctx, h)
		}
		s.figures()[measure.Series] = float64(s.most)
		s.figures()[complete] = 100 * float64(s.fewest) / float64(max(s.most, 1))
	}
	cancel()
	return cmp.Or(<-done, err)
}

// restart increments the restart count of a container until ctx ends.
func (m *measurement) restart(ctx context.Context, h *history) error {
	const every = 20 * time.Millisecond
	name := m.cluster.Names("pods")[0]
	for fleet.Pause(ctx, every) == nil {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		if err := m.cluster.Modify(pod, func() { pod.Status.ContainerStatuses[0].RestartCount = h.next() }); err != nil {
			return err
		}
		h.changed()
	}
	return nil
}

// sampleAge scrapes once, and updates the age of the restart count and the numbers of series.
func (s *subject) sampleAge(ctx context.Context, h *history) error {
	started, n, restarts := time.Now(), int64(0), int32(0)
	r := s.Fleet.Replicas[0]
	err := r.Read(ctx, r.URL+"/metrics", func(body io.Reader) error {
		return exposition.Samples(body, func(line []byte) {
			n++
			name, value, _ := strings.Cut(string(line), "} ")
			if !strings.HasPrefix(name, "kube_pod_container_status_restarts_total{") {
				return
			}
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				restarts = max(restarts, int32(v))
			}
		})
	})
	if err != nil {
		return err
	}
	s.most, s.fewest = max(s.most, n), min(s.fewest, n)
	if restarts >= firstRestarts {
		s.figures()[stale] = max(s.figures()[stale], h.age(restarts, started).Seconds())
	}
	return nil
}

const jobsPerSecond = 50

// growth creates and deletes many Jobs, and counts the series that remain of them.
func (m *measurement) growth(ctx context.Context) error {
	w, err := m.during(busyCPU, func() error {
		churning, cancel := context.WithTimeout(ctx, m.churn)
		defer cancel()
		c := generator.Churn{JobsPerSecond: jobsPerSecond, JobRuns: 2 * time.Second, JobStays: 12 * time.Second, Tidy: true, Seed: 3}
		return c.Run(churning, m.cluster)
	})
	if err != nil {
		return err
	}
	m.events = w.Events / w.Seconds
	if err := fleet.Pause(ctx, m.settle); err != nil {
		return err
	}
	for _, s := range m.subjects {
		left, err := s.series(ctx)
		if err != nil {
			return err
		}
		s.figures()[gone] = float64(left - s.most)
		if err := s.Memory(afterRSS); err != nil {
			return err
		}
	}
	return nil
}
