//go:build linux

package node

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/audit"
)

const (
	// few replicas have not enough memory for the ballast, many have.
	few, many = 3, 8
	// smallLimit is the memory limit of a container that a third of the ballast does not fit into, and an eighth does.
	smallLimit, usualLimit = "60Mi", "512Mi"
	// ballast is the number of objects that take memory, ballastBytes the size of the random text that each has.
	ballast, ballastBytes = 7_000, 24 << 10
	ballastNamespace      = "ballast"
	// killedTimes is how often each container has to have been killed before the fleet is scaled.
	killedTimes = 2
	// quiet is how long no container may be killed once the fleet is complete.
	quiet = 20 * time.Second
	// backOff is how long the kubelet waits at most before it starts a container again that has ended so often, and how
	// long that takes.
	backOff = 2*time.Minute + restart
)

// outOfMemory is a fleet that the cluster has outgrown: the kernel kills each container, again and again, since none may
// use the memory for a third of the objects. The audit begins when the fleet is scaled.
func outOfMemory() scenario {
	return scenario{name: "grow-out-of-memory-kills", before: outgrow, act: growOut, after: shrinkBack, missing: backOff}
}

// outgrow fills the cluster until all containers are killed again and again.
func outgrow(t *testing.T, s *site) {
	s.setMemoryLimit(t, smallLimit)
	s.waitRollout(t)
	s.putBallast(t)
	err := waitFor(5*time.Minute, func() bool {
		for _, p := range s.pods(t) {
			if kills(p) < killedTimes {
				return false
			}
		}
		return true
	})
	for _, p := range s.pods(t) {
		for _, c := range p.Status.ContainerStatuses {
			t.Logf("%s: started again %d times, last ended: %+v", p.Name, c.RestartCount, c.LastTerminationState.Terminated)
		}
	}
	if err != nil {
		t.Fatalf("not every container was killed %d times for its memory: %v", killedTimes, err)
	}
}

// growOut scales the fleet to a size at which there is memory for everything. From then on none is killed, although
// every page is read.
func growOut(t *testing.T, s *site) {
	began := time.Now()
	s.patchSet(t, fmt.Sprintf(`{"spec": {"replicas": %d}}`, many))
	if err := waitFor(backOff, func() bool { return s.ready(t) == many }); err != nil {
		t.Fatalf("%d of %d replicas are ready: %v", s.ready(t), many, err)
	}
	t.Logf("all of %d ready %s after the fleet was scaled", many, time.Since(began).Round(100*time.Millisecond))
	before, shown := 0, 0
	pods := s.waitReady(t, many)
	for _, p := range pods {
		before += restarts(p)
		_, page := s.get(t, p, "8080", "")
		shown += strings.Count(page, "\nkube_ingress_info{")
	}
	if shown != ballast {
		t.Errorf("%d of %d ingresses are on the pages", shown, ballast)
	}
	time.Sleep(quiet)
	after := 0
	for _, p := range s.waitReady(t, many) {
		after += restarts(p)
	}
	if after != before {
		t.Errorf("%d containers were killed although the fleet was complete", after-before)
	}
}

// shrinkBack leaves the fleet as it was before.
func shrinkBack(t *testing.T, s *site, _ audit.Report) {
	ingresses := s.Client().NetworkingV1().Ingresses(ballastNamespace)
	eachBallast(t, func(name string) error { return ingresses.Delete(t.Context(), name, metav1.DeleteOptions{}) })
	if err := s.Client().CoreV1().Namespaces().Delete(t.Context(), ballastNamespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.patchSet(t, fmt.Sprintf(`{"spec": {"replicas": %d}}`, few))
	s.waitReady(t, few)
	s.setMemoryLimit(t, usualLimit)
	s.waitRollout(t)
}

// setMemoryLimit changes the memory that the containers of the fleet may use.
func (s *site) setMemoryLimit(t *testing.T, limit string) {
	t.Helper()
	s.patchSet(t, fmt.Sprintf(`{"spec": {"template": {"spec": {"containers": [{"name": "statefleet", "resources":
		{"requests": {"memory": %[1]q}, "limits": {"memory": %[1]q}}}]}}}}`, limit))
}

// putBallast creates ingresses, which no controller of this cluster looks at, with paths that hardly compress.
func (s *site) putBallast(t *testing.T) {
	t.Helper()
	client := s.Client()
	_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ballastNamespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eachBallast(t, func(name string) error {
		_, err := client.NetworkingV1().Ingresses(ballastNamespace).Create(t.Context(), heavy(name), metav1.CreateOptions{})
		return err
	})
}

// eachBallast calls do for the name of each ingress, some at a time: the namespace controller alone deletes them one by
// one, in minutes.
func eachBallast(t *testing.T, do func(name string) error) {
	t.Helper()
	names := make(chan string)
	var working sync.WaitGroup
	var failed atomic.Bool
	for range 8 {
		working.Go(func() {
			for name := range names {
				if err := do(name); err != nil {
					t.Error(err)
					failed.Store(true)
				}
			}
		})
	}
	for i := range ballast {
		if failed.Load() {
			break
		}
		names <- fmt.Sprintf("heavy-%d", i)
	}
	close(names)
	if working.Wait(); failed.Load() {
		t.FailNow()
	}
}

// heavy is an ingress with one long random path.
func heavy(name string) *networkingv1.Ingress {
	random := make([]byte, ballastBytes)
	_, _ = rand.Read(random) // never fails
	kind := networkingv1.PathTypePrefix
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: "shop.example", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{
					Path: "/" + base64.RawURLEncoding.EncodeToString(random), PathType: &kind,
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: "shop", Port: networkingv1.ServiceBackendPort{Number: 80},
					}},
				}},
			}},
		}}},
	}
}

// kills is how often the kernel has killed the container of a pod for its memory: 0 unless the last end was such a one.
func kills(p corev1.Pod) int {
	if len(p.Status.ContainerStatuses) != 1 {
		return 0
	}
	c := p.Status.ContainerStatuses[0]
	if last := c.State.Terminated; last != nil && last.Reason == "OOMKilled" {
		return int(c.RestartCount) + 1
	}
	if last := c.LastTerminationState.Terminated; last != nil && last.Reason == "OOMKilled" {
		return int(c.RestartCount)
	}
	return 0
}

func restarts(p corev1.Pod) (n int) {
	for _, c := range p.Status.ContainerStatuses {
		n += int(c.RestartCount)
	}
	return n
}

// ready is how many pods of the fleet are ready.
func (s *site) ready(t *testing.T) (n int) {
	t.Helper()
	for _, p := range s.pods(t) {
		if podReady(p) {
			n++
		}
	}
	return n
}
