package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// folderPrefix is how the names of clusters' folders begin. The number of the process that runs the cluster follows.
const folderPrefix = "statefleet-cluster-"

// folder has the files of a cluster. It is locked as long as the process runs, which tells it from leftovers.
type folder struct {
	dir  string
	lock *os.File
}

// newFolder makes a folder below another one.
func newFolder(in string) (f *folder, err error) {
	f = &folder{}
	if f.dir, err = os.MkdirTemp(in, fmt.Sprintf("%s%d-", folderPrefix, os.Getpid())); err != nil {
		return nil, err
	}
	if err := f.take(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(f.dir))
	}
	return f, nil
}

// take locks a file before it has its name, so that no other process finds it without the lock.
func (f *folder) take() (err error) {
	if f.lock, err = os.CreateTemp(f.dir, "lock-"); err != nil {
		return err
	}
	if err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return os.Rename(f.lock.Name(), filepath.Join(f.dir, "lock"))
}

func (f *folder) remove() error { return errors.Join(os.RemoveAll(f.dir), f.lock.Close()) }

// sweepFolders removes the folders that killed processes have left.
func sweepFolders(in string) error {
	locks, err := filepath.Glob(filepath.Join(in, folderPrefix+"*", "lock"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range locks {
		lock, err := os.Open(path)
		if err != nil {
			continue // another process removes it
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			errs = append(errs, os.RemoveAll(filepath.Dir(path)))
		}
		errs = append(errs, lock.Close())
	}
	return errors.Join(errs...)
}

// enoughDisk returns an error if a folder is on a disk with less free space than so many bytes.
func enoughDisk(dir string, needed uint64) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("free space of %s: %w", dir, err)
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < needed {
		return fmt.Errorf("%s has %d MiB free, and a cluster needs %d MiB: free some, or let TMPDIR name a folder on another disk",
			dir, free>>20, needed>>20)
	}
	return nil
}
