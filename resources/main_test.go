package resources

import (
	"os"
	"testing"
	"time"
)

// TestMain sets the local time zone, which applies to CronJobs without a zone.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}
