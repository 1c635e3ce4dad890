//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
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

// TestUsedPortIsNamed: a port that another program has, for the graphs or for the proxy, ends it before a cluster is
// started.
func TestUsedPortIsNamed(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "statefleet-v1.linux-"+runtime.GOARCH+".tar")
	if err := os.WriteFile(archive, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	used := other.Addr().(*net.TCPAddr).Port
	for _, port := range []int{used, used - 1} {
		var out, said strings.Builder
		status := run(t.Context(), []string{"--image=" + dir, fmt.Sprint("--port=", port)}, &out, &said)
		if status != command.Failure || !strings.Contains(said.String(), "--port: ") || !strings.Contains(said.String(), "in use") || out.Len() > 0 {
			t.Errorf("status %d, %q, %q; want %d and an error about --port", status, out.String(), said.String(), command.Failure)
		}
	}
}
