package fit

import (
	"fmt"
	"time"

	"github.com/statefleet/statefleet/internal/capacity"
)

const podsKind = "pods"

// Fit returns c with the costs that the runs determine replaced. The sizes of objects, and the costs
// whose comment in costs.yaml names another source, stay. The runs must differ in their numbers of
// pods and of shards, else Fit returns an error.
func Fit(c capacity.Costs, runs []Run) (capacity.Costs, error) {
	for _, part := range []struct {
		name string
		fit  func([]Run, *capacity.Costs) error
	}{{"memory", fitMemory}, {"start", fitStart}, {"scrapes", fitScrapes}, {"events", fitEvents}, {"traffic", fitTraffic}} {
		if err := part.fit(runs, &c); err != nil {
			return c, fmt.Errorf("fit of %s: %w", part.name, err)
		}
	}
	return c, nil
}

// total returns the sizes of all objects of a run, by the sizes in the costs.
func total(c *capacity.Costs, r Run) capacity.Total {
	return capacity.Load{Kinds: c.ScaleFromPods(map[string]int{podsKind: r.Pods}, capacity.DefaultKinds())}.Total()
}

// fitMemory fits the resident memory of a shard: a base, plus the garbage factor times the memory in
// use.
func fitMemory(runs []Run, c *capacity.Costs) error {
	var all []observation
	for _, r := range runs {
		if r.Memory == 0 {
			continue
		}
		each, held := r.Memory/r.runningShards(), 1/float64(r.Shards)
		total := total(c, r)
		all = append(all, observation{
			x:      []float64{1, c.Process.Garbage * held * float64(total.Objects)},
			y:      each - c.Process.Garbage*held*total.Memory,
			weight: relativeTo(each),
		})
	}
	found, err := regress(all)
	if err != nil {
		return err
	}
	c.Process.Base, c.Process.Object = found[0], found[1]
	return nil
}

// fitStart fits the CPU of a start: a fixed part, a part per MB of rendered text, and a part for each
// object of another shard.
func fitStart(runs []Run, c *capacity.Costs) error {
	var all []observation
	for _, r := range runs {
		if r.Text == 0 {
			continue
		}
		n := r.runningShards()
		all = append(all, observation{
			x:      []float64{1, r.Text / 1e6 / n, float64(r.Objects) * r.foreign() / n},
			y:      r.SyncCPU / n,
			weight: n * relativeTo(r.SyncCPU/n), // it is the mean of n replicas
		})
	}
	found, err := regress(all)
	if err != nil {
		return err
	}
	c.Start.Fixed, c.Start.PerMB, c.Start.ForeignObject = duration(found[0]), duration(found[1]), duration(found[2])
	return nil
}

// fitScrapes fits the CPU of a scrape: a fixed part, and a part per MB of its body.
func fitScrapes(runs []Run, c *capacity.Costs) error {
	// The kernel counts CPU in steps of 10 ms, so the mean of some dozens of shorter scrapes is noise.
	const shortest = time.Millisecond
	var all []observation
	for _, r := range runs {
		n := r.runningShards()
		if each := r.ScrapeCPU / n; each > shortest.Seconds() {
			all = append(all, observation{x: []float64{1, r.Gzip / 1e6 / n}, y: each, weight: relativeTo(each)})
		}
	}
	found, err := regress(all)
	if err != nil {
		return err
	}
	c.Scrape.Fixed, c.Scrape.PerMB = duration(found[0]), duration(found[1])
	return nil
}

// fitEvents fits the CPU that a shard uses in addition to its idle CPU: a part for wake-ups, a part for
// each owned event, and a part for each received event of another shard.
func fitEvents(runs []Run, c *capacity.Costs) error {
	var idle, shards float64
	var all []observation
	for _, r := range runs {
		if r.Events == 0 {
			continue
		}
		n := r.runningShards()
		idle += r.Idle
		shards += n
		all = append(all, observation{
			x:      []float64{n, r.owned() * r.Events, r.foreign() * r.Events},
			y:      r.CPU - r.Idle,
			weight: relativeTo(r.CPU),
		})
	}
	found, err := regress(all)
	if err != nil {
		return err
	}
	c.Process.Idle, c.Process.WakeupCPU = duration(idle/shards), duration(found[0])
	c.Process.OwnedEvent, c.Process.ForeignEvent = duration(found[1]), duration(found[2])
	return nil
}

// fitTraffic fits the bytes received for an object in the first list, and for an event.
func fitTraffic(runs []Run, c *capacity.Costs) error {
	var objects, events, objectBytes, eventBytes float64
	for _, r := range runs {
		receivers := r.owned() + r.foreign()
		objects += receivers * float64(r.Objects)
		objectBytes += r.SyncBytes
		events += receivers * r.Events
		eventBytes += r.EventBytes
	}
	if objects == 0 || events == 0 {
		return errTooFew
	}
	c.Process.ObjectBytes, c.Process.EventBytes = objectBytes/objects, eventBytes/events
	return nil
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
