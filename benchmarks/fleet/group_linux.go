package fleet

import "syscall"

// childAttributes put the child into a process group of its own, so that Ctrl-C reaches this program
// alone, and have the kernel kill it when the thread that started it is gone.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
