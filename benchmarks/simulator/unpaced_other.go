//go:build !linux

package simulator

import "syscall"

// disablePacing does nothing, because benchmarks run on Linux.
func disablePacing(_, _ string, _ syscall.RawConn) error { return nil }
