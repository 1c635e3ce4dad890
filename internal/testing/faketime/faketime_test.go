package faketime

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// With -race and without GOMAXPROCS=1, this crashes within milliseconds.
func TestTimersThatAreDueAreReadByMany(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	Test(t, func(*testing.T) {
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				for range 2000 {
					<-time.NewTimer(0).C
				}
			})
		}
		readers.Wait()
	})
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("GOMAXPROCS after the test: got %d, want %d as before", after, before)
	}
}
