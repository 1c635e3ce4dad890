package capacity

import (
	"fmt"
	"time"
)

// Learn returns the costs with those that runs tell, fitted to all of them. The
// sizes of objects, and what is in the comments of costs.yaml as measured
// otherwise, stay. Runs have to differ in their pods and in their shards.
func (c Costs) Learn(runs []Run) (Costs, error) {
	for _, part := range []struct {
		name string
		fit  func([]Run, *Costs) error
	}{{"memory", fitMemory}, {"start", fitStart}, {"scrapes", fitScrapes}, {"events", fitEvents}, {"traffic", fitTraffic}} {
		if err := part.fit(runs, &c); err != nil {
			return c, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return c, nil
}

// total is what the objects of a run take by the sizes that are known.
func (c Costs) total(r Run) Total {
	return Load{Kinds: c.Proportion(map[string]int{podsKind: r.Pods}, DefaultKinds())}.Total()
}

// fitMemory: resident memory of a shard is base, and garbage times what is in use.
func fitMemory(runs []Run, c *Costs) error {
	var all []observation
	for _, r := range runs {
		if r.Memory == 0 {
			continue
		}
		each, held := r.Memory/r.ran(), 1/float64(r.Shards)
		total := c.total(r)
		all = append(all, observation{
			x: []float64{1, c.Process.Garbage * held * float64(total.Objects)},
			y: each - c.Process.Garbage*held*total.Memory, size: each,
		})
	}
	found, err := regress(all)
	if err != nil {
		return err
	}
	c.Process.Base, c.Process.Object = found[0], found[1]
	return nil
}

// fitStart: the CPU of a start is a fixed part, one for the text that is made,
// and one for each object that another shard owns.
func fitStart(runs []Run, c *Costs) error {
	var all []observation
	for _, r := range runs {
		if r.Text == 0 {
			continue
		}
		ran := r.ran()
		all = append(all, observation{
			x: []float64{1, r.Text / 1e6 / ran, float64(r.Objects) * r.foreign() / ran},
			y: r.SyncCPU / ran, size: r.SyncCPU / ran,
		})
	}
	found, err := regress(all)
	if err != nil {
		return err
	}
	c.Start.Fixed, c.Start.PerMB, c.Start.ForeignObject = duration(found[0]), duration(found[1]), duration(found[2])
	return nil
}

// fitScrapes: the CPU of a scrape is a fixed part, and one for its bytes.
func fitScrapes(runs []Run, c *Costs) error {
	var all []observation
	for _, r := range runs {
		// The kernel counts in steps of 10 ms: what is less than a millisecond of
		// some dozens of scrapes says nothing.
		if each := r.ScrapeCPU / r.ran(); each > time.Millisecond.Seconds() {
			all = append(all, observation{x: []float64{1, r.Gzip / 1e6 / r.ran()}, y: each, size: each})
		}
	}
	found, err := regress(all)
	if err != nil {
		return err
	}
	c.Scrape.Fixed, c.Scrape.PerMB = duration(found[0]), duration(found[1])
	return nil
}

// fitEvents: beyond what a shard uses by itself, waking up costs something, whichever shard
// owns the events; an event costs the one that owns it so much, and each of the
// others that reads it so much.
func fitEvents(runs []Run, c *Costs) error {
	var idle, ran float64
	var all []observation
	for _, r := range runs {
		if r.Events == 0 {
			continue
		}
		idle += r.Idle
		ran += r.ran()
		cpu := r.CPU - r.Idle
		all = append(all, observation{x: []float64{r.ran(), r.owned() * r.Events, r.foreign() * r.Events}, y: cpu, size: r.CPU})
	}
	found, err := regress(all)
	if err != nil {
		return err
	}
	c.Process.Idle, c.Process.Awake = duration(idle/ran), duration(found[0])
	c.Process.OwnedEvent, c.Process.ForeignEvent = duration(found[1]), duration(found[2])
	return nil
}

// fitTraffic: what is received for an object in the first list, and for an event.
func fitTraffic(runs []Run, c *Costs) error {
	var objects, events, objectBytes, eventBytes float64
	for _, r := range runs {
		times := r.owned() + r.foreign()
		objects += times * float64(r.Objects)
		objectBytes += r.SyncBytes
		events += times * r.Events
		eventBytes += r.EventBytes
	}
	if objects == 0 || events == 0 {
		return errTooFew
	}
	c.Process.ObjectBytes, c.Process.EventBytes = objectBytes/objects, eventBytes/events
	return nil
}
