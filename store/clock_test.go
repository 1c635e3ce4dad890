package store

import (
	"testing"
	"time"
	"unsafe"
)

// withClockStep returns at as time.Now would return it after the system clock was set forward by
// the given duration: the wall clock differs, the monotonic reading does not. No function creates
// such a time, so this one changes the internal representation of time.Time, and then checks the
// result.
func withClockStep(t *testing.T, at time.Time, by time.Duration) time.Time {
	t.Helper()
	seconds := int64(by / time.Second)
	stepped := at
	(*struct {
		wall uint64 // flag, 33 bits of seconds, 30 bits of nanoseconds
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&stepped)).wall += uint64(seconds) << 30
	if stepped.Sub(at) != 0 || stepped.Unix()-at.Unix() != seconds {
		t.Fatalf("got %v, want %v with the clock set by %v", stepped, at, by)
	}
	return stepped
}

func TestClockStepDoesNotChangeExpiry(t *testing.T) {
	for name, c := range map[string]struct {
		after, by time.Duration
		held      bool
	}{
		"forward": {30 * time.Second, time.Hour, true},
		"back":    {time.Minute, -time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(testFamilies(1), nil)
			s.Put(Object{ID: testID(1)}, linesOf(line(0, 1, "a", 1)))
			start := time.Now()
			s.ExpireAt(testID(1), start.Add(time.Minute))
			s.Sweep(time.Minute, withClockStep(t, start.Add(c.after), c.by))
			if s.Contains(testID(1)) != c.held {
				t.Errorf("after %v of a minute, with the clock set by %v, the deleted object is present: %t, want %t",
					c.after, c.by, !c.held, c.held)
			}
		})
	}
}

func TestClockStepDoesNotChangeQuietTime(t *testing.T) {
	for name, c := range map[string]struct {
		after, by time.Duration
		raw       int64
	}{
		"forward": {30 * time.Second, time.Hour, 1},
		"back":    {time.Minute, -time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(testFamilies(1), nil)
			s.Put(Object{ID: testID(1)}, linesOf(line(0, 1, "a", 1)))
			start := time.Now()
			s.Sweep(time.Minute, start)
			s.Sweep(time.Minute, withClockStep(t, start.Add(c.after), c.by))
			if n := int64(s.Stats().RawBlocks); n != c.raw {
				t.Errorf("after %v of a minute, with the clock set by %v, %d raw blocks, want %d",
					c.after, c.by, n, c.raw)
			}
		})
	}
}
