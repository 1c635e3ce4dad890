package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage may pile up for each byte in use. The heap is
// nearly all compressed text without pointers, which costs the collector little
// to pass over, so that running it often is cheaper than the memory is.
const gcPercent = 40

// tuneGC makes the collector run more often than Go's default, unless the
// environment says otherwise.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
