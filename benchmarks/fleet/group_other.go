//go:build !linux

package fleet

import "syscall"

// childAttributes returns attributes that put the child into a new process group, so that Ctrl-C reaches only this
// program.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
