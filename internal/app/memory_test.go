package app

import (
	"runtime/debug"
	"testing"
)

func TestNoGarbageIsCollectedDuringALoad(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(77))
	if !withoutGC(func() bool { return debug.SetGCPercent(-1) == -1 }) {
		t.Error("garbage is collected during a load")
	}
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("the percentage after a load is %d, want 77", got)
	}
}
