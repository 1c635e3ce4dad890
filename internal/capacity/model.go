// Package capacity estimates the resources of a fleet: series and bytes of its expositions, memory,
// CPU, and the number of replicas that stay within given limits.
//
// If a cluster can be read, its objects are measured: a sample of the objects of each kind is rendered
// and compressed with the code that serves them. costs.yaml holds the memory and CPU of the process,
// which cannot be measured from outside, and the sizes of objects for estimates without a cluster,
// with the sources of all numbers.
package capacity

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/statefleet/statefleet/shard"
)

// Load is the work of a fleet.
type Load struct {
	Kinds []Kind
	// Events is the number of events per second, of all kinds together.
	Events float64
	// Interval is the time between two scrapes of a replica.
	Interval time.Duration
	// Check is the time between two consistency checks; 0 means never.
	Check time.Duration
	// Standby makes each replica also hold the shard of the one before it.
	Standby bool
	// ServerSharded is whether the API server leaves out what a replica's selector does not include.
	ServerSharded bool
	// RawBytes limits the uncompressed text in memory.
	RawBytes int64
}

// Total is the sum over all objects.
type Total struct {
	Objects int
	Size    // of all objects together
}

// Total adds up the kinds.
func (l Load) Total() Total {
	var t Total
	for _, k := range l.Kinds {
		n := float64(k.Objects)
		t.Objects += k.Objects
		t.Series += n * k.Size.Series
		t.Text += n * k.Size.Text
		t.Gzip += n * k.Size.Gzip
		t.Memory += n * k.Size.Memory
	}
	return t
}

// Replica is an estimate for each replica of a fleet; the mean where they differ.
type Replica struct {
	Replicas int
	// Objects, Series, Text and Gzip are served; sizes in bytes.
	Objects, Series, Text, Gzip float64
	// Memory is resident while objects change, in bytes.
	Memory float64
	// CPU is the average in cores; EventCPU the part that 1,000 events per second in the cluster
	// would use.
	CPU, EventCPU float64
	// ScrapeCPU is the CPU of a scrape, ScrapeTime its duration until the client has decompressed it.
	ScrapeCPU, ScrapeTime time.Duration
	// StartCPU is used from the start until everything is served; StartBytes are received until then.
	StartCPU   time.Duration
	StartBytes float64
	// EventBytes are received per second for events, CheckBytes for consistency checks.
	EventBytes, CheckBytes float64
	// MissingShare is the share of all series that is missing while one replica restarts.
	MissingShare float64
}

// Replica estimates a fleet of n replicas.
func (c Costs) Replica(l Load, n int) Replica {
	total := l.Total()
	served := 1 / float64(n) // share of the objects
	held := served
	if l.Standby {
		held = min(2*served, 1)
	}
	r := Replica{
		Replicas: n,
		Objects:  served * float64(total.Objects),
		Series:   served * total.Series,
		Text:     served * total.Text,
		Gzip:     served * total.Gzip,
	}
	if !l.Standby || n < 2 {
		r.MissingShare = served
	}
	inUse := held * (total.Memory + c.Process.Object*float64(total.Objects))
	raw := min(held*l.Events*c.Process.RawPerEvent, held*total.Text*c.Process.MaxRawFraction, c.Process.Garbage*float64(l.RawBytes))
	r.Memory = c.Process.Base + c.Process.Garbage*inUse + raw

	received := l.received(n, held)
	foreign := received - held
	event := held*c.Process.OwnedEvent.Seconds() + foreign*c.Process.ForeignEvent.Seconds()
	r.EventCPU = 1000 * event
	changed := min(served*l.Events*l.Interval.Seconds()*c.Scrape.PerEvent.Seconds(), r.Text/1e6*c.Scrape.PerChangedMB.Seconds())
	r.ScrapeCPU = c.Scrape.Fixed + duration(r.Gzip/1e6*c.Scrape.PerMB.Seconds()+changed)
	r.ScrapeTime = r.ScrapeCPU + duration(r.Gzip/c.Scrape.Transfer+r.Text/c.Scrape.Decompress)
	const wakeups = 50 // per second, when WakeupCPU was measured
	wakeupCPU := min(received*l.Events/wakeups, 1) * c.Process.WakeupCPU.Seconds()
	r.CPU = c.Process.Idle.Seconds() + wakeupCPU + l.Events*event
	if l.Interval > 0 {
		r.CPU += r.ScrapeCPU.Seconds() / l.Interval.Seconds()
	}
	objects := float64(total.Objects)
	r.StartCPU = c.Start.Fixed + duration(held*total.Text/1e6*c.Start.PerMB.Seconds()+foreign*objects*c.Start.ForeignObject.Seconds())
	r.StartBytes, r.EventBytes = received*objects*c.Process.ObjectBytes, received*l.Events*c.Process.EventBytes
	if l.Check > 0 {
		checked := received
		if received < 1 {
			checked += received // this share of the checks lists everything as well
		}
		r.CheckBytes = checked * objects * c.Process.MetadataBytes / l.Check.Seconds()
	}
	return r
}

// received returns the share of all objects and events that each of n replicas receives. held is
// the share that it holds.
func (l Load) received(n int, held float64) float64 {
	if !l.ServerSharded {
		return 1
	}
	mean, _, err := selectorShares(n, l.Standby)
	if err != nil { // a fleet without tables has no selectors either
		return 1
	}
	if mean < held*(1+1e-9) { // equal but for rounding
		return held
	}
	return mean
}

// selectorShares returns the mean and the largest share of all objects that the selectors of n
// replicas include. It exceeds the share that they hold where an exact selector would be too long:
// selectors of replicas with high ordinals name more ranges, and are coarser.
func selectorShares(n int, standby bool) (mean, largest float64, err error) {
	table, err := shard.NewTable(n)
	if err != nil {
		return 0, 0, err
	}
	for ordinal := range n {
		held := table.Ranges(ordinal)
		if standby {
			held = held.Union(table.Ranges((ordinal + n - 1) % n))
		}
		share := 1.0 // without a selector
		if ranges, err := shard.ParseSelector(held.Selector()); err == nil {
			share = ranges.Fraction()
		}
		mean += share / float64(n)
		largest = max(largest, share)
	}
	return mean, largest, nil
}

// Limits apply to each replica. 0 means no limit.
type Limits struct {
	Memory  int64         // bytes: the container's limit
	Timeout time.Duration // of a scrape
	Text    int64         // bytes of uncompressed text in a scrape, Prometheus' body_size_limit
}

// Shares of a limit that an estimate may use. The rest is for what an estimate does not know: large
// objects, bursts, a slow node.
const (
	memoryShare  = 0.8
	timeoutShare = 0.5
)

// Flags of "statefleet estimate" that set the limits.
const (
	memoryFlag  = "--memory-limit"
	timeoutFlag = "--scrape-timeout"
	textFlag    = "--body-size-limit"
)

// Exceeds returns the flag of the first limit of which the replica takes more than an estimate may
// use; "" if there is none.
func (l Limits) Exceeds(r Replica) string {
	switch {
	case l.Memory > 0 && r.Memory > memoryShare*float64(l.Memory):
		return memoryFlag
	case l.Timeout > 0 && r.ScrapeTime > duration(timeoutShare*l.Timeout.Seconds()):
		return timeoutFlag
	case l.Text > 0 && r.Text > float64(l.Text):
		return textFlag
	}
	return ""
}

// usableShare returns how much of a limit an estimate may use, for people: "80 % of --memory-limit".
func usableShare(flag string) string {
	switch flag {
	case memoryFlag:
		return fmt.Sprintf("%.0f %% of %s", 100*memoryShare, flag)
	case timeoutFlag:
		return fmt.Sprintf("%.0f %% of %s", 100*timeoutShare, flag)
	}
	return flag
}

// MaxReplicas is the largest fleet that [Costs.SmallestFleet] considers. In larger fleets exact
// shard selectors are too long, and with coarser ones API servers send several times what a replica
// holds.
const MaxReplicas = 128

// SmallestFleet returns the smallest fleet within the limits. If there is none, it returns the
// largest one that it considers, and false.
func (c Costs) SmallestFleet(load Load, limits Limits) (r Replica, ok bool) {
	for n := load.minReplicas(); n <= MaxReplicas; n++ {
		if r = c.Replica(load, n); limits.Exceeds(r) == "" {
			return r, true
		}
	}
	return r, false
}

func (l Load) minReplicas() int {
	if l.Standby {
		return 2
	}
	return 1
}

// Requests returns the CPU and memory requests of a container, as quantities: the estimate rounded
// up, but not more memory than the limit in bytes, because Kubernetes rejects that. 0 means no limit.
func (r Replica) Requests(limit int64) (cpu, memory string) {
	const cpuStep, memoryStep = 50, 32 << 20 // thousandths of a core, bytes
	roundUp := func(n float64, step int64) int64 { return (int64(n)/step + 1) * step }
	bytes := roundUp(r.Memory, memoryStep)
	if limit > 0 {
		bytes = min(bytes, limit)
	}
	return fmt.Sprintf("%dm", roundUp(1000*r.CPU, cpuStep)), resource.NewQuantity(bytes, resource.BinarySI).String()
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
