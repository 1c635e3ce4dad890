package replica

import (
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/outage"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// Overview is the state of a replica at one moment, as the status page shows it.
type Overview struct {
	// NotServing is why nothing is served; "" while the replica serves. See [Replica.Serves].
	NotServing string `json:"notServing,omitempty"`
	// Held and Visible are the hashes whose objects are held, and served.
	Held    shard.Ranges `json:"held,omitempty"`
	Visible shard.Ranges `json:"visible,omitempty"`
	// RawBytes is the memory of uncompressed blocks, RawLimit its limit.
	RawBytes int64 `json:"rawBytes"`
	RawLimit int64 `json:"rawLimit"`
	// Kinds are in the order of the exposition.
	Kinds []KindOverview `json:"kinds,omitempty"`
}

// KindOverview is the state of one kind.
type KindOverview struct {
	Name string `json:"name"`
	// Phase is the phase of all the kind's requests together. It began at Since, which is zero in the
	// first phase. Error is the last error of a request in this phase that the API server has answered.
	Phase watch.Phase `json:"phase"`
	Since time.Time   `json:"since,omitzero"`
	Error string      `json:"error,omitempty"`
	// Outage says why the API server cannot be reached, the same for all kinds; "" if it can.
	Outage string `json:"outage,omitempty"`
	// LastContact is when the API server last sent something.
	LastContact time.Time `json:"lastContact,omitzero"`
	// Loading is set on a kind that was added while others were served, or on a custom one that no
	// longer blocks readiness. It is not served before it is complete.
	Loading bool `json:"loading"`
	// Truncated is how many objects lack metric families because of Options.ObjectBytes.
	Truncated int `json:"truncated"`
	// LimitReached is set while there is no room for another object; see Options.ObjectLimit and
	// Options.ByteLimit.
	LimitReached bool `json:"limitReached"`
	// FailedObjects is how often a version of an object could not be rendered since the kind was added, so
	// that the object was left out. FailedFamilies is how often a family of an object could not.
	FailedObjects  int64 `json:"failedObjects"`
	FailedFamilies int64 `json:"failedFamilies"`

	Objects         int   `json:"objects"`       // served
	HiddenObjects   int   `json:"hiddenObjects"` // held but not served
	TextBytes       int64 `json:"textBytes"`
	RawBytes        int64 `json:"rawBytes"`        // memory of uncompressed text
	CompressedBytes int64 `json:"compressedBytes"` // memory of compressed text
}

// Overview returns the present state. It may be called at any time by any goroutine and costs the
// same whatever the replica holds.
func (r *Replica) Overview() Overview {
	o := Overview{
		Held:     *r.held.Load(),
		Visible:  *r.visible.Load(),
		RawBytes: r.budget.RawBytes(),
		RawLimit: r.options.RawBytes,
	}
	if err := r.Serves(); err != nil {
		o.NotServing = err.Error()
	}
	r.mu.Lock()
	for _, k := range r.kinds {
		o.Kinds = append(o.Kinds, KindOverview{Name: k.Name, Loading: k.hidden.Load() && k.exempt})
	}
	kinds := r.kinds
	r.mu.Unlock()
	for i, k := range kinds {
		k.describe(&o.Kinds[i], k.stats(r.isHidden(k)))
	}
	return o
}

// describe adds the state of the kind's requests and of its store.
func (k *kind) describe(o *KindOverview, stats store.Stats) {
	status := k.status()
	o.Phase, o.Since, o.LastContact = status.Phase, status.Since, status.LastEvent
	o.Outage = k.outage()
	if err := k.lastError(status.Phase); err != nil && o.Outage == "" {
		o.Error = err.Error()
	}
	o.Truncated = k.truncated.count(k.store.Contains)
	o.LimitReached = k.limitReached(stats)
	o.FailedObjects, o.FailedFamilies = k.failedObjects.Load(), k.failedFamilies.Load()
	o.Objects, o.HiddenObjects = stats.Objects, stats.HiddenObjects
	o.TextBytes, o.RawBytes, o.CompressedBytes = stats.TextBytes, stats.RawBytes, stats.CompressedBytes
}

// lastError returns the last error of a Reflector that is in this phase, or nil.
func (k *kind) lastError(phase watch.Phase) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.reflectors {
		if st := s.Status(); st.Phase == phase && st.Err != nil {
			return st.Err
		}
	}
	return nil
}

// outage describes an outage of the API server that the kind's last request has met; "" if it was
// answered.
func (k *kind) outage() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.reflectors {
		if text := outage.Describe(s.Status().Err); text != "" {
			return text
		}
	}
	return ""
}
