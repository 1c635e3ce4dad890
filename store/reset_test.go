package store

import (
	"testing"
	"testing/synctest"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// A sweep that merges buckets meanwhile must not move objects to a bucket whose versions are reset already.
func TestAllVersionsAreResetWhileBucketsAreMerged(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		budget := NewBudget(1 << 30)
		s := New(testFamilies(2), budget)
		s.EndBulkLoad()
		for n := range 4 * slotsPerBucket {
			putVersion(s, n, 5)
		}
		for n := range 4 * slotsPerBucket {
			if n%4 != 0 {
				s.Delete(testID(n))
			}
		}
		for range cap(budget.codec.sem) {
			budget.codec.acquire()
		}
		budget.limit = 0 // ResetAllVersions has to compress a bucket after each one, and waits for a permit
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ResetAllVersions()
		}()
		synctest.Wait()
		budget.limit = 1 << 30
		s.mergeBuckets()
		for range cap(budget.codec.sem) {
			budget.codec.release()
		}
		<-done
		for n := range slotsPerBucket {
			if s.HasVersion(testID(4*n), 5) {
				t.Fatalf("object %d has its version, want none", 4*n)
			}
		}
		verify(t, s)
	})
}
