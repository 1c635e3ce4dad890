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
	"k8s.io/client-go/kubernetes"

	"github.com/statefleet/statefleet/shard"
)

// podTimeout bounds one attempt to read the pod, so that a connection that hangs is tried again.
const podTimeout = 15 * time.Second

// Discovery follows the StatefulSet that owns this process's pod and derives from it what is [desiredState]: the
// ordinal from the pod's name (less spec.ordinals.start), the total from spec.replicas.
//
// RBAC, all in the pod's own namespace: list and watch on the one StatefulSet (apps, statefulsets; a rule
// with its resourceNames suffices, as it is asked for by name), and get on the one pod. Without the right to
// get the pod, the StatefulSet's name is taken from the pod's.
//
// The fields must not change once Run was called; one Run at a time.
type Discovery struct {
	// Client reads the pod and the StatefulSet. Required.
	Client kubernetes.Interface

	// Namespace of the pod and of its StatefulSet (--pod-namespace). Required.
	Namespace string

	// Pod is the pod's name, ending in its ordinal (--pod). Required.
	Pod string

	// Logger receives what is found and what fails, once per change. Default: no log.
	Logger *slog.Logger

	// Standby has the replicas stand by for one another (--shard.standby). It needs a [Coordinator].
	Standby bool

	// Backoff spaces the attempts while the API server cannot be used. Default, when Duration is 0: from
	// 0.5 s doubling to 30 s, with jitter. Tests shorten it.
	Backoff wait.Backoff
}

// Run finds the StatefulSet and follows it by name until ctx ends, then returns nil; labels play no part.
//
// changed gets what is desired first and whenever it differs from before, always on Run's own goroutine. While
// changed runs, the StatefulSet is not followed further, so long work belongs elsewhere. An ordinal outside 0
// to Total-1 is delivered too: such a replica owns nothing by the table, and is about to be removed.
//
// What was desired last stays valid while the API server is away, when the StatefulSet is deleted, has
// replicas 0 or more than [MaxTotal]: each is logged and waited out. An error is returned only for what
// waiting cannot mend: a missing field, a pod name without an ordinal, a pod that is controlled by
// something other than a StatefulSet.
func (d *Discovery) Run(ctx context.Context, changed func(desiredState)) error {
	stem, err := d.identity()
	if err != nil {
		return err
	}
	name, _, err := d.findStatefulSet(ctx, stem, d.log())
	if err != nil || name == "" {
		return err
	}
	d.newStatefulSetWatcher(name, changed).run(ctx, d.Client.AppsV1().StatefulSets(d.Namespace), d.backoff())
	return nil
}

func (d *Discovery) log() *slog.Logger {
	if d.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Logger.With("namespace", d.Namespace, "pod", d.Pod)
}

// newStatefulSetWatcher makes what follows the named StatefulSet.
func (d *Discovery) newStatefulSetWatcher(name string, changed func(desiredState)) *statefulSetWatcher {
	_, ordinal, _ := shard.Ordinal(d.Pod) // identity has checked it
	log := d.log().With("statefulset", name)
	return &statefulSetWatcher{
		name:    name,
		ordinal: ordinal,
		changed: changed,
		log:     log,
		lists:   errorLogger{log: log, action: "list the StatefulSet"},
		watches: errorLogger{log: log, action: "watch the StatefulSet"},
	}
}

// identity checks who this replica is and returns the stem of its pod's name.
func (d *Discovery) identity() (stem string, err error) {
	switch {
	case d.Client == nil:
		return "", errors.New("discovery of shards needs a client of the API server")
	case d.Namespace == "":
		return "", errors.New("--pod-namespace must name the namespace of the pod")
	}
	if stem, _, err = shard.Ordinal(d.Pod); err != nil {
		return "", fmt.Errorf("--pod: %w", err)
	}
	return stem, nil
}

// findStatefulSet asks the pod for its controller, again and again while the API server is away; "" when ctx
// ends before there was an answer. It returns the pod as well, nil when it cannot be read.
func (d *Discovery) findStatefulSet(ctx context.Context, stem string, log *slog.Logger) (name string, self *corev1.Pod, err error) {
	api := errorLogger{log: log, action: "read the pod"}
	err = d.backoff().DelayFunc().Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		attempt, cancel := context.WithTimeout(ctx, podTimeout)
		defer cancel()
		pod, err := d.Client.CoreV1().Pods(d.Namespace).Get(attempt, d.Pod, metav1.GetOptions{})
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
			log.Info("pod cannot be read, its name tells the StatefulSet", "statefulset", stem, "err", err)
			name = stem
			return true, nil
		}
		api.observe(ctx, err)
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

// oomKillWindow is how long ago a container can have been killed for its next start to be the one that follows: a kubelet
// waits for five minutes at most.
const oomKillWindow = 15 * time.Minute

// killed reports whether a container of the pod was killed lately as the kernel kills one that takes more memory than it
// may. Its status names the reason when the main process was killed, and only the signal when a child was.
func recentlyOOMKilled(pod *corev1.Pod, now time.Time) bool {
	const sigkill = 128 + 9
	for _, c := range pod.Status.ContainerStatuses {
		for _, state := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
			if state != nil && (state.Reason == "OOMKilled" || state.ExitCode == sigkill) && now.Sub(state.FinishedAt.Time) < oomKillWindow {
				return true
			}
		}
	}
	return false
}

// controller returns the name of the StatefulSet that controls the pod. A pod without any controller, such
// as one left behind by a StatefulSet that is being made anew, is taken for one of the set named by the stem.
func controller(pod *corev1.Pod, stem string) (string, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return stem, nil
	}
	group, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil || group.Group != appsv1.GroupName || owner.Kind != "StatefulSet" {
		return "", fmt.Errorf("--pod: pod %s/%s is controlled by %s %s (%s), not by a StatefulSet: its ordinal means nothing; "+
			"use --shard and --total-shards", pod.Namespace, pod.Name, owner.Kind, owner.Name, owner.APIVersion)
	}
	return owner.Name, nil
}

func (d *Discovery) backoff() wait.Backoff {
	if d.Backoff.Duration > 0 {
		return d.Backoff
	}
	return wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 8, Cap: 30 * time.Second}
}
