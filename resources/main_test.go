package resources

import (
	"os"
	"testing"
	"time"
)

// TestMain fixes the local zone, in which CronJobs without a zone are reckoned.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}
