//go:build linux || darwin

package savedstate

import (
	"errors"
	"os"
	"syscall"
)

// flock locks a file. The kernel unlocks it when the process ends, however that happens.
func flock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
