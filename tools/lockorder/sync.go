// Package sync has the names of the standard package sync that this project uses. Its mutexes note
// which of them a goroutine holds when it takes another. Once two were taken in both orders, the
// program prints the four places and exits with status 2: two goroutines may wait for each other
// there for good, although none did this time.
//
// make lock-order compiles a copy of the project with this package and runs its tests.
package sync

import (
	"os"
	"sync"

	"github.com/sasha-s/go-deadlock"
)

type (
	// Mutex checks the order of locks.
	Mutex = deadlock.Mutex
	// RWMutex checks the order of locks.
	RWMutex = deadlock.RWMutex

	Cond      = sync.Cond
	Locker    = sync.Locker
	Map       = sync.Map
	Once      = sync.Once
	Pool      = sync.Pool
	WaitGroup = sync.WaitGroup
)

// NewCond is that of the standard package.
func NewCond(l Locker) *Cond { return sync.NewCond(l) }

// OnceFunc is that of the standard package.
func OnceFunc(f func()) func() { return sync.OnceFunc(f) }

// OnceValue is that of the standard package.
func OnceValue[T any](f func() T) func() T { return sync.OnceValue(f) }

// OnceValues is that of the standard package.
func OnceValues[T1, T2 any](f func() (T1, T2)) func() (T1, T2) { return sync.OnceValues(f) }

// Only the order is checked. How long a lock is waited for says nothing on a machine that is busy,
// nor in a test with a clock of its own.
var _ = func() any {
	deadlock.Opts.DeadlockTimeout = 0
	deadlock.Opts.OnPotentialDeadlock = func() { os.Exit(2) }
	return nil
}()
