package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/internal/watch/objects"
	"github.com/statefleet/statefleet/shard"
)

// podTimeout limits one attempt to read the pod, so that a hanging connection is retried.
const podTimeout = 15 * time.Second

func (c *Coordinator) log() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger.With("namespace", c.Namespace, "pod", c.Pod)
}

// identity validates the fields and returns the pod's name without its ordinal.
func (c *Coordinator) identity() (stem string, err error) {
	switch {
	case c.Client == nil:
		return "", errors.New("shard discovery needs a Kubernetes client")
	case c.Namespace == "":
		return "", errors.New("--pod-namespace must not be empty")
	}
	if stem, _, err = shard.Ordinal(c.Pod); err != nil {
		return "", fmt.Errorf("--pod: %w", err)
	}
	return stem, nil
}

// findStatefulSet reads the pod until the API server answers, and returns the name of its
// controller; "" if ctx ended first. It also returns the pod, or nil if this process may not read
// it.
func (c *Coordinator) findStatefulSet(ctx context.Context, stem string) (name string, self *corev1.Pod, err error) {
	log := c.log()
	api := objects.ErrorLogger{Log: log, Action: "read the pod"}
	err = c.backoff().DelayFunc().Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		attempt, cancel := context.WithTimeout(ctx, podTimeout)
		defer cancel()
		pod, err := c.Client.Pods.Get(attempt, c.Pod)
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
			log.Info("cannot read the pod; taking the name of the StatefulSet from the pod's name",
				"statefulset", stem, "err", err)
			name = stem
			return true, nil
		}
		api.Observe(ctx, err)
		if err != nil {
			return false, nil
		}
		self = pod
		name, err = controller(pod, stem)
		return true, err
	})
	if wait.Interrupted(err) {
		return "", nil, nil
	}
	return name, self, err
}

// oomKillWindow is how long ago a container can have been killed before the start that follows. A
// kubelet waits five minutes at most before it restarts a container.
const oomKillWindow = 15 * time.Minute

// recentlyOOMKilled reports whether a container of the pod was recently killed for lack of memory. Its
// status has the reason OOMKilled if the main process was killed, and only the signal if a child was.
func recentlyOOMKilled(pod *corev1.Pod, now time.Time) bool {
	const sigkill = 128 + 9
	for _, c := range pod.Status.ContainerStatuses {
		for _, state := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
			if state != nil && (state.Reason == "OOMKilled" || state.ExitCode == sigkill) &&
				now.Sub(state.FinishedAt.Time) < oomKillWindow {
				return true
			}
		}
	}
	return false
}

// controller returns the name of the StatefulSet that controls the pod. A pod without a controller,
// such as one whose StatefulSet is being recreated, is assumed to belong to the StatefulSet that
// its name implies.
func controller(pod *corev1.Pod, stem string) (string, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return stem, nil
	}
	group, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil || group.Group != appsv1.GroupName || owner.Kind != "StatefulSet" {
		return "", fmt.Errorf("--pod: pod %s/%s must be controlled by a StatefulSet for its ordinal to name a shard, "+
			"but its controller is %s %s (%s); "+
			"use --shard and --total-shards", pod.Namespace, pod.Name, owner.Kind, owner.Name, owner.APIVersion)
	}
	return owner.Name, nil
}

func (c *Coordinator) backoff() wait.Backoff {
	if c.Backoff.Duration > 0 {
		return c.Backoff
	}
	return wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 8, Cap: 30 * time.Second}
}
