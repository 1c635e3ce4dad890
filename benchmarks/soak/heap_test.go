package soak

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"testing"
)

func TestLiveHeapIsReadFromAProfile(t *testing.T) {
	held := make([]byte, 64<<20)
	var profile bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	got, err := heapAlloc(profile.String())
	if err != nil || got < float64(len(held)) || got > 4*float64(len(held)) {
		t.Errorf("got a live heap of %.0f bytes, %v, want at least %d bytes", got, err, len(held))
	}
	runtime.KeepAlive(held)
	if _, err := heapAlloc("heap profile: 1: 2 [3: 4] @ heap/1048576\n"); err == nil {
		t.Error("got no error for a profile without HeapAlloc, want one")
	}
}
