package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
)

// signpost is a companion that only announces itself.
type signpost struct{ alone }

func (signpost) Announce() string { return "Here: http://127.0.0.1:1/" }

func TestAddressesComeFirst(t *testing.T) {
	for _, c := range []struct {
		companion Companion
		args      []string
		want      string
	}{
		{alone{}, nil, "Status page of the fleet: http://127.0.0.1:18081/\n\n"},
		{signpost{}, []string{"--port=700"}, "Status page of the fleet: http://127.0.0.1:701/\nHere: http://127.0.0.1:1/\n\n"},
		{signpost{}, []string{"--port=0"}, "Here: http://127.0.0.1:1/\n\n"}, // the fleet's ports are not known yet
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
			t.Errorf("%q: %q, want %q", c.args, out.String(), c.want)
		}
	}
}

func TestWishesAreRefusedOutOfRangeAndWhileOneWaits(t *testing.T) {
	w := make(wishes, 1)
	for replicas, want := range map[int]string{0: "between 1 and 12, got 0", MaxReplicas + 1: "between 1 and 12, got 13"} {
		if err := w.add(replicas); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", replicas, err)
		}
	}
	if err := w.add(5); err != nil {
		t.Fatal(err)
	}
	if err := w.add(4); err == nil || !strings.Contains(err.Error(), "still changing") {
		t.Errorf("a second wish: %v", err)
	}
	if got := <-w; got != 5 {
		t.Errorf("got %d", got)
	}
}
