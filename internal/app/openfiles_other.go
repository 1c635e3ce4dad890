//go:build !linux && !darwin

package app

// maxOpenFiles returns how many files the process may open; 0: unknown.
func maxOpenFiles() uint64 { return 0 }
