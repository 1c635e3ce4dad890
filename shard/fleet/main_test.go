package fleet

import (
	"testing"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/runtime"
)

// client-go limits how often a process handles reflector errors, and sleeps in between. Each test
// has a fake clock of its own, so that sleep could last years.
func TestMain(m *testing.M) {
	runtime.ErrorHandlers = nil
	goleak.VerifyTestMain(m)
}
