package demo

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// MaxReplicas is the largest number of replicas that can be requested.
const MaxReplicas = 12

// Companion runs alongside the fleet of a demo, such as a Prometheus that scrapes it. One goroutine calls its methods,
// in the order of their declaration.
type Companion interface {
	// Flags adds the flags of the companion.
	Flags(c *kingpin.CmdClause)
	// Announce returns one line with the address of the companion, or "".
	Announce() string
	// Start starts the companion before the fleet. The companion may call scale from any goroutine to request another
	// number of replicas. scale does not wait for the change.
	Start(scale func(replicas int) error) error
	// Follow is called with all running replicas, including those that are about to leave, after each change.
	Follow(replicas []*fleet.Replica) error
	// Stop stops the companion, if it was started.
	Stop()
}

// noCompanion is a Companion that does nothing.
type noCompanion struct{}

func (noCompanion) Flags(*kingpin.CmdClause)      {}
func (noCompanion) Announce() string              { return "" }
func (noCompanion) Start(func(int) error) error   { return nil }
func (noCompanion) Follow([]*fleet.Replica) error { return nil }
func (noCompanion) Stop()                         {}

// scaleRequests holds requested numbers of replicas. It has capacity for one.
type scaleRequests chan int

// add adds a request. It returns an error if the number is out of range, or while another request waits.
func (r scaleRequests) add(replicas int) error {
	if replicas < 1 || replicas > MaxReplicas {
		return fmt.Errorf("replicas must be between 1 and %d, got %d", MaxReplicas, replicas)
	}
	select {
	case r <- replicas:
		return nil
	default:
		return errors.New("the fleet is still changing; ask again in a moment")
	}
}
