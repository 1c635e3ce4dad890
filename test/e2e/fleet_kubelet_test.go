package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/fleet"
)

// kubelet runs a process for each pod of the fleet that the StatefulSet's controller makes, says in the pod's status whether
// it is ready, and stops it with SIGTERM when the pod is deleted.
type kubelet struct {
	w       *world
	t       *testing.T
	working sync.WaitGroup

	mu       sync.Mutex
	replicas map[string]*fleet.Replica // by UID of the pod
	names    map[string]string         // of the pods, by UID
	stopping map[string]bool
}

// runKubelet runs until the test ends.
func (w *world) runKubelet(t *testing.T) *kubelet {
	k := &kubelet{w: w, t: t, replicas: map[string]*fleet.Replica{}, names: map[string]string{}, stopping: map[string]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	k.working.Go(func() {
		for ctx.Err() == nil {
			k.sync(ctx)
			time.Sleep(fleet.Tick)
		}
	})
	t.Cleanup(func() {
		cancel()
		k.working.Wait()
	})
	return k
}

func (k *kubelet) sync(ctx context.Context) {
	pods, err := k.w.cluster.Client().CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=statefleet"})
	if err != nil {
		return // the next time, or never if the test is over
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		uid := string(pod.UID)
		k.mu.Lock()
		replica, stopping := k.replicas[uid], k.stopping[uid]
		k.mu.Unlock()
		switch {
		case pod.DeletionTimestamp != nil && stopping:
		case pod.DeletionTimestamp != nil:
			k.stop(ctx, pod, replica)
		case replica == nil:
			k.start(ctx, pod)
		case !replica.Running(): // it crashed
			k.restart(pod)
		default:
			k.tell(ctx, pod, isReady(ctx, replica))
		}
	}
}

func (k *kubelet) start(ctx context.Context, pod *corev1.Pod) {
	bound := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "node-1"}}
	if err := k.w.cluster.Client().CoreV1().Pods(namespace).Bind(ctx, bound, metav1.CreateOptions{}); err != nil {
		return
	}
	k.restart(pod)
}

// restart starts the pod's process, anew if it ran before.
func (k *kubelet) restart(pod *corev1.Pod) {
	replica := k.w.one(k.t, "--pod="+pod.Name, "--pod-namespace="+namespace)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.replicas[string(pod.UID)] = replica
	k.names[string(pod.UID)] = pod.Name
}

// stop sends SIGTERM, and deletes the pod for good when the process has ended.
func (k *kubelet) stop(ctx context.Context, pod *corev1.Pod, replica *fleet.Replica) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopping[string(pod.UID)] = true
	k.working.Go(func() {
		if replica != nil {
			if err := replica.Stop(time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second); err != nil && ctx.Err() == nil {
				k.t.Errorf("%s: %v", pod.Name, err)
			}
		}
		k.mu.Lock()
		delete(k.replicas, string(pod.UID))
		k.mu.Unlock()
		now := int64(0)
		options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID}}
		if err := k.w.cluster.Client().CoreV1().Pods(namespace).Delete(ctx, pod.Name, options); err != nil && ctx.Err() == nil {
			k.t.Errorf("%s: %v", pod.Name, err)
		}
	})
}

// tell writes the pod's status if it is not so already.
func (k *kubelet) tell(ctx context.Context, pod *corev1.Pod, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == status {
			return
		}
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.Now()}}
	_, _ = k.w.cluster.Client().CoreV1().Pods(namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}) // or the next time
}

// replica is the one in the pod of an ordinal.
func (k *kubelet) replica(ordinal int) *fleet.Replica {
	k.mu.Lock()
	defer k.mu.Unlock()
	for uid, r := range k.replicas {
		if k.names[uid] == fmt.Sprintf("%s-%d", setName, ordinal) {
			return r
		}
	}
	return nil
}

// running are the replicas whose process may answer.
func (k *kubelet) running() []*fleet.Replica {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []*fleet.Replica
	for _, r := range k.replicas {
		all = append(all, r)
	}
	return all
}

func isReady(ctx context.Context, r *fleet.Replica) bool {
	answer, err := r.Get(ctx, r.URL+"/readyz")
	return err == nil && answer.Status == http.StatusOK
}
