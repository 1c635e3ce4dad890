//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/command"
)

// TestBadInput: what is wrong is named, and nothing is started.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "statefleet-v1.linux-"+runtime.GOARCH+".tar")
	if err := os.WriteFile(archive, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"--image=" + t.TempDir(): "--image: ", "--nodes=many": "many", "--unknown": "unknown",
		"--nodes=0 --image=" + dir: "nodes",
	} {
		var said strings.Builder
		if status := run(t.Context(), strings.Fields(args), io.Discard, &said); status != command.Usage || !strings.Contains(said.String(), want) {
			t.Errorf("%s: status %d, %q; want %d and %q", args, status, said.String(), command.Usage, want)
		}
	}
}
