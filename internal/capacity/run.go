package capacity

// Run is what was measured of a fleet: of all its shards that ran, together.
type Run struct {
	Pods    int // jobs' pods are among them
	Objects int
	Shards  int
	// Running is how many of the shards ran; 0 means all.
	Running int `json:",omitempty"`
	// ServerSharded is whether the API server left out what a shard does not own.
	ServerSharded bool `json:",omitempty"`

	Series, Text, Gzip float64 // sizes in bytes

	SyncCPU   float64 // seconds, from the start until everything was served
	SyncBytes float64 // received until then
	Memory    float64 // bytes, resident at rest
	Peak      float64 // bytes, the most until everything was served
	Idle      float64 // CPU when nothing happens, in cores
	ScrapeCPU float64 // seconds, of a gzip scrape when nothing has changed

	Events      float64 // of the whole cluster, a second
	CPU         float64 // while they happen, without scrapes, in cores
	EventBytes  float64 // received a second then
	ChurnMemory float64 // bytes, resident then
}

// ran is how many shards ran.
func (r Run) ran() float64 {
	if r.Running > 0 {
		return float64(r.Running)
	}
	return float64(r.Shards)
}

// owned is the part of the cluster that the shards that ran own.
func (r Run) owned() float64 { return r.ran() / float64(r.Shards) }

// foreign is how often they read what another owns, for each object or event of
// the cluster.
func (r Run) foreign() float64 {
	if r.ServerSharded {
		return 0
	}
	return r.ran() - r.owned()
}
