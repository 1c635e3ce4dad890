//go:build linux

package node

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/audit"
)

// scenario is something that happens to a fleet of three while pods and jobs come and go.
type scenario struct {
	name string
	// before, if there is one, is what has to be done first, without an audit.
	before func(t *testing.T, s *site)
	act    func(t *testing.T, s *site)
	// after, if there is one, looks at the report and leaves the fleet as it was.
	after func(t *testing.T, s *site, r audit.Report)
	// missing is how long an object may be missing. Where a replica restarts, some have to be: otherwise nothing was
	// tried.
	missing time.Duration
}

const (
	// restart is how long a container may take to end, to be started again and to become ready, with room for a busy
	// machine.
	restart = 30 * time.Second
	// unnoticed is how long the others may take to learn that a process is gone which a standby then serves for.
	unnoticed = 10 * time.Second
	// reconnect is how long replicas may take to show new objects once the API server is back: they try every 10 to
	// 15 s.
	reconnect = 20 * time.Second
)

func scenarios() []scenario {
	return []scenario{
		{name: "rollout", act: rollout, missing: restart},
		{name: "pod-deleted", act: deletePod, missing: restart},
		{name: "process-killed", act: killProcess, missing: restart},
		{name: "scale-3-5-2-3", act: scaleUpAndDown},
		{name: "drain", act: drain, missing: restart},
		{name: "image-absent", act: rolloutToNothing, missing: brokenFor + restart},
		{name: "kubelet-killed", act: killService("kubelet")},
		{name: "containerd-killed", act: killService("containerd")},
		{name: "api-server-killed", act: killService("apiserver"), missing: reconnect},
		upgradeAndBack("upgrade-and-back", restart),
		outOfMemory(),
		nodePartitioned("node-partitioned", false),
	}
}

// standbyScenarios are those where another replica serves what would be missing.
func standbyScenarios() []scenario {
	return []scenario{
		{name: "standby-rollout", act: rollout},
		{name: "standby-pod-deleted", act: deletePod},
		{name: "standby-process-killed", act: killProcess, missing: unnoticed},
		{name: "standby-drain", act: drain},
		{name: "standby-image-absent", act: rolloutToNothing},
		upgradeAndBack("standby-upgrade-and-back", 0),
		nodePartitioned("standby-node-partitioned", true),
	}
}

// TestScenariosOnRealNodes: on real nodes, every pod and job is on exactly one page whatever happens, but for the
// objects of a replica that restarts, for as long as that takes.
func TestScenariosOnRealNodes(t *testing.T) {
	s := newSite(t, 2)
	s.startLoad(t)
	for _, fleet := range []struct {
		folder    string
		scenarios []scenario
	}{{"manifests/base", scenarios()}, {"manifests/overlays/standby", standbyScenarios()}} {
		t.Run(filepath.Base(fleet.folder), func(t *testing.T) {
			s.install(t, fleet.folder)
			s.waitReady(t, 3)
			for _, sc := range fleet.scenarios {
				t.Run(sc.name, func(t *testing.T) { s.play(t, sc) })
			}
		})
	}
}

// play audits a scenario.
func (s *site) play(t *testing.T, sc scenario) {
	if sc.before != nil {
		sc.before(t, s)
	}
	o := s.auditOptions(audit.Follow(t, s.Config()))
	a := audit.Start(t, o)
	began := time.Now()
	sc.act(t, s)
	s.waitReady(t, s.replicas(t))
	took := time.Since(began)
	time.Sleep(2 * time.Second)
	r := a.Stop()
	if err := audit.Complete(t.Context(), o); err != nil {
		t.Errorf("at the end: %v", err)
	}
	t.Logf("%s took_s=%.0f\n%s", r.Line(sc.name), took.Seconds(), r.Details())
	switch {
	case r.WorstMissing > sc.missing:
		t.Errorf("an object was missing for %s, want at most %s", r.WorstMissing, sc.missing)
	case len(r.Doubled) > 0 || len(r.Ghosts) > 0:
		t.Errorf("%d doubled, %d ghosts", len(r.Doubled), len(r.Ghosts))
	case r.Objects == 0 || r.WorstMissing == 0 && sc.missing >= restart:
		t.Errorf("%d objects seen, and the longest gap is %s: this proves nothing", r.Objects, r.WorstMissing)
	}
	if sc.after != nil {
		sc.after(t, s, r)
	}
}

// auditOptions are those of an audit of the fleet.
func (s *site) auditOptions(cluster *audit.Cluster) audit.Options {
	return audit.Options{
		Cluster: cluster, Pages: s.pages(), Late: 5 * time.Second, Dial: s.machines[0].dial, Allow: audit.Allowance{Doubled: time.Second},
	}
}

// pages returns a function that returns the pages of the pods of the fleet that have an address; while the API server is
// away, those that had one before. It is for one goroutine.
func (s *site) pages() func() []audit.Page {
	var known []audit.Page
	return func() []audit.Page {
		list, err := s.Client().CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
		if err != nil {
			return known
		}
		known = nil
		for _, p := range list.Items {
			if p.Status.PodIP != "" && p.Status.Phase == corev1.PodRunning {
				known = append(known, audit.Page{Name: p.Name, URL: "http://" + p.Status.PodIP + ":8080"})
			}
		}
		return known
	}
}

// startLoad has pods and jobs in the cluster until the end of the test.
func (s *site) startLoad(t *testing.T) {
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
