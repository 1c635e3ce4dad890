//go:build !linux

package simulator

import "syscall"

// unpaced is for Linux, where benchmarks run.
func unpaced(_, _ string, _ syscall.RawConn) error { return nil }
