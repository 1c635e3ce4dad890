package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

const manyObjects = "many-objects"

// objects puts objects into the cluster that are as large or as many as someone
// with the right to create them can make them.
func (p *pressure) objects(ctx context.Context) error {
	most := len(p.cluster.Names("pods")) + 1000
	flags := []string{"--metric-labels-allowlist=pods=[*]", "--metric-annotations-allowlist=pods=[*]", fmt.Sprintf("--object-limit=%d", most)}
	r, before, err := p.begin(ctx, flags...)
	if err != nil {
		return err
	}
	defer r.stop()
	if err := putHostile(p.cluster, p.crowd); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.listAnew(ctx, most); err != nil {
		return err
	}
	after := map[string]int{}
	if _, err := r.page(ctx, "identity", after); err != nil {
		return err
	}
	return r.judgeObjects(ctx, before, after, most)
}

// putHostile creates the objects.
func putHostile(c *simulator.Cluster, crowd int) error {
	labels := map[string]string{}
	for i := range 10_000 {
		labels[fmt.Sprintf("label-%d", i)] = "x"
	}
	pod := func(name string, m metav1.ObjectMeta) error {
		m.Namespace, m.Name = manyObjects, name
		return c.Put(&corev1.Pod{ObjectMeta: m})
	}
	err := errors.Join(
		pod("large", metav1.ObjectMeta{Annotations: map[string]string{"a": strings.Repeat("x", 3*mebi/2)}}),
		pod("long-value", metav1.ObjectMeta{Labels: map[string]string{"a": strings.Repeat("y", mebi)}}),
		pod("many-labels", metav1.ObjectMeta{Labels: labels}),
	)
	for i := range crowd {
		err = errors.Join(err, c.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: manyObjects, Name: fmt.Sprintf("c%d", i)}}))
	}
	return err
}

// listAnew has the objects come in a list as well, not only as events, and waits for it.
func (r *replica) listAnew(ctx context.Context, most int) error {
	leftOut := func() (float64, error) {
		self, err := r.Self(ctx)
		return self.Sum("statefleet_objects_processed_total", "outcome", "over_limit"), err
	}
	before, err := leftOut()
	if err != nil {
		return err
	}
	// Watches go on from the version that they know, unless that is too old by now.
	if err := r.cluster.Put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: manyObjects}}); err != nil {
		return err
	}
	r.cluster.Compact()
	r.cluster.CloseWatches()
	if len(r.cluster.Names("configmaps")) > most {
		if err := r.until(ctx, "listed again", func() bool {
			now, err := leftOut()
			return err == nil && now > before
		}); err != nil {
			return err
		}
	}
	return r.settle(ctx)
}

// judgeObjects checks that each hostile object is there or counted, and that no
// other has lost a line.
func (r *replica) judgeObjects(ctx context.Context, before, after map[string]int, most int) error {
	lost := 0
	for line := range before {
		if after[line] == 0 {
			lost++
		}
	}
	shown := map[string]bool{}
	longest := 0
	for line := range after {
		longest = max(longest, len(line))
		for _, name := range []string{"large", "long-value", "many-labels"} {
			if strings.HasPrefix(line, "kube_pod_") && strings.Contains(line, `pod="`+name+`"`) {
				shown[name] = true
			}
		}
	}
	self, err := r.Self(ctx)
	if err != nil {
		return err
	}
	leftOut := self.Sum("statefleet_objects_processed_total", "outcome", "over_limit")
	held := self.Sum("statefleet_objects", "resource", "configmaps")
	switch {
	case lost > 0:
		return fmt.Errorf("%d lines of other objects are gone", lost)
	case len(shown) != 3:
		return fmt.Errorf("of the large pods there are %v", shown)
	case held > float64(most):
		return fmt.Errorf("%.0f configmaps are held, the limit is %d", held, most)
	case int(held) < len(r.cluster.Names("configmaps")) && leftOut == 0:
		return errors.New("objects are left out and not counted")
	}
	return r.row("objects", "1.5 MB, a value of 1 MB, 10,000 labels, %d in a namespace: a line of %d bytes, %.0f of %d configmaps left out and counted, no other line gone",
		r.crowd, longest, float64(len(r.cluster.Names("configmaps")))-held, len(r.cluster.Names("configmaps")))
}

// page reads the page, its samples into lines unless that is nil. A page that is
// refused with 503 is no error.
func (r *replica) page(ctx context.Context, encoding string, lines map[string]int) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Metrics, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", encoding)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK && (lines != nil || resp.StatusCode != http.StatusServiceUnavailable) {
		return resp.StatusCode, fmt.Errorf("%s answers %s", r.Metrics, resp.Status)
	}
	if lines == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, err
	}
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, 8*mebi)
	for in.Scan() {
		if !strings.HasPrefix(in.Text(), "#") {
			lines[in.Text()]++
		}
	}
	return resp.StatusCode, in.Err()
}
