package demo

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// MaxReplicas is the largest fleet that can be asked for.
const MaxReplicas = 12

// Companion runs beside the fleet of a demo, such as a Prometheus that scrapes it. Its methods are called in the order in
// which they are listed, by one goroutine.
type Companion interface {
	// Flags adds the companion's own flags.
	Flags(c *kingpin.CmdClause)
	// Announce says in one line where the companion will be seen.
	Announce() string
	// Start starts the companion before the fleet. Any goroutine may ask for another number of replicas by scale, which
	// does not wait for the change.
	Start(scale func(replicas int) error) error
	// Follow says which replicas there are: all that run, also those that are about to leave.
	Follow(replicas []*fleet.Replica) error
	// Stop ends the companion, if it has been started.
	Stop()
}

// alone is no companion.
type alone struct{}

func (alone) Flags(*kingpin.CmdClause)      {}
func (alone) Announce() string              { return "" }
func (alone) Start(func(int) error) error   { return nil }
func (alone) Follow([]*fleet.Replica) error { return nil }
func (alone) Stop()                         {}

// wishes are requested numbers of replicas; there is room for one.
type wishes chan int

// add is refused while another one waits.
func (w wishes) add(replicas int) error {
	if replicas < 1 || replicas > MaxReplicas {
		return fmt.Errorf("replicas must be between 1 and %d, got %d", MaxReplicas, replicas)
	}
	select {
	case w <- replicas:
		return nil
	default:
		return errors.New("the fleet is still changing; ask again in a moment")
	}
}
