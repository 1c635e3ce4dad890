package fleet

import (
	"testing"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/runtime"
)

// client-go handles errors of reflectors at most once in a millisecond of the process, and sleeps when that is too soon.
// The clocks of two tests have nothing to do with one another, so it could sleep for years.
func TestMain(m *testing.M) {
	runtime.ErrorHandlers = nil
	goleak.VerifyTestMain(m)
}
