// Package faketime runs tests on a clock that stands still until everybody waits.
package faketime

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Test is synctest.Test on one thread. On several, the race detector crashes when
// two goroutines read from timers that are due, because all timers of a test are
// fired in one of its contexts: https://go.dev/issue/78156. Tests that run in
// parallel with others can't use it.
func Test(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}
