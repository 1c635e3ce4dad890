package statesets

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// lastMinute is the number of minutes for which the cluster exists.
const lastMinute = 90

// always is the period of objects that do not change.
const always = "0-90"

const namespace = "shop"

// The statuses of conditions.
const (
	yes     = corev1.ConditionTrue
	no      = corev1.ConditionFalse
	unknown = corev1.ConditionUnknown
)

// cluster is a list of object states. Each one holds for some minutes.
type cluster struct {
	t      *testing.T
	states []state
}

type state struct {
	periods [][2]int // half-open intervals of minutes
	raw     []byte   // JSON
}

// add adds an object in the state that it has in some half-open intervals of minutes, such as "0-10 60-90".
func (c *cluster) add(minutes string, o metav1.Object) {
	c.t.Helper()
	o.SetUID(types.UID(o.GetName()))
	var s state
	for _, text := range strings.Fields(minutes) {
		var p [2]int
		if _, err := fmt.Sscanf(text, "%d-%d", &p[0], &p[1]); err != nil || p[0] >= p[1] {
			c.t.Fatalf("minutes must be an interval such as 0-10, got %q: %v", text, err)
		}
		s.periods = append(s.periods, p)
	}
	var err error
	if s.raw, err = json.Marshal(o); err != nil {
		c.t.Fatal(err)
	}
	c.states = append(c.states, s)
}

// at returns the objects that exist in a minute, as JSON documents.
func (c *cluster) at(minute int) string {
	var documents []string
	for _, s := range c.states {
		for _, p := range s.periods {
			if p[0] <= minute && minute < p[1] {
				documents = append(documents, string(s.raw))
			}
		}
	}
	return strings.Join(documents, "\n---\n")
}

// newCluster returns a cluster with healthy and unhealthy objects of the kinds that have state sets.
func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t}
	c.addNodes()
	c.addPods()
	c.addWorkloads()
	c.addPhases()
	return c
}

func (c *cluster) addNodes() {
	node := func(name, minutes string, ready, pressure corev1.ConditionStatus, change ...func(*corev1.Node)) {
		n := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}}
		n.Name = name
		n.Status.Conditions = []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: ready}, {Type: corev1.NodeDiskPressure, Status: pressure},
		}
		for _, f := range change {
			f(n)
		}
		c.add(minutes, n)
	}
	node("steady", always, yes, no)
	node("lost", "0-20 55-90", yes, no)
	node("lost", "20-55", unknown, unknown)
	node("full", "0-15 45-90", yes, no)
	node("full", "15-45", yes, yes)
	node("cordoned", always, no, yes, func(n *corev1.Node) { n.Spec.Unschedulable = true })
	node("late", "30-90", yes, no)
	node("removed", "0-40", no, no)
	var ready, broken strings.Builder
	for minute := 10; minute < 60; minute += 4 {
		fmt.Fprintf(&ready, " %d-%d", minute, minute+2)
		fmt.Fprintf(&broken, " %d-%d", minute+2, minute+4)
	}
	node("flapping", "0-10 62-90"+ready.String(), yes, no)
	node("flapping", broken.String(), no, no)
}

func (c *cluster) addWorkloads() {
	set := &appsv1.ReplicaSet{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"}}
	set.Name, set.Namespace = "web-1", namespace
	set.OwnerReferences = []metav1.OwnerReference{{Kind: "Deployment", Name: "web", Controller: new(true)}}
	c.add(always, set)

	deployment := func(name, minutes string, progressing corev1.ConditionStatus) {
		d := &appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}}
		d.Name, d.Namespace = name, namespace
		d.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: yes}, {Type: appsv1.DeploymentProgressing, Status: progressing},
		}
		c.add(minutes, d)
	}
	deployment("web", always, yes)
	deployment("stuck", "0-10 60-90", yes)
	deployment("stuck", "10-60", no)
	deployment("paused", "0-70", unknown)

	job := func(name, minutes string, conditions ...batchv1.JobCondition) {
		j := &batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}}
		j.Name, j.Namespace = name, namespace
		j.Status.Conditions = conditions
		c.add(minutes, j)
	}
	job("backup", "0-40")
	job("backup", "40-90", batchv1.JobCondition{Type: batchv1.JobComplete, Status: yes})
	job("import", "0-20")
	job("import", "20-70", batchv1.JobCondition{Type: batchv1.JobFailed, Status: yes})
	job("undecided", "10-60", batchv1.JobCondition{Type: batchv1.JobComplete, Status: unknown})
}

// addPhases adds the objects that have a phase and no conditions.
func (c *cluster) addPhases() {
	volume := func(name, minutes string, phase corev1.PersistentVolumePhase) {
		v := &corev1.PersistentVolume{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolume"}}
		v.Name, v.Status.Phase = name, phase
		c.add(minutes, v)
	}
	volume("data", always, corev1.VolumeBound)
	volume("broken", "0-15 40-90", corev1.VolumeBound)
	volume("broken", "15-40", corev1.VolumeFailed)
	volume("new", "0-30", corev1.VolumePending)
	volume("free", "30-90", corev1.VolumeAvailable)

	claim := func(name, minutes string, phase corev1.PersistentVolumeClaimPhase) {
		v := &corev1.PersistentVolumeClaim{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}}
		v.Name, v.Namespace, v.Status.Phase = name, namespace, phase
		c.add(minutes, v)
	}
	claim("data", always, corev1.ClaimBound)
	claim("waiting", "0-30", corev1.ClaimPending)
	claim("waiting", "30-60", corev1.ClaimLost)

	space := func(name, minutes string, phase corev1.NamespacePhase) {
		n := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
		n.Name, n.Status.Phase = name, phase
		c.add(minutes, n)
	}
	space(namespace, always, corev1.NamespaceActive)
	space("old", "0-20", corev1.NamespaceActive)
	space("old", "20-50", corev1.NamespaceTerminating)
}

// resources returns the requests and limits of each container.
func resources() corev1.ResourceRequirements {
	list := corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("64Mi")}
	return corev1.ResourceRequirements{Requests: list, Limits: list}
}
