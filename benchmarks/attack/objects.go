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

const (
	hostile     = "hostile" // the namespace of the attacker
	objectLimit = 4000      // the value of --object-limit in the attack full-namespace
)

// objectAttacks returns the attacks of a tenant that may create objects in a namespace.
func objectAttacks() []attack {
	return []attack{
		{
			name: "wide-endpoints", check: checkOthersExposed, flags: []string{"--resources=endpoints,pods,services"},
			run: func(_ context.Context, s *system) (string, error) {
				return "an Endpoints object with 10,000 ports and 100 addresses", s.cluster.Put(wideEndpoints())
			},
		},
		{
			name: "many-containers", check: checkOthersExposed,
			run: func(_ context.Context, s *system) (string, error) {
				return "a pod with 7,000 containers", s.cluster.Put(manyContainers())
			},
		},
		{
			name: "full-namespace", check: checkOthersExposed, flags: []string{fmt.Sprintf("--object-limit=%d", objectLimit)},
			run: func(ctx context.Context, s *system) (string, error) {
				for i := range 2 * objectLimit {
					err := s.cluster.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: hostile, Name: fmt.Sprintf("p%d", i)}})
					if err != nil || ctx.Err() != nil {
						return "", err
					}
				}
				return fmt.Sprintf("%d pods in one namespace, with --object-limit=%d", 2*objectLimit, objectLimit), nil
			},
		},
		{
			name: "deep-custom-resource", custom: true, run: deepWidgets,
		},
		{ // a server that responds in the place of the API server, such as an aggregated API server
			name: "growing-error", check: checkOthersExposed,
			run: func(ctx context.Context, s *system) (string, error) {
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
	e := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: hostile, Name: "wide"}}
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
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: hostile, Name: "wide"}}
	for i := range 7_000 {
		name := fmt.Sprintf("c%d", i)
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: "i"})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, Image: "i"})
	}
	return p
}

// checkOthersExposed creates a pod of another tenant after the attack, and checks that the exposition has it and
// all pods from before the attack.
func checkOthersExposed(ctx context.Context, s *system) error {
	if err := s.cluster.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "bystander", Name: "bystander"}}); err != nil {
		return err
	}
	others := 0
	for _, name := range s.cluster.Names("pods") {
		if name.Namespace != hostile {
			others++
		}
	}
	return s.fleet.Until(ctx, waitTimeout, "every other pod in the exposition", func(ctx context.Context) error {
		lines, err := s.replica.Lines(ctx)
		if err != nil {
			return err
		}
		const info = "kube_pod_info{"
		exposed := lines.Count(info) - lines.Count(info, fmt.Sprintf("namespace=%q", hostile))
		if exposed != others {
			return fmt.Errorf("the exposition has %d pods of other namespaces, want %d", exposed, others)
		}
		return nil
	})
}

const (
	// maxDelay is how long it may take until the exposition has the custom resource of another tenant.
	maxDelay = 3 * time.Second
	// maxLists is how often custom resources may be listed: at the start, and once after an object that cannot be
	// decoded.
	maxLists = 2
)

// deepWidgets creates custom resources with many levels. After each it creates one of another tenant, which
// the exposition must have within maxDelay.
func deepWidgets(ctx context.Context, s *system) (string, error) {
	slowest := time.Duration(0)
	for i, depth := range []int{1_200, 100_000, 1_200} {
		s.api.widgets.Add(widgets.Object(fmt.Sprintf("deep-%d", i), `"only": 1`,
			`,"spec":`, strings.Repeat(`{"a":`, depth), "1", strings.Repeat("}", depth)))
		name := fmt.Sprintf("bystander-%d", i)
		s.api.widgets.Add(widgets.Object(name, `"only": 1`))
		began := time.Now()
		err := s.fleet.Until(ctx, waitTimeout, name+" in the exposition", func(ctx context.Context) error {
			lines, err := s.replica.Lines(ctx)
			if n := lines.Count("kube_customresource_value{", fmt.Sprintf("name=%q", name)); err == nil && n != 1 {
				err = fmt.Errorf("got %d lines, want 1", n)
			}
			return err
		})
		if err != nil {
			return "", err
		}
		slowest = max(slowest, time.Since(began))
	}
	lists := s.api.widgets.Lists()
	if slowest > maxDelay || lists > maxLists {
		return "", fmt.Errorf("another custom resource was exposed after %s, after %d lists; want at most %s and %d lists",
			slowest.Round(time.Millisecond), lists, maxDelay, maxLists)
	}
	return fmt.Sprintf("custom resources with 1,200 and 100,000 levels; others were exposed within %s, after %d lists",
		slowest.Round(time.Millisecond), lists), nil
}
