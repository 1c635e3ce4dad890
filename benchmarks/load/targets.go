package main

// reference is kube-state-metrics 2.20 on the same cluster, measured on another,
// quiet machine with two cores. It is no measurement of ours: ratios to it hold
// as far as machines are alike. Of a range, it has the better end.
type reference struct {
	pods         int
	one, quarter column
	unchangedMS  float64 // the target for a scrape's time, which is no ratio
	restMiB      float64 // the target for memory, where it is no ratio
}

// column is one column of the reference.
type column struct {
	gzipMB, gzipCPU                float64
	identitySeconds, identityCPU   float64
	syncCPU                        float64
	peakMiB, lateMiB, microseconds float64
}

func reference20k() reference {
	return reference{
		pods: 20_000, unchangedMS: 60, restMiB: 160,
		one:     column{38.8, 5.2, 1.57, 1.42, 6.8, 1463, 939, 313},
		quarter: column{9.7, 1.43, 0.31, 0.25, 3.8, 416, 270, 214},
	}
}

func reference100k() reference {
	return reference{
		pods: 100_000, unchangedMS: 300, restMiB: 600,
		one:     column{205, 31, 9.1, 8.2, 64, 6393, 3823, 313},
		quarter: column{51, 7.3, 1.7, 1.55, 20, 1906, 1025, 214},
	}
}

// referenceFor is the reference of the size that is nearer, in proportion to
// the pods; scale is 1 when it was measured at that very size.
func referenceFor(pods int) (r reference, scale float64) {
	r = reference20k()
	if pods > 60_000 {
		r = reference100k()
	}
	return r, float64(pods) / float64(r.pods)
}

// target is one row: what was measured, and what it had to be at most.
type target struct {
	What      string
	Unit      string
	Value     float64
	Target    float64
	Reference float64 `json:",omitempty"` // of kube-state-metrics; 0 where there is none
	Met       bool
}

// leastCPU is the least time that is measured, in seconds.
const leastCPU = 0.01

// rows collects targets.
type rows struct {
	all   []target
	scale float64
}

func (r *rows) row(what, unit string, value, limit, reference float64) {
	r.all = append(r.all, target{What: what, Unit: unit, Value: value, Target: limit, Reference: reference, Met: value <= limit})
}

// ratio is for targets that are a part of the reference, which grows with the cluster.
func (r *rows) ratio(what, unit string, value, part, reference float64) {
	r.row(what, unit, value, part*reference*r.scale, reference*r.scale)
}

// ms is for what is held in seconds.
const ms = 1e3

// judge makes the rows of all targets from what was measured.
func (o *outcome) judge(pods int) []target {
	ref, scale := referenceFor(pods)
	r := &rows{scale: scale}
	if o.One != nil && o.One.Sum.Gzip != nil {
		r.scrapes(o.One.Sum, ref)
		r.memory(o.One.Sum, ref)
	}
	if o.Starts != nil {
		r.starts(o, ref)
	}
	if o.One != nil && o.One.Sum.Churn != nil {
		event := o.One.Sum.Churn.MicrosecondsPerEvent
		r.row("CPU for an event, owned, packing included", "us", event, 100, ref.one.microseconds)
		r.row("CPU for an event, owned, packing included: second target", "us", event, 60, ref.one.microseconds)
	}
	if o.Foreign != nil {
		r.row("CPU for an event, not owned", "us", o.Foreign.Sum.Churn.MicrosecondsPerEvent, 6, 0)
	}
	return r.all
}

func (r *rows) scrapes(one figures, ref reference) {
	gzip := ref.one.gzipCPU * ms
	r.ratio("gzip scrape, nothing changed: CPU", "ms", one.Gzip.CPUSeconds*ms, 1./100, gzip)
	r.row("gzip scrape, nothing changed: time, median", "ms", one.Gzip.MedianSeconds*ms, ref.unchangedMS*r.scale, 0)
	r.ratio("gzip scrape, 1 % of the objects changed: CPU", "ms", one.OnePercent.CPUSeconds*ms, 1./30, gzip)
	r.ratio("gzip scrape, churn, packing between scrapes counted in: CPU", "ms", one.Churn.Gzip.CPUSeconds*ms, 1./20, gzip)
	r.ratio("gzip scrape, status of every object changed: CPU", "ms", one.Everything.CPUSeconds*ms, 0.7, gzip)
	r.ratio("gzip scrape, every object replaced: CPU", "ms", one.Replaced.CPUSeconds*ms, 0.7, gzip)
	r.ratio("gzip body", "MB", float64(one.Gzip.Bytes)/1e6, 1.25, ref.one.gzipMB)
	r.ratio("identity scrape: time, median", "ms", one.Identity.MedianSeconds*ms, 0.5, ref.one.identitySeconds*ms)
	r.ratio("identity scrape: CPU", "ms", one.Identity.CPUSeconds*ms, 0.5, ref.one.identityCPU*ms)
}

func (r *rows) memory(one figures, ref reference) {
	r.row("resident memory, at rest", "MiB", one.RestMiB, ref.restMiB*r.scale, ref.one.lateMiB*r.scale)
	r.ratio("resident memory, peak until synced", "MiB", one.PeakMiB, 1./8, ref.one.peakMiB)
	r.row("resident memory, peak over at rest", "times", one.PeakMiB/max(one.RestMiB, 1), 1.3, 0)
}

func (r *rows) starts(o *outcome, ref reference) {
	r.ratio("first sync, one: CPU", "CPU-s", o.startCPU(startOne), 1/2.5, ref.one.syncCPU)
	r.ratio("first sync, 1 of 4: CPU", "CPU-s", o.startCPU(startQuarter), 1./6, ref.quarter.syncCPU)
	eighth := o.startCPU(startOne) / 8
	r.row("first sync, 1 of 8 over an eighth of one: CPU", "times", o.startCPU(startEighth)/eighth, eighthTarget, 0)
	r.row("first sync, 1 of 8 over an eighth of one, the API server shards: CPU", "times", o.startCPU(startEighthByServer)/eighth, eighthTarget, 0)
}

// eighthTarget is what a shard of eight may take, in eighths of what one takes.
const eighthTarget = 1.25

// startCPU is the CPU time in seconds of a kind of start.
func (o *outcome) startCPU(start int) float64 {
	var all []float64
	for _, one := range o.Starts[start] {
		all = append(all, one.Sum.SyncCPUSeconds)
	}
	return max(median(all), leastCPU)
}

// commonCPU is how much of what one shard takes to start every shard of eight may take
// as well, so that it meets eighthTarget: with c of it common and the rest o-c divided,
// c + (o-c)/8 = 1.25 o/8.
func (o *outcome) commonCPU() float64 {
	return o.startCPU(startOne) * (eighthTarget - 1) / 7
}
