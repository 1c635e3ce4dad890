package customresource

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// renderBounded renders an object with a limit for its text.
func renderBounded(t *testing.T, config, object string, limit int) resources.Lines {
	t.Helper()
	l := resources.Lines{Limit: limit}
	if err := newTestRenderer(t, config).Render(wire.JSON, []byte(object), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// Characters that label names must not have become underscores, so many names become equal. The text of a family may
// then be short although the map was copied for each of its members.
func TestMapCopiedForEachOfItsMembersIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"m":{"v":1`)
	const members = 20_000
	for i := range members {
		fmt.Fprintf(&b, `,"%c%c":1`, rune(0x4e00+i/200), rune(0x4e00+i%200))
	}
	b.WriteString("}}")
	l := renderBounded(t, wrap(`{name: x, each: {type: Gauge, gauge: {path: [m], labelsFromPath: {"*": []}}}}`), b.String(), 4<<20)
	if len(l.Omitted) != 1 || len(l.Buf) != 0 {
		t.Errorf("got %d omitted families and %d bytes, want 1 and 0", len(l.Omitted), len(l.Buf))
	}
}

func TestFamilyBeyondTheLimitIsLeftOutWhole(t *testing.T) {
	const small, large, last = `{name: small, each: {type: Gauge, gauge: {path: [a]}}}`,
		`{name: large, each: {type: Gauge, gauge: {path: [l], labelsFromPath: {v: []}}}}`,
		`{name: last, each: {type: Gauge, gauge: {path: [a]}}}`
	object := `{"a":1,"l":[` + strings.Repeat("1,2,", 500) + `3]}`
	config := wrap(small + ", " + large + ", " + last)
	all := renderBounded(t, config, object, 0)
	if len(all.Omitted) != 0 || all.Ends[1] == all.Ends[0] {
		t.Fatalf("without a limit: omitted families %v, want none; lines\n%s", all.Omitted, all.Buf)
	}
	want := renderBounded(t, wrap(small+", "+last), object, 0)
	l := renderBounded(t, config, object, all.Ends[1]-1)
	if string(l.Buf) != string(want.Buf) || !slices.Equal(l.Omitted, []int{1}) || l.Ends[1] != l.Ends[0] || len(l.Ends) != 3 {
		t.Errorf("got the lines\n%swithout families %v, want\n%swithout families [1]", l.Buf, l.Omitted, want.Buf)
	}
}

// The author of an object chooses the keys of its maps.
func TestCopiedLabelsDoNotReplaceConfiguredOnes(t *testing.T) {
	config := wrap(`{name: x, commonLabels: {team: a, env-b: prod}, labelsFromPath: {"*": [m]}, each: {type: Info, info: {path: [l], labelsFromPath: {"*": []}}}}`)
	const hostile = `{"team":"b","env-b":"test","env_b":"test","job":"kubelet","instance":"other","__name__":"up","__tenant__":"1","--name--":"up","free":"1"}`
	l := renderBounded(t, config, `{"m":`+hostile+`,"l":[`+hostile+`]}`, 0)
	want := `kube_customresource_x{` + reserved + `,env_b="prod",free="1",team="a"} 1` + "\n"
	if string(l.Buf) != want {
		t.Errorf("got  %swant %s", l.Buf, want)
	}
	if l.SkippedLabels != 16 {
		t.Errorf("got %d skipped labels, want 16", l.SkippedLabels)
	}
}

// The configuration may set the labels job and instance, and copied labels with a prefix have other names.
func TestConfiguredLabelsMayHaveAnyName(t *testing.T) {
	l := renderBounded(t, wrap(`{name: x, labelsFromPath: {job: [a], "p_*": [m]}, each: {type: Gauge, gauge: {path: [v]}}}`),
		`{"a":"mine","v":1,"m":{"job":"1","instance":"2"}}`, 0)
	want := `kube_customresource_x{` + reserved + `,job="mine",p_instance="2",p_job="1"} 1` + "\n"
	if string(l.Buf) != want || l.SkippedLabels != 0 {
		t.Errorf("got  %swant %sgot %d skipped labels, want 0", l.Buf, want, l.SkippedLabels)
	}
}

func TestDeepObjectIsRendered(t *testing.T) {
	for _, depth := range []int{1_200, 100_000} {
		deep := strings.Repeat(`{"a":[`, depth) + strings.Repeat("]}", depth)
		object := `{"spec":` + deep + `,"v":1,"w":` + deep + `}`
		l := renderBounded(t, wrap(`{name: x, each: {type: Gauge, gauge: {path: [v]}}}`), object, 0)
		if want := "kube_customresource_x{" + reserved + "} 1\n"; string(l.Buf) != want {
			t.Errorf("%d levels: got %swant %s", depth, l.Buf, want)
		}
		// A label with the whole value.
		l = renderBounded(t, wrap(`{name: x, labelsFromPath: {w: [w]}, each: {type: Gauge, gauge: {path: [v]}}}`), object, 0)
		if text := string(l.Buf); !strings.Contains(text, `w="map[a:[map[a:[`) || !strings.Contains(text, "<nil>") || len(text) > 20*maxDepth {
			t.Errorf("%d levels: got %.100s…, %d bytes, want a label of at most %d levels", depth, text, len(text), maxDepth)
		}
	}
}
