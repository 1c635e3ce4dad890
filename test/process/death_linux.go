package process

import "syscall"

// dieWithParent makes the kernel kill the child when the thread that started it is gone.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
