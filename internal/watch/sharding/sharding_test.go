package sharding

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

func TestAnsweredSelectorIsComparedWithTheSentOne(t *testing.T) {
	t.Parallel()
	ranges := shard.Ranges{{Start: 1, End: 10}, {Start: 1 << 63, End: 0}}
	server := New(nil)
	sent, everything := server.Selector(ranges.Selector()), server.Selector("")
	info := func(selector string) *metav1.ShardInfo { return &metav1.ShardInfo{Selector: selector} }
	f := func(what string, sent Selector, answered *metav1.ShardInfo, hash uint64, right bool) {
		t.Helper()
		answer := Answer{Sent: sent}
		answer.Observe([]byte("u"), hash)
		if err := answer.Verify(metav1.ListMeta{ShardInfo: answered}); right != (err == nil) || err != nil && !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: got error %v, want success: %t", what, err, right)
		}
	}
	const ours, other = 5, 100
	f("the same", sent, info(sent.Text), ours, true)
	f("the same in another order, without spaces", sent,
		info(strings.ReplaceAll(ranges[1:].Selector()+"||"+ranges[:1].Selector(), " ", "")), ours, true)
	f("a part of it", sent, info(ranges[:1].Selector()), ours, false)
	f("none", sent, info(""), ours, false)
	f("one that cannot be read", sent, info("shardRange(object.metadata.uid)"), ours, false)
	f("the same with an object outside of it", sent, info(sent.Text), other, false)
	f("ignored", sent, nil, other, true)
	f("not asked for", everything, nil, other, true)
	f("not asked for, and an empty one", everything, info(""), other, true)
	f("one that was not sent", everything, info(sent.Text), ours, false)
}

func TestDetectorJudgesReceivedObjects(t *testing.T) {
	t.Parallel()
	const unknown, unfiltered, filters = "unknown", "unfiltered", "filtered"
	third := shard.Ranges{{Start: 0, End: 1 << 64 / 3}}
	f := func(what string, want string, watch func(*Detector), sent shard.Ranges) {
		t.Helper()
		got := unknown
		watch(NewDetector(New(nil).Selector(sent.Selector()), func(filtered bool) {
			got = unfiltered
			if filtered {
				got = filters
			}
		}))
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	const requested, other = 1, 1 << 63 // hashes
	receive := func(hash uint64, n int) func(*Detector) {
		return func(f *Detector) {
			for range n {
				f.Observe([]byte("u"), hash)
			}
		}
	}
	then := func(steps ...func(*Detector)) func(*Detector) {
		return func(f *Detector) {
			for _, step := range steps {
				step(f)
			}
		}
	}
	listed := (*Detector).Listed
	f("no selector", unfiltered, then(receive(requested, 100), listed), nil)
	f("an empty list", unknown, listed, third)
	f("a few events", unknown, receive(requested, 12), third)
	f("many events", filters, receive(requested, 13), third) // a third to the power of 13 is less than one in a million
	f("a list of requested objects", filters, then(receive(requested, 1), listed), third)
	f("a list with another object", unfiltered, then(receive(requested, 50), receive(other, 1), receive(requested, 50), listed), third)
	f("another object after the list", unfiltered, then(receive(requested, 50), listed, receive(other, 1), receive(requested, 50)), third)
	f("events with a selector for nearly all hashes", unknown, receive(requested, 100), shard.Ranges{{Start: 0, End: 1<<64 - 1<<58}})
	f("events with a selector for all hashes but one", unknown, receive(requested, 100), shard.Ranges{{Start: 0, End: 1<<64 - 1}})
}

func TestObjectWithoutUIDIsNotForeign(t *testing.T) {
	t.Parallel()
	a := Answer{Sent: New(nil).Selector(shard.Ranges{{Start: 0, End: 1}}.Selector())}
	a.Observe(nil, 1<<63)
	if a.Foreign != 0 {
		t.Errorf("%d objects count as foreign, want none", a.Foreign)
	}
}

func discardLogs() *slog.Logger { return slog.New(slog.DiscardHandler) }

// tooLong returns the error of a proxy's answer.
func tooLong(code int) error {
	return apierrors.NewGenericServerResponse(code, "GET", schema.GroupResource{Resource: "pods"}, "", "<html>", 0, true)
}

func TestRejectedSelectorIsSentAgainLater(t *testing.T) {
	for name, err := range map[string]error{
		"500": apierrors.NewInternalError(errors.New("invalid shard selector: unsupported field path")),
		"400": apierrors.NewBadRequest("unable to parse shardSelector"),
		"414": tooLong(http.StatusRequestURITooLong),
		"431": tooLong(http.StatusRequestHeaderFieldsTooLarge),
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				s := New(nil)
				wanted := (shard.Ranges{{Start: 0, End: 1 << 64 / 3}}).Selector()
				sent := func(want bool) {
					t.Helper()
					if got := s.Selector(wanted).Text != ""; got != want {
						t.Errorf("a selector is sent: %v, want %v", got, want)
					}
				}
				reject := func() {
					t.Helper()
					if !s.Reject(s.Selector(wanted), err, discardLogs()) {
						t.Error("Reject returned false for an error that the selector has caused")
					}
				}
				sent(true)
				reject()
				sent(false)
				time.Sleep(firstRetry - time.Second)
				sent(false)
				time.Sleep(time.Second)
				for range 2 { // then once an hour
					sent(true)
					reject()
					sent(false)
					time.Sleep(laterRetry - time.Second)
					sent(false)
					time.Sleep(time.Second)
				}
				sent(true)
				if s.Reject(s.Selector(wanted), apierrors.NewInternalError(errors.New("etcd is unavailable")), discardLogs()) {
					t.Error("Reject returned true for an error that the selector has not caused")
				}
				if s.Reject(s.Selector(""), err, discardLogs()) {
					t.Error("Reject returned true although no selector was sent")
				}
			})
		})
	}
}

func TestMismatchIsCountedOnce(t *testing.T) {
	t.Parallel()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "n"})
	s := New(counter)
	select {
	case <-s.Mismatch():
		t.Fatal("Mismatch is closed before Fail")
	default:
	}
	for range 3 {
		s.Fail(discardLogs(), ErrMismatch)
	}
	<-s.Mismatch()
	if n := testutil.ToFloat64(counter); n != 1 {
		t.Errorf("the mismatch is counted %v times, want once", n)
	}
}
