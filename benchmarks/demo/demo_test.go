package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
)

// announcer is a companion with an address.
type announcer struct{ noCompanion }

func (announcer) Announce() string { return "Here: http://127.0.0.1:1/" }

func TestAddressesComeFirst(t *testing.T) {
	for _, c := range []struct {
		companion Companion
		args      []string
		want      string
	}{
		{noCompanion{}, nil, "Status page of the fleet: http://127.0.0.1:18081/\n\n"},
		{announcer{}, []string{"--port=700"}, "Status page of the fleet: http://127.0.0.1:701/\nHere: http://127.0.0.1:1/\n\n"},
		{announcer{}, []string{"--port=0"}, "Here: http://127.0.0.1:1/\n\n"}, // the fleet's ports are not known yet
	} {
		app := kingpin.New("test", "")
		o := &options{companion: c.companion}
		o.flags(app.Command("demo", ""))
		if _, err := app.Parse(append([]string{"demo"}, c.args...)); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		o.announce(&out)
		if out.String() != c.want {
			t.Errorf("%q: got %q, want %q", c.args, out.String(), c.want)
		}
	}
}

func TestScaleRequestsAreRefusedOutOfRangeAndWhileOneWaits(t *testing.T) {
	r := make(scaleRequests, 1)
	for replicas, want := range map[int]string{0: "between 1 and 12, got 0", MaxReplicas + 1: "between 1 and 12, got 13"} {
		if err := r.add(replicas); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: got error %v, want %q", replicas, err, want)
		}
	}
	if err := r.add(5); err != nil {
		t.Fatal(err)
	}
	if err := r.add(4); err == nil || !strings.Contains(err.Error(), "still changing") {
		t.Errorf("second request: got error %v, want one that states that the fleet is still changing", err)
	}
	if got := <-r; got != 5 {
		t.Errorf("got a request for %d replicas, want 5", got)
	}
}
