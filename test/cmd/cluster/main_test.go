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

// TestBadInput checks that the error names the wrong flag, and that nothing is started.
func TestBadInput(t *testing.T) {
	for args, want := range map[string]string{"--image=" + t.TempDir(): "--image: ", "--port=many": "many", "--unknown": "unknown"} {
		var stderr strings.Builder
		if status := run(t.Context(), strings.Fields(args), io.Discard, &stderr); status != command.Usage || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: got status %d, %q; want %d, %q", args, status, stderr.String(), command.Usage, want)
		}
	}
}

// TestUsedPortIsNamed checks that the command fails before it starts a cluster if another program uses the port of the
// graphs or of the proxy.
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
		var stdout, stderr strings.Builder
		status := run(t.Context(), []string{"--image=" + dir, fmt.Sprint("--port=", port)}, &stdout, &stderr)
		if status != command.Failure || !strings.Contains(stderr.String(), "--port: ") || !strings.Contains(stderr.String(), "in use") || stdout.Len() > 0 {
			t.Errorf("got status %d, %q, %q; want %d and an error about --port",
				status, stdout.String(), stderr.String(), command.Failure)
		}
	}
}
