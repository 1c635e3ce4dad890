package savedstate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// testDir is a Dir with its log.
type testDir struct {
	*Dir
	log bytes.Buffer
}

func newDir(t *testing.T, path string) *testDir {
	d := &testDir{}
	d.Dir = New(path, NewMetrics(prometheus.NewPedanticRegistry()), slog.New(slog.NewTextHandler(&d.log, nil)))
	t.Cleanup(d.Close)
	return d
}

// save writes a state with these frames.
func (d *testDir) save(frames ...string) bool {
	return d.Write(context.Background(), "f", 0, func(w *Writer) error {
		for i, f := range frames {
			if err := w.Frame(byte(i+1), []byte(f)); err != nil {
				return err
			}
		}
		return nil
	})
}

// load returns the frames of the state; nil if there is none.
func (d *testDir) load(fingerprint string) (frames []string) {
	if !d.Read(fingerprint, func(r *Reader) error {
		for {
			frameType, payload, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if int(frameType) != len(frames)+1 {
				return fmt.Errorf("got a frame of type %d, want %d", frameType, len(frames)+1)
			}
			frames = append(frames, string(payload))
		}
	}) {
		return nil
	}
	return frames
}

func (d *testDir) reads(r result) float64 {
	return testutil.ToFloat64(d.metrics.reads.WithLabelValues(string(r)))
}

func (d *testDir) writes(r result) float64 {
	return testutil.ToFloat64(d.metrics.writes.WithLabelValues(string(r)))
}

func (d *testDir) lines() int { return strings.Count(d.log.String(), "\n") }

func TestStateIsReadAsItWasWritten(t *testing.T) {
	path := t.TempDir()
	d := newDir(t, path)
	if d.load("f") != nil || d.reads(none) != 1 {
		t.Error("a state was read from an empty directory")
	}
	want := []string{"one", "", strings.Repeat("large", 200_000)}
	if !d.save("obsolete") || !d.save(want...) {
		t.Fatal(d.log.String())
	}
	d.Close()
	next := newDir(t, path)
	if got := next.load("f"); !slices.Equal(got, want) || next.reads(loaded) != 1 {
		t.Errorf("got %d frames, want %d: %s", len(got), len(want), next.log.String())
	}
	info, err := os.Stat(filepath.Join(path, stateName))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the file has mode %v, want 0600: %v", info.Mode(), err)
	}
	if size := testutil.ToFloat64(d.metrics.size); size < 1e6 || size > float64(info.Size()) {
		t.Errorf("statefleet_saved_state_bytes is %v, want almost the size of the file, %d", size, info.Size())
	}
}

func TestStateOfAnotherFingerprintIsRemoved(t *testing.T) {
	d := newDir(t, t.TempDir())
	d.save("one")
	if d.load("other") != nil || d.reads(mismatch) != 1 {
		t.Error("the state was read")
	}
	if d.load("f") != nil || d.reads(none) != 1 {
		t.Error("the state was not removed")
	}
}

func TestOldStateIsRemoved(t *testing.T) {
	d := newDir(t, t.TempDir())
	for _, age := range []time.Duration{MaxAge + time.Minute, -MaxAge - time.Minute} {
		f, err := os.Create(d.file(stateName))
		if err != nil {
			t.Fatal(err)
		}
		w := newWriter(context.Background(), f, 0)
		if err := errors.Join(w.writeAll(header{"f", time.Now().Add(-age)}, func(*Writer) error { return nil }), f.Close()); err != nil {
			t.Fatal(err)
		}
		if d.Read("f", func(*Reader) error { return nil }) {
			t.Errorf("a state that was saved %s ago was read", age)
		}
	}
	if d.reads(tooOld) != 2 {
		t.Errorf("%v states were too old, want 2", d.reads(tooOld))
	}
}

// TestEveryDamageIsFound damages a state in each byte, truncates it at each length, and extends it.
func TestEveryDamageIsFound(t *testing.T) {
	path := t.TempDir()
	d := newDir(t, path)
	d.save("one", "two", "three")
	whole, err := os.ReadFile(filepath.Join(path, stateName))
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(path, stateName), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if d.load("f") != nil {
			t.Errorf("%s: the state was read", what)
		}
		if _, err := os.Stat(filepath.Join(path, stateName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the state was not removed", what)
		}
	}
	for i := range whole {
		damagedByte := bytes.Clone(whole)
		damagedByte[i] ^= 0x10
		try(fmt.Sprintf("byte %d", i), damagedByte)
		try(fmt.Sprintf("%d bytes", i), whole[:i])
	}
	try("an additional byte", append(bytes.Clone(whole), 0))
	try("a file that was written twice", append(bytes.Clone(whole), whole...))
	try("another format", append([]byte("statefleet saved state 2\n"), whole[len(magic):]...))
	try("a frame of 4 GB", append(bytes.Clone(whole[:len(magic)]), bytes.Repeat([]byte{0xff}, 40)...))
	if d.reads(damaged) == 0 || d.reads(format) == 0 || d.reads(loaded) != 0 {
		t.Errorf("got results damaged %v, other_format %v and loaded %v, want some, some and 0", d.reads(damaged), d.reads(format), d.reads(loaded))
	}
}

func TestReaderThatStopsEarlyUsesNothing(t *testing.T) {
	d := newDir(t, t.TempDir())
	d.save("one", "two")
	if d.Read("f", func(r *Reader) error { _, _, err := r.Next(); return err }) {
		t.Error("Read returned true although the last frame was not read")
	}
}

func TestTwoProcessesDoNotShareADirectory(t *testing.T) {
	path := t.TempDir()
	first, second := newDir(t, path), newDir(t, path)
	if !first.save("one") {
		t.Fatal(first.log.String())
	}
	for range 2 {
		if second.save("two") {
			t.Error("the second process has written a state")
		}
	}
	if second.load("f") != nil {
		t.Error("the second process has read a state")
	}
	if second.writes(locked) != 2 || second.reads(locked) != 1 || second.lines() != 2 {
		t.Errorf("%v writes and %v reads found the lock, want 2 and 1; %d lines are logged, want 2: %s", second.writes(locked), second.reads(locked), second.lines(), second.log.String())
	}
	first.Close()
	if got := second.load("f"); !slices.Equal(got, []string{"one"}) {
		t.Errorf("after the end of the first process, the second one has read %q, want one", got)
	}
}

func TestUnusableDirectoriesAreLoggedOnceAndCounted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"missing": filepath.Join(t.TempDir(), "none"), "a file": file, "proc": "/proc/self/task"} {
		t.Run(name, func(t *testing.T) {
			d := newDir(t, path)
			if d.load("f") != nil || d.reads(unreadable) != 1 {
				t.Errorf("%v reads were unreadable, want 1", d.reads(unreadable))
			}
			for range 3 {
				if d.save("one") {
					t.Error("a state was written")
				}
			}
			if d.writes(failed) != 3 || d.lines() != 2 {
				t.Errorf("%v writes failed, want 3; %d lines are logged, want 2: %s", d.writes(failed), d.lines(), d.log.String())
			}
		})
	}
}

func TestForeignFilesStay(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{"notes.txt", "state.bak", tempName} {
		if err := os.WriteFile(filepath.Join(path, name), []byte("?"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(path, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := newDir(t, path)
	if !d.save("one") || d.load("f") == nil || d.load("other") != nil {
		t.Fatal(d.log.String())
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{lockName, "lost+found", "notes.txt", "state.bak"}; !slices.Equal(names, want) {
		t.Errorf("got files %q, want %q", names, want)
	}
}

func TestStateThatIsADirectoryIsNoState(t *testing.T) {
	path := t.TempDir()
	if err := os.MkdirAll(filepath.Join(path, stateName, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := newDir(t, path)
	if d.load("f") != nil || d.save("one") || d.writes(failed) != 1 {
		t.Error("a directory was read or replaced")
	}
}

// breaking is a file system that works for a number of operations. The next one fails, perhaps after
// a part of its effect, and later ones have no effect, as if the process were killed.
type breaking struct {
	filesystem
	left  int
	err   error // of the operation that fails
	part  int   // bytes that a failing write writes
	broke bool
}

var errKilled = errors.New("killed")

// step counts an operation, and returns its error if it must fail.
func (b *breaking) step() error {
	if b.left--; b.left >= 0 {
		return nil
	}
	if !b.broke {
		b.broke = true
		return b.err
	}
	return errKilled
}

func (b *breaking) create(name string) (writableFile, error) {
	if err := b.step(); err != nil {
		return nil, err
	}
	f, err := b.filesystem.create(name)
	return &breakingFile{f, b}, err
}

func (b *breaking) rename(from, to string) error {
	if err := b.step(); err != nil {
		return err
	}
	return b.filesystem.rename(from, to)
}

func (b *breaking) remove(name string) error {
	if b.broke && errors.Is(b.err, errKilled) {
		return errKilled
	}
	return b.filesystem.remove(name)
}

func (b *breaking) syncDir(name string) error {
	if err := b.step(); err != nil {
		return err
	}
	return b.filesystem.syncDir(name)
}

type breakingFile struct {
	writableFile
	b *breaking
}

func (f *breakingFile) Write(p []byte) (int, error) {
	if err := f.b.step(); err != nil {
		n, _ := f.writableFile.Write(p[:min(f.b.part, len(p))])
		return n, err
	}
	return f.writableFile.Write(p)
}

func (f *breakingFile) Sync() error {
	if err := f.b.step(); err != nil {
		return err
	}
	return f.writableFile.Sync()
}

// TestInterruptedWriteLeavesTheOldStateOrTheNewOne interrupts a write at each operation. After a kill,
// nothing is cleaned up. After an error of the file system, the process continues.
func TestInterruptedWriteLeavesTheOldStateOrTheNewOne(t *testing.T) {
	large := strings.Repeat("new", bufferSize) // several writes
	for name, err := range map[string]error{"killed": errKilled, "full": syscall.ENOSPC, "read-only": syscall.EROFS, "I/O error": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			interrupted := 0
			for n := 0; ; n++ {
				old, newer := 0, 0
				for _, part := range []int{0, 1, 5000, bufferSize} {
					path := t.TempDir()
					d := newDir(t, path)
					d.save("old")
					b := &breaking{filesystem: disk{}, left: n, err: err, part: part}
					d.files = b
					wrote := d.save("new", large)
					d.files = disk{}
					if !b.broke {
						if interrupted < 6 {
							t.Errorf("%d operations were interrupted, want 6 or more", interrupted)
						}
						return
					}
					if wrote {
						t.Errorf("operation %d: the interrupted write counts as written", n)
					}
					interrupted++
					d.Close()
					next := newDir(t, path)
					switch got := next.load("f"); {
					case slices.Equal(got, []string{"old"}):
						old++
					case slices.Equal(got, []string{"new", large}): // the sync of the directory failed
						newer++
					default:
						t.Errorf("operation %d, after %d bytes: got %d frames, want those of the old or of the new state: %s", n, part, len(got), next.log.String())
					}
					if _, err := os.Stat(filepath.Join(path, tempName)); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("operation %d: the next process has not removed the temporary file", n)
					}
					if !next.save("again") {
						t.Errorf("operation %d: the next process cannot write: %s", n, next.log.String())
					}
				}
				if old > 0 && newer > 0 {
					t.Errorf("operation %d has left the old state in some cases and the new one in others", n)
				}
			}
		})
	}
}

// TestStateIsWrittenAgainAfterAFailure covers a volume that does not work for a while, so that not even
// the temporary file can be removed.
func TestStateIsWrittenAgainAfterAFailure(t *testing.T) {
	d := newDir(t, t.TempDir())
	d.files = &breaking{filesystem: disk{}, left: 1, err: errKilled}
	if d.save("one") {
		t.Error("the interrupted write counts as written")
	}
	d.files = disk{}
	if !d.save("two") || d.load("f") == nil {
		t.Errorf("the next state was not written: %s", d.log.String())
	}
}

func TestFailureToCollectTheStateKeepsTheOldOne(t *testing.T) {
	d := newDir(t, t.TempDir())
	d.save("old")
	for _, err := range []error{ErrIncomplete, errors.New("other")} {
		if d.Write(context.Background(), "f", 0, func(*Writer) error { return err }) {
			t.Error("a state was written although its frames failed")
		}
	}
	if got := d.load("f"); !slices.Equal(got, []string{"old"}) {
		t.Errorf("got frames %q, want the old state", got)
	}
	if d.writes(incomplete) != 1 || d.writes(failed) != 1 || d.lines() != 1 {
		t.Errorf("got incomplete %v, failed %v and %d logged lines, want 1 of each", d.writes(incomplete), d.writes(failed), d.lines())
	}
}

func TestTooLargeStateIsNotWritten(t *testing.T) {
	d := newDir(t, t.TempDir())
	if d.Write(context.Background(), "f", 0, func(w *Writer) error {
		w.size = MaxBytes
		return w.Frame(1, []byte("one byte too many"))
	}) {
		t.Error("the state was written")
	}
	if d.writes(tooLarge) != 1 {
		t.Errorf("%v states were too large, want 1", d.writes(tooLarge))
	}
}

func TestEndedContextEndsTheWriting(t *testing.T) {
	d := newDir(t, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	frames := 0
	wrote := d.Write(ctx, "f", 1000, func(w *Writer) error { // bytes per second
		cancel()
		frames++
		return w.Frame(1, make([]byte, 100_000))
	})
	if wrote || frames != 1 || d.lines() != 0 {
		t.Errorf("written is %t after %d frames, want false after 1; got log, want none: %s", wrote, frames, d.log.String())
	}
}

func FuzzRead(f *testing.F) {
	var whole bytes.Buffer
	w := newWriter(context.Background(), &whole, 0)
	err := w.writeAll(header{"f", time.Now()}, func(w *Writer) error { return w.Frame(1, []byte("one")) })
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()-1])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _, err := newReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		for read := 0; ; {
			_, payload, err := r.Next()
			if errors.Is(err, io.EOF) != r.ended {
				t.Fatalf("got error %v and ended %t, want EOF exactly at the end", err, r.ended)
			}
			if err != nil {
				return
			}
			if read += len(payload); read > len(data) {
				t.Fatalf("read frames of %d bytes from %d bytes, want no more", read, len(data))
			}
		}
	})
}
