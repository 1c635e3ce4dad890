//go:build linux

package node

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/audit"
)

// scenario disturbs a fleet of three while pods and jobs come and go.
type scenario struct {
	name string
	// prepare runs before the audit. It may be nil.
	prepare func(t *testing.T, s *setup)
	act     func(t *testing.T, s *setup)
	// finish checks the report and restores the fleet. It may be nil.
	finish func(t *testing.T, s *setup, r audit.Report)
	// maxMissing is the longest time that an object may be missing. If it allows for the restart of a replica, at least
	// one object must be missing, because otherwise the scenario tests nothing.
	maxMissing time.Duration
	// maxGhost is the longest time that an object may be exposed after its deletion, beyond audit.Options.Late.
	maxGhost time.Duration
}

const (
	// restartTime is the longest time in which a container ends, is started again and becomes ready, on a busy host.
	restartTime = 30 * time.Second
	// takeoverTime is the longest time until a standby notices that a process is gone, and serves for it.
	takeoverTime = 10 * time.Second
	// reconnectTime is the longest time until replicas expose new objects, and remove deleted ones, once the API server
	// is back. They try to reach it every 10 to 15 s.
	reconnectTime = 20 * time.Second
)

func scenarios() []scenario {
	return []scenario{
		{name: "rollout", act: rollout, maxMissing: restartTime},
		{name: "pod-deleted", act: deletePod, maxMissing: restartTime},
		{name: "process-killed", act: killProcess, maxMissing: restartTime},
		{name: "scale-3-5-2-3", act: scaleUpAndDown},
		{name: "drain", act: drain, maxMissing: restartTime},
		{name: "image-absent", act: rollOutMissingImage, maxMissing: brokenFor + restartTime},
		{name: "kubelet-killed", act: killService("kubelet")},
		{name: "containerd-killed", act: killService("containerd")},
		{name: "api-server-killed", act: killService("apiserver"), maxMissing: reconnectTime, maxGhost: reconnectTime},
		upgradeAndBack("upgrade-and-back", restartTime),
		outOfMemory(),
		nodePartitioned("node-partitioned", false),
	}
}

// standbyScenarios returns the scenarios for a fleet with standby.
func standbyScenarios() []scenario {
	return []scenario{
		{name: "standby-rollout", act: rollout},
		{name: "standby-pod-deleted", act: deletePod},
		{name: "standby-process-killed", act: killProcess, maxMissing: takeoverTime},
		{name: "standby-drain", act: drain},
		{name: "standby-image-absent", act: rollOutMissingImage},
		upgradeAndBack("standby-upgrade-and-back", 0),
		nodePartitioned("standby-node-partitioned", true),
	}
}

// TestScenariosOnRealNodes checks that on real nodes every pod and job is in exactly one exposition during each
// scenario. Objects may be missing for the time that the scenario allows.
func TestScenariosOnRealNodes(t *testing.T) {
	s := newSetup(t, 2)
	s.startLoad(t)
	for _, fleet := range []struct {
		folder    string
		scenarios []scenario
	}{{"manifests/base", scenarios()}, {"manifests/overlays/standby", standbyScenarios()}} {
		t.Run(filepath.Base(fleet.folder), func(t *testing.T) {
			s.install(t, fleet.folder)
			s.waitReady(t, 3)
			for _, sc := range fleet.scenarios {
				t.Run(sc.name, func(t *testing.T) { s.runScenario(t, sc) })
			}
		})
	}
}

// runScenario runs a scenario and audits the fleet meanwhile.
func (s *setup) runScenario(t *testing.T, sc scenario) {
	if sc.prepare != nil {
		sc.prepare(t, s)
	}
	o := s.auditOptions(audit.Follow(t, s.Config()))
	a := audit.Start(t, o)
	began := time.Now()
	sc.act(t, s)
	s.waitReady(t, s.wantReplicas(t))
	took := time.Since(began)
	time.Sleep(2 * time.Second)
	r := a.Stop()
	if err := audit.Complete(t.Context(), o); err != nil {
		t.Errorf("after the scenario: %v", err)
	}
	t.Logf("%s took_s=%.0f\n%s", r.Line(sc.name), took.Seconds(), r.Details())
	switch {
	case r.WorstMissing > sc.maxMissing:
		t.Errorf("an object was missing for %s, want at most %s", r.WorstMissing, sc.maxMissing)
	case len(r.Doubled) > 0:
		t.Errorf("got %d objects in two expositions, want none", len(r.Doubled))
	case slices.ContainsFunc(r.Ghosts, func(f audit.Fault) bool { return f.Certain() > sc.maxGhost }):
		t.Errorf("got %d objects exposed after their deletion, want none for more than %s", len(r.Ghosts), sc.maxGhost)
	case r.Objects == 0 || r.WorstMissing == 0 && sc.maxMissing >= restartTime:
		t.Errorf("got %d objects, missing for at most %s; want more than 0, and a gap if a replica restarts",
			r.Objects, r.WorstMissing)
	}
	if sc.finish != nil {
		sc.finish(t, s, r)
	}
}

// auditOptions returns the options of an audit of the fleet.
func (s *setup) auditOptions(cluster *audit.Cluster) audit.Options {
	return audit.Options{
		Cluster: cluster, Targets: s.targets(), Late: 5 * time.Second, Dial: s.machines[0].dial, Allow: audit.Allowance{Doubled: time.Second},
	}
}

// targets returns a function that lists the expositions of the fleet's running pods. While the API server is not
// reachable, the function returns the last list. It must not be called concurrently.
func (s *setup) targets() func() []audit.Target {
	var known []audit.Target
	return func() []audit.Target {
		list, err := s.client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
		if err != nil {
			return known
		}
		known = nil
		for _, p := range list.Items {
			if p.Status.PodIP != "" && p.Status.Phase == corev1.PodRunning {
				known = append(known, audit.Target{Name: p.Name, URL: "http://" + p.Status.PodIP + ":8080"})
			}
		}
		return known
	}
}

// startLoad runs Load until the end of the test.
func (s *setup) startLoad(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	t.Cleanup(func() { cancel(); working.Wait() })
	working.Go(func() {
		if err := s.Load(ctx, s.image); err != nil {
			t.Error(err)
		}
	})
}
