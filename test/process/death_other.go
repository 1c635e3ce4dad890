//go:build !linux

package process

import "syscall"

// dieWithParent has no portable form: elsewhere the tests' cleanup alone ends the children.
func dieWithParent() *syscall.SysProcAttr { return nil }
