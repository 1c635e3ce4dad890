package fleet

import "syscall"

// childAttributes returns attributes that put the child into a new process group, so that Ctrl-C reaches only this
// program, and that make the kernel kill the child when the thread that started it ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
