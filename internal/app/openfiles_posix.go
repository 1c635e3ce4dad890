//go:build linux || darwin

package app

import "syscall"

// maxOpenFiles returns how many files, including sockets, the process may open; 0: unknown.
func maxOpenFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}
