package watch

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/wire"
)

// TestWatchesAskForFiveToTenMinutes checks that the requested durations are random, so that the watches of a fleet do
// not end together.
func TestWatchesAskForFiveToTenMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	recorded := &requests{}
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool { recorded.record(r); return false })
	reflector, _ := w.start(setup{})
	eventually(t, "some watches", func() bool {
		w.cluster.CloseWatches()
		return reflector.Status().Phase == Synced && recorded.count("watch", notEmpty) > 8
	})
	shortest, longest := 1000, 0
	recorded.count("timeoutSeconds", func(value string) bool {
		if n, err := strconv.Atoi(value); err == nil {
			shortest, longest = min(shortest, n), max(longest, n)
		}
		return true
	})
	if shortest < 300 || longest > 600 || longest-shortest < 30 {
		t.Errorf("got durations from %d to %d seconds, want a spread of 30 or more between 300 and 600", shortest, longest)
	}
}

func TestErrorThatEndsAWatch(t *testing.T) {
	status := metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: http.StatusGone, Message: "too old"}
	protobuf, err := status.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		wire.Event
		expired bool
		text    string
	}{
		{wire.Event{Encoding: wire.Protobuf, Object: protobuf}, true, "too old"},
		{wire.Event{Encoding: wire.JSON, Object: []byte(`{"status":"Failure","reason":"Expired","code":410,"message":"too old"}`)}, true, "too old"},
		{wire.Event{Encoding: wire.Protobuf, Object: []byte("{}")}, false, "status of a failed watch"},
		{wire.Event{Encoding: wire.JSON, Object: []byte("[")}, false, "status of a failed watch"},
	} {
		err := statusError(c.Event)
		if apierrors.IsResourceExpired(err) != c.expired || needsList(err) != c.expired || !strings.Contains(err.Error(), c.text) {
			t.Errorf("statusError(%q) = %v, want the text %q, expired: %t", c.Object, err, c.text, c.expired)
		}
	}
}

// TestWhichErrorsNeedAList checks among others that 504 is told apart by its cause.
func TestWhichErrorsNeedAList(t *testing.T) {
	tooLarge := apierrors.NewTimeoutError("Too large resource version", 1)
	tooLarge.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge}}
	for err, want := range map[*apierrors.StatusError]bool{
		tooLarge:                              true,
		apierrors.NewTimeoutError("slow", 1):  false,
		apierrors.NewResourceExpired("gone"):  true,
		apierrors.NewServiceUnavailable("no"): false,
		apierrors.NewUnauthorized("no"):       false,
	} {
		if got := needsList(fmt.Errorf("watch: %w", err)); got != want {
			t.Errorf("%v: got needs a list %t, want %t", err, got, want)
		}
	}
}
