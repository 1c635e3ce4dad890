package resources

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

const testLimit = 4 << 20

// hostileObjects returns objects that the API server accepts and that give far more text than they are long. Each has n
// ports, containers or endpoints.
func hostileObjects(n int) map[string]apiObject {
	var ports []corev1.EndpointPort //nolint:staticcheck // as in endpoints.go
	for i := range n {
		ports = append(ports, corev1.EndpointPort{Name: fmt.Sprint("p", i), Port: int32(i + 1), Protocol: "TCP"})
	}
	var addresses []corev1.EndpointAddress //nolint:staticcheck // as in endpoints.go
	for i := range 100 {
		addresses = append(addresses, corev1.EndpointAddress{IP: fmt.Sprint("10.0.0.", i)})
	}
	pod, image := &corev1.Pod{}, strings.Repeat("i", 200)
	for i := range n {
		name := fmt.Sprint("c", i)
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name, Image: image})
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, Image: image, ImageID: image, ContainerID: image})
	}
	slice := &discoveryv1.EndpointSlice{}
	for range n {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: slices.Repeat([]string{"10.0.0.1", "10.0.0.2"}, 5), Hostname: new(string)})
	}
	for i := range slice.Endpoints {
		name := fmt.Sprint(image, i)
		slice.Endpoints[i].Hostname = &name
	}
	return map[string]apiObject{
		"endpoints": &corev1.Endpoints{ //nolint:staticcheck // as in endpoints.go
			ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "n"},
			Subsets:    []corev1.EndpointSubset{{Ports: ports, Addresses: addresses}}, //nolint:staticcheck // as in endpoints.go
		},
		"pods":           pod,
		"endpointslices": slice,
	}
}

func TestTextOfAnObjectIsBoundedWhileItIsWritten(t *testing.T) {
	for kind, object := range hostileObjects(10_000) {
		r := mustRenderer(t, kindsByName()[kind], Filter{})
		for enc, raw := range encodings(t, object) {
			l := Lines{Limit: testLimit}
			if err := r.Render(wire.Encoding(enc), raw, &l); err != nil {
				t.Fatal(err)
			}
			if len(l.Buf) > testLimit || len(l.Buf) == 0 || len(l.Omitted) == 0 {
				t.Errorf("%s as %v: got %d bytes and %d omitted families, want at most %d bytes", kind, wire.Encoding(enc), len(l.Buf), len(l.Omitted), testLimit)
			}
			if cap(l.Buf) > 2*testLimit {
				t.Errorf("%s as %v: buffer of %d bytes, want at most %d", kind, wire.Encoding(enc), cap(l.Buf), 2*testLimit)
			}
		}
	}
}

// No family is truncated: each is the same as without a limit, or empty.
func TestFamiliesBeyondTheLimitAreLeftOutWhole(t *testing.T) {
	for kind, object := range hostileObjects(100) {
		r := mustRenderer(t, kindsByName()[kind], Filter{})
		raw := encodings(t, object)[wire.Protobuf]
		var all Lines
		if err := r.Render(wire.Protobuf, raw, &all); err != nil || len(all.Omitted) != 0 {
			t.Fatalf("%s without a limit: %d omitted families, error %v, want none", kind, len(all.Omitted), err)
		}
		for _, limit := range []int{1, 1000, 20_000, len(all.Buf) - 1, len(all.Buf)} {
			l := Lines{Limit: limit}
			if err := r.Render(wire.Protobuf, raw, &l); err != nil || len(l.Ends) != len(all.Ends) || len(l.Buf) > limit {
				t.Fatalf("%s, limit %d: got %d bytes, %d ends, error %v, want %d ends", kind, limit, len(l.Buf), len(l.Ends), err, len(all.Ends))
			}
			for i := range l.Ends {
				want := string(all.Family(i))
				if slices.Contains(l.Omitted, i) {
					want = ""
				}
				if string(l.Family(i)) != want {
					t.Errorf("%s, limit %d: family %s is truncated", kind, limit, r.Families()[i].Name)
				}
			}
			if (len(l.Omitted) == 0) != (limit >= len(all.Buf)) {
				t.Errorf("%s, limit %d for %d bytes: %d omitted families", kind, limit, len(all.Buf), len(l.Omitted))
			}
		}
	}
}

// Without the check of the limit, the loop would take more than a quarter of an hour.
func TestLoopsEndOnceTheLimitIsPassed(t *testing.T) {
	const many = 500_000
	var l Lines
	l.Limit = 1000
	object := corev1.Endpoints{ //nolint:staticcheck // as in endpoints.go
		Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // as in endpoints.go
			Ports:     make([]corev1.EndpointPort, many), //nolint:staticcheck // as in endpoints.go
			Addresses: someAddresses(many),               //nolint:staticcheck // as in endpoints.go
		}},
	}
	w := SampleWriter{lines: &l}
	w.writeFamily(0, "x", nil, func() { endpointAddresses(&object, &w) })
	if len(l.Omitted) != 1 || len(l.Buf) != 0 {
		t.Errorf("got %d bytes and %d omitted families, want 0 and 1", len(l.Buf), len(l.Omitted))
	}
}

func someAddresses(n int) []corev1.EndpointAddress { //nolint:staticcheck // as in endpoints.go
	all := make([]corev1.EndpointAddress, n) //nolint:staticcheck // as in endpoints.go
	for i := range all {
		all[i].IP = fmt.Sprint(i)
	}
	return all
}

// A pod may have thousands of containers. If two have the same name, the first one counts.
func TestContainersAreFoundByName(t *testing.T) {
	for _, n := range []int{2, 64, 1000} {
		var p corev1.Pod
		want := ""
		for i := range n {
			name := fmt.Sprint(i / 2)
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: fmt.Sprint(i)})
			if i%2 == 0 {
				p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name})
				want += fmt.Sprintf("m{id=\"x\",container=%q,image_spec=\"%d\",image=\"\",image_id=\"\",container_id=\"\"} 1\n", name, i)
			}
		}
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: "none"})
		if got, _ := written(func(w *SampleWriter) { podContainers().info(&p, w) }); got != want {
			t.Errorf("%d containers: got\n%swant\n%s", n, got, want)
		}
	}
}

// A family that was left out of one object is rendered for the next one.
func TestLimitIsKeptFromObjectToObject(t *testing.T) {
	r := mustRenderer(t, kindsByName()["endpoints"], Filter{})
	large := encodings(t, hostileObjects(1000)["endpoints"])[wire.Protobuf]
	small := encodings(t, &corev1.Endpoints{ //nolint:staticcheck // as in endpoints.go
		Subsets: []corev1.EndpointSubset{{Ports: []corev1.EndpointPort{{Port: 1}}, Addresses: someAddresses(1)}}, //nolint:staticcheck // as in endpoints.go
	})[wire.Protobuf]
	l := Lines{Limit: testLimit}
	for _, raw := range [][]byte{large, small, large} {
		if err := r.Render(wire.Protobuf, raw, &l); err != nil || l.Limit != testLimit {
			t.Fatalf("got limit %d, error %v, want %d", l.Limit, err, testLimit)
		}
		if got, want := len(l.Omitted) > 0, len(raw) == len(large); got != want {
			t.Errorf("object of %d bytes: omitted families %v, want some: %t", len(raw), l.Omitted, want)
		}
	}
}
