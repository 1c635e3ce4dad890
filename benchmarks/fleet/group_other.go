//go:build !linux

package fleet

import "syscall"

// childAttributes put the child into a process group of its own, so that Ctrl-C reaches this program alone.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
