package kubelet

import (
	"maps"
	"slices"
	"strings"

	"github.com/statefleet/statefleet/test/fleet"
)

// Replica is a process of a pod.
type Replica struct {
	Pod string
	*fleet.Replica
}

// Running returns the latest process of each pod, sorted by the pod's name. It omits pods that no longer exist in the
// API server, because clients do not find them.
func (k *Kubelet) Running() []Replica {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []Replica
	for _, p := range k.pods {
		if processes := p.started(); len(processes) > 0 && !p.orphan.Load() {
			all = append(all, Replica{Pod: p.spec.Name, Replica: processes[len(processes)-1]})
		}
	}
	slices.SortFunc(all, func(a, b Replica) int { return strings.Compare(a.Pod, b.Pod) })
	return all
}

// Replica returns the latest process of the pod with a name, or nil if there is none.
func (k *Kubelet) Replica(pod string) *fleet.Replica {
	for _, replica := range k.Running() {
		if replica.Pod == pod {
			return replica.Replica
		}
	}
	return nil
}

// Kills returns how many processes were killed because they held more objects than Limit allows.
func (k *Kubelet) Kills() int { return int(k.kills.Load()) }

// Processes returns every process that was ever started.
func (k *Kubelet) Processes() (all []*fleet.Replica) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range slices.Concat(k.ended, slices.Collect(maps.Values(k.pods))) {
		all = append(all, p.started()...)
	}
	return all
}

// Restarts returns how many times the process of the pod with a name was restarted since that pod was created.
func (k *Kubelet) Restarts(pod string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pods {
		if p.spec.Name == pod {
			return max(0, len(p.started())-1)
		}
	}
	return 0
}

// report shows the logs of all processes if the test has failed.
func (k *Kubelet) report() {
	for _, p := range k.ended {
		for _, replica := range p.started() {
			replica.End(k.t, p.spec.Name+" at "+p.ip)
		}
	}
}
