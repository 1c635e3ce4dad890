package measure

import "github.com/statefleet/statefleet/benchmarks/report"

// Names of figures.
const (
	SyncTime  = "sync"
	SyncCPU   = "sync, CPU"
	SyncBytes = "bytes from the API server until then"
	Peak      = "resident memory, peak until then"
	IdleCPU   = "CPU a second, left alone"
	RestRSS   = "resident memory, at rest"
	ChurnRSS  = "resident memory, end of churn"
	RestPSS   = "proportional memory, at rest"
	ChurnPSS  = "proportional memory, end of churn"

	Series     = "series"
	Events     = "events of the cluster"
	EventCPU   = "CPU for an event of the cluster"
	EventBytes = "bytes from the API server for an event of the cluster"
)

// Kinds of scrapes, which are prefixes of the names of their figures.
const (
	Unchanged  = "gzip scrape, nothing changed"
	OnePercent = "gzip scrape, 1 % changed"
	Statuses   = "gzip scrape, every status changed"
	Replaced   = "gzip scrape, every object replaced"
	Churning   = "gzip scrape, churn"
	Identity   = "identity scrape"
)

// Figures of a kind of scrapes, which are suffixes of their names.
const (
	Median    = ", median"
	CPU       = ", CPU"
	Body      = ", body"
	ChangeCPU = ", CPU of the change"
)

// Measures returns all figures of a session, in the order of the rows of tables.
func Measures() []report.Measure {
	all := []report.Measure{
		{Name: SyncTime, Unit: "s", Longest: true}, {Name: SyncCPU, Unit: "CPU-s"}, {Name: SyncBytes, Unit: "MB"},
		{Name: Peak, Unit: "MiB"}, {Name: IdleCPU, Unit: "ms"}, {Name: RestRSS, Unit: "MiB"}, {Name: ChurnRSS, Unit: "MiB"},
		{Name: RestPSS, Unit: "MiB"}, {Name: ChurnPSS, Unit: "MiB"},
	}
	for _, kind := range []string{Unchanged, OnePercent, Statuses, Replaced, Churning, Identity} {
		all = append(all, report.Measure{Name: kind + Median, Unit: "ms", Longest: true}, report.Measure{Name: kind + CPU, Unit: "ms"},
			report.Measure{Name: kind + Body, Unit: "MB"}, report.Measure{Name: kind + ChangeCPU, Unit: "ms"})
	}
	return append(all,
		report.Measure{Name: Series}, report.Measure{Name: Events, Unit: "/s", Longest: true},
		report.Measure{Name: EventCPU, Unit: "us"}, report.Measure{Name: EventBytes, Unit: "kB"})
}
