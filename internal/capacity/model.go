package capacity

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Load is what a fleet has to carry.
type Load struct {
	Kinds []Kind
	// Events are those of all kinds together, a second.
	Events float64
	// Interval is the time between two scrapes of a replica.
	Interval time.Duration
	// Check is the time between two consistency checks; 0: never.
	Check time.Duration
	// Standby makes each replica hold the shard of the one before it, too.
	Standby bool
	// ServerSharded is whether the API server leaves out what a replica does not
	// ask for; see [Asked].
	ServerSharded bool
	// RawBytes bounds the text that is held uncompressed.
	RawBytes int64
}

// Total is what all objects take together.
type Total struct {
	Objects int
	Size    // of all
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

// Replica is what each of the replicas of a fleet takes.
type Replica struct {
	Replicas int
	// Objects, Series, Text and Gzip are those of its page; sizes in bytes.
	Objects, Series, Text, Gzip float64
	// Memory is what stays resident, in bytes, while objects change.
	Memory float64
	// CPU is what it uses on average, in cores; EventCPU the part of it that
	// 1,000 events a second of the cluster would use.
	CPU, EventCPU float64
	// ScrapeCPU is the part of a scrape, ScrapeTime how long it lasts until the
	// one who scrapes has inflated the page.
	ScrapeCPU, ScrapeTime time.Duration
	// StartCPU is used from its start until everything is served, StartBytes are
	// received until then.
	StartCPU   time.Duration
	StartBytes float64
	// EventBytes a second are received for events, CheckBytes for consistency
	// checks.
	EventBytes, CheckBytes float64
}

// Replica returns what each of n replicas takes, the mean where they differ.
func (c Costs) Replica(l Load, n int) Replica {
	total := l.Total()
	page := 1 / float64(n) // the part that is on the page
	held := page
	if l.Standby {
		held = min(2*page, 1)
	}
	r := Replica{
		Replicas: n,
		Objects:  page * float64(total.Objects),
		Series:   page * total.Series,
		Text:     page * total.Text,
		Gzip:     page * total.Gzip,
	}
	inUse := held * (total.Memory + c.Process.Object*float64(total.Objects))
	raw := min(held*l.Events*c.Process.Event, held*total.Text*c.Process.Touched, c.Process.Garbage*float64(l.RawBytes))
	r.Memory = c.Process.Base + c.Process.Garbage*inUse + raw

	foreign := l.received(n, held) - held
	event := held*c.Process.OwnedEvent.Seconds() + foreign*c.Process.ForeignEvent.Seconds()
	r.EventCPU = 1000 * event
	changed := min(page*l.Events*l.Interval.Seconds()*c.Scrape.PerEvent.Seconds(), r.Text/1e6*c.Scrape.PerChangedMB.Seconds())
	r.ScrapeCPU = c.Scrape.Fixed + duration(r.Gzip/1e6*c.Scrape.PerMB.Seconds()+changed)
	r.ScrapeTime = r.ScrapeCPU + duration(r.Gzip/c.Scrape.Transfer+r.Text/c.Scrape.Inflating)
	const wakes = 50 // a second, when Awake was measured
	awake := min((held+foreign)*l.Events/wakes, 1) * c.Process.Awake.Seconds()
	r.CPU = c.Process.Idle.Seconds() + awake + l.Events*event
	if l.Interval > 0 {
		r.CPU += r.ScrapeCPU.Seconds() / l.Interval.Seconds()
	}
	objects := float64(total.Objects)
	r.StartCPU = c.Start.Fixed + duration(held*total.Text/1e6*c.Start.PerMB.Seconds()+foreign*objects*c.Start.ForeignObject.Seconds())
	received := held + foreign
	r.StartBytes, r.EventBytes = received*objects*c.Process.ObjectBytes, received*l.Events*c.Process.EventBytes
	if l.Check > 0 {
		checked := received
		if received < 1 {
			checked += received // that share of the checks lists everything as well
		}
		r.CheckBytes = checked * objects * c.Process.MetadataBytes / l.Check.Seconds()
	}
	return r
}

// received is the share of all objects and events that each of n replicas receives; it holds some of them.
func (l Load) received(n int, held float64) float64 {
	if !l.ServerSharded {
		return 1
	}
	asked, err := AskedOf(n, l.Standby)
	if err != nil { // there are no tables for so many: no selector can ask for less than everything
		return 1
	}
	if asked.Mean < held*(1+1e-9) { // but for rounding
		return held
	}
	return asked.Mean
}

// Requests are what to ask Kubernetes for: CPU and memory as quantities, rounded up,
// but for memory to no more than the limit in bytes, which a pod may not ask for
// more than; 0 is none.
func (r Replica) Requests(limit int64) (cpu, memory string) {
	const cpuStep, memoryStep = 50, 32 << 20 // thousandths of a core, bytes
	up := func(n float64, step int64) int64 { return (int64(n)/step + 1) * step }
	asked := up(r.Memory, memoryStep)
	if limit > 0 {
		asked = min(asked, limit)
	}
	return fmt.Sprintf("%dm", up(1000*r.CPU, cpuStep)), resource.NewQuantity(asked, resource.BinarySI).String()
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
