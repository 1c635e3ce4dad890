package curves

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/internal/capacity"
)

const mebi = 1 << 20

// quantity is a drawn quantity: the sum of all shards.
type quantity struct {
	title    string
	measured func(fit.Run) float64
	modelled func(one capacity.Replica, n float64) float64 // sum of n replicas like one
	quiet    bool                                          // modelled without events
}

// drawnEvents is the number of events per second in the measurements.
const drawnEvents = 400

// figures returns all drawings by the names of their files.
func figures(c capacity.Costs, runs []fit.Run) map[string]figure {
	memory := quantity{"Resident memory at rest, MiB", func(r fit.Run) float64 { return r.Memory / mebi },
		func(one capacity.Replica, n float64) float64 { return n * one.Memory / mebi }, true}
	start := quantity{"CPU until all is served, s", func(r fit.Run) float64 { return r.SyncCPU },
		func(one capacity.Replica, n float64) float64 { return n * one.StartCPU.Seconds() }, true}
	scrape := quantity{"CPU of a gzip scrape, nothing changed, ms", func(r fit.Run) float64 { return r.ScrapeCPU * 1e3 },
		func(one capacity.Replica, n float64) float64 { return n * one.ScrapeCPU.Seconds() * 1e3 }, true}
	event := quantity{"CPU for an event of the cluster, µs", func(r fit.Run) float64 { return (r.CPU - r.Idle) / max(r.Events, 1) * 1e6 },
		func(one capacity.Replica, n float64) float64 {
			return n * (one.CPU - c.Process.Idle.Seconds()) / drawnEvents * 1e6
		}, false}
	traffic := quantity{"Traffic for an event of the cluster, kB", func(r fit.Run) float64 { return r.EventBytes / max(r.Events, 1) / 1e3 },
		func(one capacity.Replica, n float64) float64 { return n * one.EventBytes / drawnEvents / 1e3 }, false}
	single := slices.DeleteFunc(slices.Clone(runs), func(r fit.Run) bool { return r.Shards != 1 })
	rates := slices.DeleteFunc(slices.Clone(runs), func(r fit.Run) bool { return r.Running == 0 })
	pods := 0 // of the largest cluster with several shards
	for _, r := range runs {
		if r.Shards > 1 && r.Running == 0 {
			pods = max(pods, r.Pods)
		}
	}
	divided := slices.DeleteFunc(slices.Clone(runs), func(r fit.Run) bool { return r.Pods != pods || r.Running > 0 })
	all := map[string]figure{}
	size := figure{title: "One replica, by the size of the cluster"}
	for _, q := range []quantity{memory, start, scrape, event} {
		size.panels = append(size.panels, bySize(c, single, q))
	}
	all["curve-size"] = size
	shards := figure{title: fmt.Sprintf("All shards together, %s pods, by the number of shards", report.Thousands(pods))}
	for _, q := range []quantity{event, traffic, start, memory} {
		shards.panels = append(shards.panels, byShards(c, divided, pods, q))
	}
	all["curve-shards"] = shards
	all["curve-rate"] = figure{title: "A shard that owns next to nothing", panels: []panel{byRate(c, rates)}}
	return all
}

// load returns the load of a measured cluster, as input of the model.
func load(c capacity.Costs, pods int, q quantity) capacity.Load {
	l := capacity.Load{Kinds: c.ScaleFromPods(map[string]int{"pods": pods}, capacity.DefaultKinds()), RawBytes: 32 << 20}
	if !q.quiet {
		l.Events = drawnEvents
	}
	return l
}

func bySize(c capacity.Costs, runs []fit.Run, q quantity) panel {
	p := panel{title: q.title, x: "pods, thousands"}
	s := series{}
	most := 0
	for _, r := range runs {
		s.points = append(s.points, point{float64(r.Pods) / 1e3, q.measured(r)})
		most = max(most, r.Pods)
	}
	const steps = 40
	for i := range steps + 1 {
		pods := max(most*i/steps, 1)
		s.line = append(s.line, point{float64(pods) / 1e3, q.modelled(c.Replica(load(c, pods, q), 1), 1)})
	}
	p.series = []series{s}
	return p
}

func byShards(c capacity.Costs, runs []fit.Run, pods int, q quantity) panel {
	p := panel{title: q.title, x: "shards"}
	all, server := series{name: "all of them read everything"}, series{name: "the API server shards"}
	most := 1
	for _, r := range runs {
		at := point{float64(r.Shards), q.measured(r)}
		most = max(most, r.Shards)
		if !r.ServerSharded {
			all.points = append(all.points, at)
		}
		if r.ServerSharded || r.Shards == 1 {
			server.points = append(server.points, at)
		}
	}
	l := load(c, pods, q)
	sharded := l
	sharded.ServerSharded = true
	for n := 1; n <= most; n++ {
		all.line = append(all.line, point{float64(n), q.modelled(c.Replica(l, n), float64(n))})
		server.line = append(server.line, point{float64(n), q.modelled(c.Replica(sharded, n), float64(n))})
	}
	p.series = []series{all, server}
	return p
}

// byRate returns the CPU for an event of another shard, at several rates.
func byRate(c capacity.Costs, runs []fit.Run) panel {
	s := series{}
	for _, r := range runs {
		// The shard owns one of r.Shards events. Their cost is subtracted.
		own := c.Process.OwnedEvent.Seconds() * float64(r.Running) / float64(r.Shards)
		s.points = append(s.points, point{r.Events, ((r.CPU-r.Idle)/max(r.Events, 1) - own) * 1e6})
	}
	slices.SortFunc(s.points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	if len(s.points) > 0 {
		const steps = 60
		first, last := s.points[0].x, s.points[len(s.points)-1].x
		for i := range steps + 1 {
			rate := first + (last-first)*float64(i)/steps
			s.line = append(s.line, point{rate, (c.Process.WakeupCPU.Seconds()/rate + c.Process.ForeignEvent.Seconds()) * 1e6})
		}
	}
	return panel{title: "CPU for an event of another shard, µs", x: "events a second", series: []series{s}}
}
