// Package faketime runs tests on a fake clock, which advances only while all goroutines wait.
package faketime

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Test calls synctest.Test with GOMAXPROCS=1. Otherwise, the race detector crashes when
// two goroutines read from timers that are due, because all timers of a test fire in
// the same race context: https://go.dev/issue/78156. Tests that run in parallel with
// others cannot use it, because GOMAXPROCS applies to the whole process.
func Test(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}
