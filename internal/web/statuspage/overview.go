package statuspage

import (
	"encoding/json"
	"fmt"
	"time"
)

// Overview is what the page shows: a value that is not changed any more once it is handed over. Zero times are unknown ones.
type Overview struct {
	At       time.Time `json:"at"` // when it was put together
	Version  string    `json:"version"`
	Findings []Finding `json:"findings"` // made from the rest by the [Handler]
	Fleet    Fleet     `json:"fleet"`
	Replica  Replica   `json:"replica"`
	Scrapes  Scrapes   `json:"scrapes"`
	Kinds    []Kind    `json:"kinds"`
	// Census is nil as long as nothing was counted.
	Census *Census `json:"census"`
}

// Fleet is what this replica knows of the whole fleet.
type Fleet struct {
	// Followed is set when the fleet follows a StatefulSet, and not the command line.
	Followed    bool   `json:"followed"`
	StatefulSet string `json:"statefulSet,omitempty"`
	// Coordinated is whether the replicas change over together; Problem says why not.
	Coordinated bool   `json:"coordinated"`
	Problem     string `json:"problem,omitempty"`
	Generation  int64  `json:"generation"`
	// Active is the number of shards that are served by, Target the one that is moved to, 0 when it is not, and Wanted that of
	// the StatefulSet. Active is 0 before it is known.
	Active      int         `json:"active"`
	Target      int         `json:"target"`
	Wanted      int         `json:"wanted"`
	Since       time.Time   `json:"since,omitzero"`    // when the change began
	SwitchAt    time.Time   `json:"switchAt,omitzero"` // when it is made, once that is named
	Transitions Transitions `json:"transitions"`
	// Standby is whether replicas stand by for one another; then the pods are known. StandbyAsked is whether they should.
	Standby      bool     `json:"standby"`
	StandbyAsked bool     `json:"standbyAsked"`
	Sources      []Source `json:"sources"`
	Members      []Member `json:"members"`
}

// Transitions counts the changes of the number of shards that this replica has seen end.
type Transitions struct {
	Completed int `json:"completed"`
	Cancelled int `json:"cancelled"`
	Replaced  int `json:"replaced"`
}

// Source is where a part of the fleet's state comes from, and when it was last updated.
type Source struct {
	What  string    `json:"what"`
	Heard time.Time `json:"heard,omitzero"`
}

// Member is a replica of the fleet.
type Member struct {
	Ordinal int    `json:"ordinal"`
	Self    bool   `json:"self"`
	Pod     string `json:"pod,omitempty"`
	// State is what the API server says of the pod.
	State PodState `json:"state"`
	// Server is the ordinal of the replica that serves the shard, -1 for none.
	Server int `json:"server"`
	// Holds is whether it has said that it holds its part of the target.
	Holds bool `json:"holds"`
	// Own and Next are its hashes by the active number of shards and by the target.
	Own  Ring `json:"own"`
	Next Ring `json:"next"`
}

// PodState is a word for the state of a pod.
type PodState string

// The states that mean something to the page; others are shown as they are.
const (
	PodUnknown PodState = "unknown"
	PodReady   PodState = "ready"
)

// Replica is this replica.
type Replica struct {
	Ordinal int    `json:"ordinal"`
	Pod     string `json:"pod,omitempty"`
	Ready   bool   `json:"ready"`
	Serving bool   `json:"serving"`
	// Reason says why it is not ready, or not serving.
	Reason  string `json:"reason,omitempty"`
	Standby bool   `json:"standby"` // it holds the shard of the one before it
	Covers  bool   `json:"covers"`  // and serves it
	Covered bool   `json:"covered"` // the one after it serves the shard of this one
	Shown   Ring   `json:"shown"`
	Held    Ring   `json:"held"`
	// RawBytes is the memory of uncompressed pages, RawLimit its bound.
	RawBytes int64 `json:"rawBytes"`
	RawLimit int64 `json:"rawLimit"`
	// Resident is the memory of the process, 0 where it is not known.
	Resident int64     `json:"residentBytes,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	// WebConfigRefused: the web configuration file has changed, and the one before it is in use.
	WebConfigRefused bool `json:"webConfigRefused,omitempty"`
}

// Scrapes is what serving the page of metrics has cost.
type Scrapes struct {
	Last   Scrape `json:"last"`
	Recent Recent `json:"recent"`
}

// Scrape is one of them.
type Scrape struct {
	At       time.Time `json:"at,omitzero"`
	Seconds  float64   `json:"seconds"`
	Bytes    int64     `json:"bytes"`
	Encoding string    `json:"encoding,omitempty"`
	Whole    bool      `json:"whole"` // it was written to its end
}

// Recent is about the latest scrapes.
type Recent struct {
	Scrapes     int     `json:"scrapes"`
	Failed      int     `json:"failed"` // not written to their end
	MeanSeconds float64 `json:"meanSeconds"`
	MaxSeconds  float64 `json:"maxSeconds"`
	MeanBytes   int64   `json:"meanBytes"`
}

// Kind is a kind of objects that this replica follows.
type Kind struct {
	Name  string `json:"name"`
	Phase string `json:"phase"`
	// Err says what is wrong, if anything is.
	Err     string    `json:"error,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when the phase began
	Heard   time.Time `json:"heard,omitzero"` // when the API server last sent something
	Objects int       `json:"objects"`
	Hidden  int       `json:"hidden"` // held, and not served
	// Truncated is how many objects lack metric families because their text is too long.
	Truncated int `json:"truncated"`
	// Series is -1 as long as it was not counted.
	Series      int   `json:"series"`
	TextBytes   int64 `json:"textBytes"`
	RawBytes    int64 `json:"rawBytes"`
	PackedBytes int64 `json:"packedBytes"`
	// Sharded is whether the API server leaves out what belongs to other shards; nil: not known.
	Sharded *bool `json:"shardedByServer"`
}

// Synced is the phase of a kind that is followed.
const Synced = "synced"

// ShardedBy says who leaves out what belongs to other shards.
func (k Kind) ShardedBy() string {
	switch {
	case k.Sharded == nil:
		return "–"
	case *k.Sharded:
		return "API server"
	}
	return "statefleet"
}

// Census is what was counted of what this replica serves.
type Census struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"` // that it took
	Running bool      `json:"running"` // it is being counted again
	All     Count     `json:"all"`
	// Families and Namespaces are the largest, of so many.
	Families       []Count `json:"families"`
	FamilyTotal    int     `json:"familyTotal"`
	Namespaces     []Count `json:"namespaces"`
	NamespaceTotal int     `json:"namespaceTotal"`
}

// Count is what one thing puts on the page. The name is empty for all together, and for what has no namespace.
type Count struct {
	Name   string `json:"name"`
	Series int    `json:"series"`
	Bytes  int64  `json:"bytes"`
	Memory int64  `json:"memoryBytes,omitempty"`
}

// Ring is a set of hashes: arcs of the ring of 2^64.
type Ring []Arc

// Arc is the half-open interval [Start, End) of hashes. End 0 stands for 2^64.
type Arc struct{ Start, End uint64 }

// MarshalJSON writes the bounds as the API server writes them: as hexadecimal text, since JSON's numbers are too small.
func (a Arc) MarshalJSON() ([]byte, error) { return json.Marshal([2]string{a.from(), a.to()}) }

func (a Arc) from() string { return fmt.Sprintf("0x%016x", a.Start) }

func (a Arc) to() string {
	if a.End == 0 {
		return "0x10000000000000000"
	}
	return fmt.Sprintf("0x%016x", a.End)
}
