package store

import (
	"testing"
	"time"
	"unsafe"
)

// afterStep is what time.Now returns when it would return at, and the clock has been
// set forward by so much: another time of day, and the same monotonic reading. Nothing
// makes such a time but the clock, so it is written into what a time.Time is made of,
// and then looked at whether it still is.
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
		t.Fatalf("%v is not %v with the clock set by %v", stepped, at, by)
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
				t.Errorf("after %v of a minute, with the clock set by %v, a deleted object is held: %t", c.after, c.by, !c.held)
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
				t.Errorf("after %v of a minute, with the clock set by %v, %d pages are raw", c.after, c.by, n)
			}
		})
	}
}
