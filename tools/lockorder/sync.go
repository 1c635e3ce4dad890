// Package sync replaces the standard package sync. It has the names that this project uses. Its mutexes record which
// others a goroutine holds when it locks one. When two mutexes were locked in both orders, the program prints the four
// places and exits with status 2, because two goroutines could deadlock there.
//
// "make lock-order" compiles a copy of the project with this package and runs its tests.
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

// NewCond calls the function of the standard package.
func NewCond(l Locker) *Cond { return sync.NewCond(l) }

// OnceFunc calls the function of the standard package.
func OnceFunc(f func()) func() { return sync.OnceFunc(f) }

// OnceValue calls the function of the standard package.
func OnceValue[T any](f func() T) func() T { return sync.OnceValue(f) }

// OnceValues calls the function of the standard package.
func OnceValues[T1, T2 any](f func() (T1, T2)) func() (T1, T2) { return sync.OnceValues(f) }

// Only the order is checked. The time for which a goroutine waits for a lock proves nothing on a busy machine or in a
// test with a fake clock.
var _ = func() any {
	deadlock.Opts.DeadlockTimeout = 0
	deadlock.Opts.OnPotentialDeadlock = func() { os.Exit(2) }
	return nil
}()
