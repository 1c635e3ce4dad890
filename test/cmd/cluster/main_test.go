//go:build linux

package main

import (
	"io"
	"strings"
	"testing"
)

// TestBadInput: what is wrong is named, and nothing is started.
func TestBadInput(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--image=" + t.TempDir(), "--image: "}, {"--nodes=many", "many"}, {"--unknown", "unknown"},
	} {
		if err := run(t.Context(), []string{c.args}, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.args, err, c.want)
		}
	}
}
