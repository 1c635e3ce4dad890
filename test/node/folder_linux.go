package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// folderPrefix begins the name of each cluster's folder. The PID of the process that runs the cluster follows.
const folderPrefix = "statefleet-cluster-"

// folder contains the files of a cluster. It is locked while the process runs, which distinguishes it from leftovers.
type folder struct {
	dir  string
	lock *os.File
}

// newFolder creates and locks a folder inside another one.
func newFolder(in string) (f *folder, err error) {
	f = &folder{}
	if f.dir, err = os.MkdirTemp(in, fmt.Sprintf("%s%d-", folderPrefix, os.Getpid())); err != nil {
		return nil, err
	}
	if err := f.acquireLock(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(f.dir))
	}
	return f, nil
}

// acquireLock locks a file before the file gets its final name, so that no other process finds it unlocked.
func (f *folder) acquireLock() (err error) {
	if f.lock, err = os.CreateTemp(f.dir, "lock-"); err != nil {
		return err
	}
	if err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return os.Rename(f.lock.Name(), filepath.Join(f.dir, "lock"))
}

func (f *folder) remove() error { return errors.Join(os.RemoveAll(f.dir), f.lock.Close()) }

// sweepFolders removes the folders of clusters whose process was killed.
func sweepFolders(in string) error {
	locks, err := filepath.Glob(filepath.Join(in, folderPrefix+"*", "lock"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range locks {
		lock, err := os.Open(path)
		if err != nil {
			continue // another process is removing the folder
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			errs = append(errs, os.RemoveAll(filepath.Dir(path)))
		}
		errs = append(errs, lock.Close())
	}
	return errors.Join(errs...)
}

// checkFreeSpace returns an error if the file system of a folder has fewer free bytes than needed.
func checkFreeSpace(dir string, needed uint64) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("reading the free space of %s: %w", dir, err)
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < needed {
		return fmt.Errorf("%s has %d MiB free, want %d MiB for a cluster: free some, or set TMPDIR to a folder on another disk",
			dir, free>>20, needed>>20)
	}
	return nil
}
