//go:build linux || darwin

package app

import "syscall"

// maxOpenFiles returns how many files the process may open, sockets among them; 0: the system does
// not tell.
func maxOpenFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}
