//go:build linux

package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/test/audit"
)

// scenario is something that happens to a fleet of three, without standby, while pods and jobs come and go.
type scenario struct {
	name string
	act  func(t *testing.T, s *site)
}

// restart is how long a container may take to end, to be started again and to become ready, with room for a busy machine.
const restart = 30 * time.Second

func scenarios() []scenario {
	return []scenario{
		{name: "rollout", act: rollout},
		{name: "pod-deleted", act: deletePod},
		{name: "process-killed", act: killProcess},
	}
}

// TestScenariosOnRealNodes restarts replicas on real nodes: every pod and job is on exactly one page, but for the objects of the
// replica that restarts, for as long as that takes.
func TestScenariosOnRealNodes(t *testing.T) {
	s := newSite(t, 2)
	s.startLoad(t)
	s.install(t, "manifests/base")
	s.waitReady(t, 3)
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) { s.play(t, sc) })
	}
}

// play audits a scenario.
func (s *site) play(t *testing.T, sc scenario) {
	cluster := audit.Follow(t, s.Config())
	a := audit.Start(t, audit.Options{
		Cluster: cluster, Pages: s.pages, Late: 5 * time.Second, Dial: s.machines[0].dial, Allow: audit.Allowance{Doubled: time.Second},
	})
	sc.act(t, s)
	s.waitReady(t, 3)
	time.Sleep(2 * time.Second)
	r := a.Stop()
	t.Logf("%s\n%s", r.Line(sc.name), r.Details())
	switch {
	case r.WorstMissing > restart:
		t.Errorf("an object was missing for %s, want at most %s", r.WorstMissing, restart)
	case len(r.Doubled) > 0 || len(r.Ghosts) > 0:
		t.Errorf("%d doubled, %d ghosts", len(r.Doubled), len(r.Ghosts))
	case r.Objects == 0 || r.WorstMissing == 0:
		t.Errorf("%d objects seen, and the longest gap is %s: this proves nothing", r.Objects, r.WorstMissing)
	}
}

// pages are the pages of the pods of the fleet that have an address.
func (s *site) pages() (all []audit.Page) {
	list, err := s.Client().CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return nil
	}
	for _, p := range list.Items {
		if p.Status.PodIP != "" && p.Status.Phase == corev1.PodRunning {
			all = append(all, audit.Page{Name: p.Name, URL: "http://" + p.Status.PodIP + ":8080"})
		}
	}
	return all
}

// startLoad makes pods that stay, and a job every three seconds whose pod runs and ends, until the end of the test.
func (s *site) startLoad(t *testing.T) {
	t.Helper()
	labels := map[string]string{"app": "load"}
	replicas, grace := int32(10), int64(0)
	client := s.Client()
	_, err := client.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "load"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: &grace,
				Containers:                    []corev1.Container{{Name: "pause", Image: pauseImage, ImagePullPolicy: corev1.PullNever}},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	t.Cleanup(func() { cancel(); working.Wait() })
	working.Go(func() {
		tick := time.NewTicker(3 * time.Second)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _ = client.BatchV1().Jobs("default").Create(ctx, s.job(n), metav1.CreateOptions{}) // the next one may succeed
			}
		}
	})
}

// job is a job whose pod prints the version of the program.
func (s *site) job(n int) *batchv1.Job {
	ttl := int32(5)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("job-%d", n)},
		Spec: batchv1.JobSpec{
			TTLSecondsAfterFinished: &ttl,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers: []corev1.Container{{
					Name: "version", Image: s.image, Args: []string{"--version"}, ImagePullPolicy: corev1.PullNever,
				}},
			}},
		},
	}
}

// patchTemplate changes the pods of the fleet.
func (s *site) patchTemplate(t *testing.T, patch string) {
	t.Helper()
	patch = `{"spec": {"template": ` + patch + `}}`
	_, err := s.Client().AppsV1().StatefulSets(namespace).Patch(t.Context(), "statefleet", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// waitRollout waits until all pods have the latest template.
func (s *site) waitRollout(t *testing.T) {
	t.Helper()
	err := waitFor(5*time.Minute, func() bool {
		set, err := s.Client().AppsV1().StatefulSets(namespace).Get(t.Context(), "statefleet", metav1.GetOptions{})
		return err == nil && set.Status.ObservedGeneration == set.Generation && set.Status.UpdatedReplicas == *set.Spec.Replicas &&
			set.Status.ReadyReplicas == *set.Spec.Replicas && set.Status.CurrentRevision == set.Status.UpdateRevision
	})
	if err != nil {
		t.Fatalf("rollout: %v", err)
	}
}

func rollout(t *testing.T, s *site) {
	s.patchTemplate(t, fmt.Sprintf(`{"metadata": {"annotations": {"restarted": %q}}}`, time.Now().Format(time.RFC3339Nano)))
	s.waitRollout(t)
}

func deletePod(t *testing.T, s *site) {
	before := s.pods(t)
	if err := s.Client().CoreV1().Pods(namespace).Delete(t.Context(), "statefleet-1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := waitFor(time.Minute, func() bool {
		return slices.ContainsFunc(s.pods(t), func(p corev1.Pod) bool {
			return p.Name == "statefleet-1" && !slices.ContainsFunc(before, func(b corev1.Pod) bool { return b.UID == p.UID })
		})
	})
	if err != nil {
		t.Fatalf("another pod: %v", err)
	}
}

// killProcess kills the process of a replica as the kernel does when memory runs out.
func killProcess(t *testing.T, s *site) {
	for _, m := range s.machines {
		pids, err := m.run(t.Context(), "pgrep", "-f", "^/statefleet .*--pod=statefleet-1 ")
		if err != nil {
			continue // it runs on another node
		}
		if _, err := m.run(t.Context(), "kill", "-9", strings.Fields(pids)[0]); err != nil {
			t.Fatal(err)
		}
		err = waitFor(time.Minute, func() bool {
			p, err := s.Client().CoreV1().Pods(namespace).Get(t.Context(), "statefleet-1", metav1.GetOptions{})
			return err == nil && len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].RestartCount > 0
		})
		if err != nil {
			t.Fatalf("restart of the container: %v", err)
		}
		return
	}
	t.Fatal("no node runs statefleet-1")
}
