package replica

import (
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestScopes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		want   func(i int) bool
	}{
		"namespaces":  {func(o *Options) { o.Namespaces = []string{"ns0", "ns2"} }, func(i int) bool { return i%3 != 1 }},
		"denied":      {func(o *Options) { o.NamespacesDenied = []string{"ns0"} }, func(i int) bool { return i%3 != 0 }},
		"node":        {func(o *Options) { o.Node = "n1" }, func(i int) bool { return i%2 == 1 }},
		"unscheduled": {func(o *Options) { o.TrackUnscheduled = true }, func(i int) bool { return i%2 == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			want := map[string]bool{}
			for i := range 30 {
				w.pod(i, []string{"", "n1"}[i%2])
				if c.want(i) {
					want[string(uid(i))] = true
				}
			}
			w.put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns1", UID: "ns1"}})
			r := w.start(c.change)
			r.assign(0, 1)
			r.waitReady()
			lines := r.samples()
			if got := podsIn(lines); !maps.Equal(got, want) {
				t.Errorf("got pods %v, want %v", got, want)
			}
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "kube_namespace_") }) {
				t.Error("the kind namespaces, which is not namespaced, is missing")
			}
		})
	}
}
