package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { testscript.Main(leakChecked{m}, map[string]func(){"statefleet": main}) }

// leakChecked runs the tests in UTC, in which CronJobs without a zone are reckoned then, and looks for goroutines that they
// left.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	time.Local = time.UTC
	code := m.M.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
