package attack

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/widgets"
)

// objectLimit bounds the objects of each kind in the attack that fills a namespace.
const objectLimit = 4000

// objectAttacks come from a tenant that may create objects in a namespace.
func objectAttacks() []attack {
	return []attack{
		{
			name: "wide-endpoints", judge: showsBystander, flags: []string{"--resources=endpoints,pods,services"},
			play: func(_ context.Context, s *site) (string, error) {
				return "an Endpoints object with 10,000 ports and 100 addresses", s.cluster.Put(wideEndpoints())
			},
		},
		{
			name: "many-containers", judge: showsBystander,
			play: func(_ context.Context, s *site) (string, error) {
				return "a pod with 7,000 containers", s.cluster.Put(manyContainers())
			},
		},
		{
			name: "full-namespace", judge: showsBystander, flags: []string{fmt.Sprintf("--object-limit=%d", objectLimit)},
			play: func(ctx context.Context, s *site) (string, error) {
				for i := range 2 * objectLimit {
					err := s.cluster.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "full", Name: fmt.Sprintf("p%d", i)}})
					if err != nil || ctx.Err() != nil {
						return "", err
					}
				}
				return fmt.Sprintf("%d pods in one namespace, with --object-limit=%d", 2*objectLimit, objectLimit), nil
			},
		},
		{
			name: "deep-custom-resource", custom: true, play: deepWidgets,
		},
		{ // a server that answers in the place of the API server, as an extension of it may
			name: "growing-error", judge: showsBystander,
			play: func(ctx context.Context, s *site) (string, error) {
				s.api.failing.Store(true)
				defer s.api.failing.Store(false)
				s.cluster.Compact()
				s.cluster.CloseWatches()
				<-ctx.Done()
				return fmt.Sprintf("%d errors of 4 MB that decompress to 4 GB", s.api.failed.Load()), nil
			},
		},
	}
}

//nolint:staticcheck // Endpoints are deprecated, and still exported
func wideEndpoints() *corev1.Endpoints {
	e := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: "wide", Name: "wide"}}
	subset := corev1.EndpointSubset{}
	for i := range 100 {
		subset.Addresses = append(subset.Addresses, corev1.EndpointAddress{IP: fmt.Sprintf("10.0.0.%d", i)})
	}
	for i := range 10_000 {
		subset.Ports = append(subset.Ports, corev1.EndpointPort{Name: fmt.Sprintf("p%d", i), Port: int32(i + 1)})
	}
	e.Subsets = append(e.Subsets, subset)
	return e
}

func manyContainers() *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "wide", Name: "wide"}}
	for i := range 7_000 {
		name := fmt.Sprintf("c%d", i)
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: "i"})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, Image: "i"})
	}
	return p
}

// showsBystander checks that a pod of another tenant created after the attack is on the page, as are all
// pods that were there before.
func showsBystander(ctx context.Context, s *site) error {
	others := len(s.cluster.Names("pods")) - s.in("full") - s.in("wide")
	if err := s.cluster.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "bystander", Name: "bystander"}}); err != nil {
		return err
	}
	return s.fleet.Until(ctx, patience, "every other pod on the page", func(ctx context.Context) error {
		lines, err := s.replica.Lines(ctx)
		if err != nil {
			return err
		}
		const info = "kube_pod_info{"
		shown := lines.Count(info) - lines.Count(info, `namespace="full"`) - lines.Count(info, `namespace="wide"`)
		if shown != others+1 {
			return fmt.Errorf("%d of %d pods of other namespaces are on the page", shown, others+1)
		}
		return nil
	})
}

const (
	// lateBystander is how late the custom resource of another tenant may be on the page.
	lateBystander = 3 * time.Second
	// mostLists is how often custom resources may be listed: at the start, and once because something could not be read.
	mostLists = 2
)

// deepWidgets has custom resources with many levels come, each followed by one of another tenant, which must
// be on the page at once.
func deepWidgets(ctx context.Context, s *site) (string, error) {
	slowest := time.Duration(0)
	for i, depth := range []int{1_200, 100_000, 1_200} {
		s.api.widgets.Add(widgets.Object(fmt.Sprintf("deep-%d", i), `"only": 1`,
			`,"spec":`, strings.Repeat(`{"a":`, depth), "1", strings.Repeat("}", depth)))
		name := fmt.Sprintf("bystander-%d", i)
		s.api.widgets.Add(widgets.Object(name, `"only": 1`))
		began := time.Now()
		err := s.fleet.Until(ctx, patience, name+" on the page", func(ctx context.Context) error {
			lines, err := s.replica.Lines(ctx)
			if n := lines.Count("kube_customresource_value{", fmt.Sprintf("name=%q", name)); err == nil && n != 1 {
				err = fmt.Errorf("%d lines", n)
			}
			return err
		})
		if err != nil {
			return "", err
		}
		slowest = max(slowest, time.Since(began))
	}
	lists := s.api.widgets.Lists()
	if slowest > lateBystander || lists > mostLists {
		return "", fmt.Errorf("another custom resource was on the page after %s, and they were listed %d times",
			slowest.Round(time.Millisecond), lists)
	}
	return fmt.Sprintf("custom resources with 1,200 and 100,000 levels; others were on the page within %s, after %d lists",
		slowest.Round(time.Millisecond), lists), nil
}

// in is the number of pods in a namespace.
func (s *site) in(namespace string) (n int) {
	for _, name := range s.cluster.Names("pods") {
		if name.Namespace == namespace {
			n++
		}
	}
	return n
}
