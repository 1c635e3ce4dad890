package replica

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard"
)

func TestOverviewOfAReplica(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.pod(i, "n1")
	}
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/secrets") {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusForbidden)
			_, _ = rw.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no <b>rule</b>","reason":"Forbidden","code":403}`))
			return true
		}
		return false
	})
	r := w.start(func(o *Options) { o.ForbiddenGrace = time.Millisecond })
	if o := r.Overview(); o.NotServing == "" || len(o.Held)+len(o.Visible) != 0 || len(o.Kinds) == 0 {
		t.Errorf("without a shard: got %+v, want a reason, no ranges, and some kinds", o)
	}
	r.assign(0, 1)
	r.waitReady()
	o := r.Overview()
	if o.NotServing != "" || !o.Held.Equal(shard.All()) || !o.Visible.Equal(shard.All()) || o.RawLimit != 1<<20 {
		t.Errorf("got %+v, want everything held and visible, and a limit of 1 MiB", o)
	}
	for _, k := range o.Kinds {
		switch k.Name {
		case "pods":
			if k.Objects != 30 || k.Phase != watch.Synced || k.Error != "" || k.LastContact.IsZero() || k.TextBytes == 0 {
				t.Errorf("got %+v, want 30 objects of pods, synced without an error", k)
			}
		case "secrets":
			if k.Phase != watch.Forbidden || !strings.Contains(k.Error, "no <b>rule</b>") {
				t.Errorf("got %+v, want secrets to be forbidden with the message of the API server", k)
			}
		}
	}
}

func TestOverviewSaysWhyTheAPIServerCannotBeReached(t *testing.T) {
	t.Parallel()
	w := populatedWorld(t)
	r := w.start(podsOnly)
	r.assign(0, 1)
	r.waitReady()
	pods := func() KindOverview { return r.Overview().Kinds[0] }
	if k := pods(); k.Outage != "" || k.Error != "" {
		t.Errorf("got outage %q and error %q while the API server answers, want none", k.Outage, k.Error)
	}
	w.intercept(func(http.ResponseWriter, *http.Request) bool { return abort() })
	w.cluster.CloseWatches()
	eventually(t, "an outage", func() bool { return pods().Outage != "" })
	if k := pods(); k.Error != "" {
		t.Errorf("got error %q in addition to the outage, want none", k.Error)
	}
}
