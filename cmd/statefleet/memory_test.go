package main

import (
	"runtime"
	"testing"
)

func TestGarbageThatMayPileUpWhileLoading(t *testing.T) {
	for live, want := range map[uint64]int{
		0:       loadingPercent,
		1 << 20: loadingPercent,
		8 << 20: 200,
		1 << 30: gcPercent,
	} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d %%", live, got, want)
		}
	}
	runtime.GC()
	if liveHeap() == 0 {
		t.Error("the runtime does not say how much is in use")
	}
}
