// Package savedstate keeps the state of a replica in a file, so that the next process of the
// replica need not read everything from the API server again. It knows files, locks and checksums,
// and not what the state means.
//
// # File
//
// The directory holds three files: state, the last complete state; state.tmp, one that is being
// written; and lock, which a process locks before it uses the others. Other files are left alone.
//
// A file is a magic line with the version of the format, and frames. Each frame has a type, the
// length of its payload, and an xxhash of everything before it and of itself. The first frame is
// the header, the last one marks the end. So a file that is truncated, damaged or in another order
// is recognized. A state is written to state.tmp, synced, renamed to state, and the directory is
// synced. A process that is killed meanwhile leaves the previous state, or none.
package savedstate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

const (
	magic     = "statefleet saved state 1\n"
	stateName = "state"
	tempName  = "state.tmp"
	lockName  = "lock"

	// MaxBytes limits the size of a file. The state of a replica with 100,000 pods takes 250 MB.
	MaxBytes = 4 << 30
	// MaxAge is how old a state may be. API servers remember events for some minutes, so an older
	// one helps little. The limit also makes it unlikely that etcd was restored from a backup since,
	// and that its versions have passed that of the state by now.
	MaxAge = 15 * time.Minute
)

// Errors of functions that write or read the payload. Any other error of a reading function means
// that the file is damaged.
var (
	// ErrIncomplete says that there is no complete state to write at the moment.
	ErrIncomplete error = problem{incomplete, "the replica does not hold all that it must"}
	// ErrMismatch says that a state is of another configuration, shard, build or cluster.
	ErrMismatch error = problem{mismatch, "the state is of another configuration, shard, build or cluster"}
)

var (
	errNone     = problem{none, "there is no state"}
	errTooOld   = problem{tooOld, "the state is too old"}
	errTooLarge = problem{tooLarge, fmt.Sprintf("the state is larger than %d bytes", int64(MaxBytes))}
	errDamaged  = problem{damaged, "the file is damaged"}
	errFormat   = problem{format, "the file has another format"}
	errLocked   = problem{locked, "another process uses the directory"}
)

// header is the first frame.
type header struct {
	Fingerprint string    `json:"fingerprint"` // of all that determines the state
	At          time.Time `json:"at"`
}

// Dir is a directory with a state. Make one with New. It is safe for concurrent use.
type Dir struct {
	path    string
	files   filesystem
	metrics *Metrics
	logger  *slog.Logger

	mu     sync.Mutex // held while a state is written or read
	lock   io.Closer  // nil until the directory is locked
	logged string     // the last problem of writing that was logged
}

// New returns a Dir. It does not touch the directory, which must exist when it is used.
func New(path string, metrics *Metrics, logger *slog.Logger) *Dir {
	return &Dir{path: path, files: disk{}, metrics: metrics, logger: logger.With("directory", path)}
}

// Close unlocks the directory.
func (d *Dir) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock != nil {
		_ = d.lock.Close()
		d.lock = nil
	}
}

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// acquire locks the directory unless it is locked, and removes a temporary file: that of a killed
// process, or one that could not be removed when its writing failed.
func (d *Dir) acquire() error {
	if d.lock == nil {
		lock, err := d.files.lock(d.file(lockName))
		if err != nil {
			return err
		}
		d.lock = lock
	}
	return d.remove(tempName)
}

// remove removes a file if it exists.
func (d *Dir) remove(name string) error {
	if err := d.files.remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Write replaces the state. write writes the frames; its error ends the writing and leaves the
// previous state. bytesPerSecond limits the rate; 0 stands for no limit. Write returns whether the
// state was written. It counts the result, and logs a problem once until it changes.
func (d *Dir) Write(ctx context.Context, fingerprint string, bytesPerSecond int64, write func(*Writer) error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	start := time.Now()
	size, err := d.write(ctx, fingerprint, bytesPerSecond, write)
	result := resultOf(err, written, failed)
	d.metrics.wrote(result, size)
	switch {
	case err == nil:
		d.logged = ""
		d.logger.Debug("state was saved", "bytes", size, "took", time.Since(start))
	case result != incomplete && d.logged != err.Error() && ctx.Err() == nil:
		d.logged = err.Error()
		d.logger.Warn("state could not be saved; a restart will read everything from the API server", "err", err)
	}
	return err == nil
}

func (d *Dir) write(ctx context.Context, fingerprint string, bytesPerSecond int64, write func(*Writer) error) (size int64, err error) {
	if err := d.acquire(); err != nil {
		return 0, err
	}
	f, err := d.files.create(d.file(tempName))
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = d.remove(tempName)
		}
	}()
	w := newWriter(ctx, f, bytesPerSecond)
	err = w.writeAll(header{fingerprint, time.Now()}, write)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	if err := d.files.rename(d.file(tempName), d.file(stateName)); err != nil {
		return 0, err
	}
	return w.size, d.files.syncDir(d.path)
}

// Read reads the state. read reads the frames until io.EOF, and must not use what it has read
// unless Read returns true: the checksum of the last frame is that of the file. A state that cannot
// be used is removed. Read counts the result and logs it.
func (d *Dir) Read(fingerprint string, read func(*Reader) error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.read(fingerprint, read)
	result := readResult(err)
	d.metrics.read(result)
	switch result {
	case loaded:
	case none:
		d.logger.Info("no saved state; reading everything from the API server")
	case locked, unreadable:
		d.logger.Warn("saved state cannot be read; reading everything from the API server", "err", err)
	default:
		d.logger.Warn("saved state is not used and was removed; reading everything from the API server", "reason", string(result), "err", err)
		if err := d.remove(stateName); err != nil {
			d.logger.Warn("saved state cannot be removed", "err", err)
		}
	}
	return err == nil
}

func (d *Dir) read(fingerprint string, read func(*Reader) error) (err error) {
	if err := d.acquire(); err != nil {
		return err
	}
	f, err := d.files.open(d.file(stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return errNone
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	r, h, err := newReader(f)
	switch {
	case err != nil:
		return err
	case h.Fingerprint != fingerprint:
		return ErrMismatch
	case time.Since(h.At).Abs() > MaxAge:
		return fmt.Errorf("%w: it was saved at %s", errTooOld, h.At)
	}
	if err := read(r); err != nil {
		return err
	}
	if !r.ended {
		return fmt.Errorf("%w: it continues after the last frame that was read", errDamaged)
	}
	return nil
}
