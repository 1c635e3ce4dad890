package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/store"
)

// storeExporter exports a real store.
type storeExporter struct {
	fakeExporter
	store *store.Store
}

func (e *storeExporter) Snapshot(f store.Format, _ func(string) bool) (Snapshot, error) {
	return store.TakeSnapshot(f, e.store), nil
}

func TestScrapeOfAStore(t *testing.T) {
	families := []store.Family{{
		Name:              "kube_pod_info",
		TextHeader:        []byte("# TYPE kube_pod_info gauge\n"),
		OpenMetricsHeader: []byte("# TYPE kube_pod info\n"),
	}}
	e := &storeExporter{store: store.New(families, store.NewBudget(1<<10))}
	const pods = 500
	for i := range pods {
		line := fmt.Appendf(nil, "kube_pod_info{pod=\"p%d\"} 1\n", i)
		e.store.Put(store.Object{ID: store.NewID("", "default", fmt.Sprint(i))}, &store.Lines{Buf: line, Ends: []int{len(line)}})
	}
	h, _ := newHandler(t, e)
	for _, enc := range []encoding{gzipEncoding, identity} {
		open := do(t, h, "GET", "/metrics", "Accept", prometheus3, "Accept-Encoding", string(enc))
		text := do(t, h, "GET", "/metrics", "Accept-Encoding", string(enc))
		for name, a := range map[string]response{"OpenMetrics": open, "text": text} {
			if n := strings.Count(a.text, "kube_pod_info{"); n != pods {
				t.Errorf("%s, %s: got %d pods, want %d", name, enc, n, pods)
			}
			if got := a.header.Get("Content-Length"); got != fmt.Sprint(len(a.sent)) {
				t.Errorf("%s, %s: got Content-Length %s, want %d", name, enc, got, len(a.sent))
			}
		}
		if !strings.HasPrefix(open.text, "# TYPE kube_pod info\n") || !strings.HasSuffix(open.text, "\n# EOF\n") {
			t.Errorf("%s: the response is not OpenMetrics", enc)
		}
		if !strings.HasPrefix(text.text, "# TYPE kube_pod_info gauge\n") || strings.Contains(text.text, "# EOF") {
			t.Errorf("%s: the response is not in the text format", enc)
		}
	}
}
