package resources

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

func TestSkipZeroStateSets(t *testing.T) {
	f, err := NewFilter(Selection{SkipZeroStateSets: true})
	if err != nil {
		t.Fatal(err)
	}
	var l Lines
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p"}, Status: corev1.PodStatus{
		Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}},
	}}
	if err := mustRenderer(t, kindsByName()["pods"], f).Render(wire.Protobuf, encodings(t, pod)[wire.Protobuf], &l); err != nil {
		t.Fatal(err)
	}
	rows := func(family string) (n int) {
		for line := range strings.Lines(string(l.Buf)) {
			if strings.HasPrefix(line, family+"{") {
				n++
			}
		}
		return n
	}
	if n := rows("kube_pod_status_phase"); n != 1 {
		t.Errorf("%d rows of the phase", n)
	}
	if n := rows("kube_pod_status_ready"); n != 3 { // alerts read the row with 0
		t.Errorf("%d rows of the condition", n)
	}
}

// TestZeroSkippingStateSetsExist holds the list against the families there are.
func TestZeroSkippingStateSetsExist(t *testing.T) {
	var names []string
	for _, k := range All() {
		for _, f := range k.Families() {
			names = append(names, f.Name)
		}
	}
	for _, name := range zeroSkippingStateSets() {
		if !slices.Contains(names, name) {
			t.Errorf("there is no family %s", name)
		}
	}
}
