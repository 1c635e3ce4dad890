// Package fit derives the costs of package capacity from measured runs of fleets of different sizes, by
// least squares.
package fit

// Run holds the measurements of one fleet. Figures are sums of the shards that ran.
type Run struct {
	Pods    int // including those of jobs
	Objects int
	Shards  int
	// Running is the number of shards that ran; 0 means all.
	Running int `json:",omitempty"`
	// ServerSharded is whether the API server left out objects of other shards.
	ServerSharded bool `json:",omitempty"`

	Series, Text, Gzip float64 // sizes in bytes

	SyncCPU   float64 // seconds, from the start until everything was served
	SyncBytes float64 // received until then
	Memory    float64 // bytes, resident at rest
	Peak      float64 // bytes, the maximum until everything was served
	Idle      float64 // cores, without events and scrapes
	ScrapeCPU float64 // seconds, of a gzip scrape when nothing has changed

	Events      float64 // per second, in the whole cluster
	CPU         float64 // cores, during these events, without scrapes
	EventBytes  float64 // received per second during them
	ChurnMemory float64 // bytes, resident during them
}

// runningShards returns how many shards ran.
func (r Run) runningShards() float64 {
	if r.Running > 0 {
		return float64(r.Running)
	}
	return float64(r.Shards)
}

// owned returns the share of the cluster that the running shards own.
func (r Run) owned() float64 { return r.runningShards() / float64(r.Shards) }

// foreign returns how many of the running shards receive an object or event without owning it, on
// average.
func (r Run) foreign() float64 {
	if r.ServerSharded {
		return 0
	}
	return r.runningShards() - r.owned()
}
