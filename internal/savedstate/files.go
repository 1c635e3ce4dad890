package savedstate

import (
	"errors"
	"io"
	"os"
)

// filesystem has the file operations of a Dir. Tests replace it by one that fails or stops.
type filesystem interface {
	open(name string) (io.ReadCloser, error)
	create(name string) (writableFile, error) // fails if the file exists
	rename(from, to string) error
	remove(name string) error
	syncDir(name string) error
	// lock locks a file until it is closed. It returns errLocked if another process has locked it.
	lock(name string) (io.Closer, error)
}

type writableFile interface {
	io.WriteCloser
	Sync() error
}

// disk is the file system.
type disk struct{}

func (disk) open(name string) (io.ReadCloser, error) { return os.Open(name) }

func (disk) create(name string) (writableFile, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (disk) rename(from, to string) error { return os.Rename(from, to) }

func (disk) remove(name string) error { return os.Remove(name) }

func (disk) syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (disk) lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
