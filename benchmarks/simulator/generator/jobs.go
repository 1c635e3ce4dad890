package generator

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

const batchVersion = "batch/v1"

func (g *generator) jobWorkload(i int, namespace, name string) *workload {
	w := g.workload(i, namespace, name, batchVersion, "Job")
	w.template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return w
}

func (g *generator) putCronJobs() {
	for i := range g.spec.cronJobs {
		w := g.jobWorkload(i, g.namespace(i), fmt.Sprintf("%s-nightly-%d", appName(i), i))
		scheduled, suspend := g.ago(g.within(time.Hour)), g.chance(5)
		job := manifest[*batchv1.CronJob](g, g.workloadMeta(w))
		job.Spec.Schedule = pick(g, "*/5 * * * *", "0 3 * * *", "15 * * * *", "@hourly")
		job.Spec.Suspend, job.Spec.JobTemplate.Spec.Template = &suspend, w.template
		job.Status.LastScheduleTime, job.Status.LastSuccessfulTime = &scheduled, &scheduled
		g.put(g.withAppliedMetadata(job, w, 1))
		g.cronJobs = append(g.cronJobs, job.ObjectMeta)
	}
}

func (g *generator) putJobs() {
	for i := range g.spec.Jobs {
		state := podSucceeded
		switch n := g.random.IntN(100); {
		case n < 8:
			state = podRunning
		case n < 13:
			state = podFailed
		}
		job, pod := g.job(i, g.ago(time.Minute+g.within(24*time.Hour)), state)
		g.put(job)
		g.put(pod)
	}
}

// job generates a Job and its pod. If there are CronJobs, three in four Jobs belong
// to one.
func (g *generator) job(i int, created metav1.Time, state podState) (*batchv1.Job, *corev1.Pod) {
	namespace := g.namespace(i)
	name := fmt.Sprintf("%s-task-%d-%s", appName(i), i, g.suffix())
	var owners []metav1.OwnerReference
	if len(g.cronJobs) > 0 && i%4 != 0 {
		owner := g.cronJobs[i%len(g.cronJobs)]
		namespace = owner.Namespace
		owners = []metav1.OwnerReference{controllerReference(batchVersion, "CronJob", owner)}
		name = numbered(owner.Name, 29_000_000+i)
	}
	w := g.jobWorkload(i, namespace, name)
	job := manifest[*batchv1.Job](g, g.meta(namespace, name, nil))
	job.OwnerReferences = owners
	job.CreationTimestamp = created
	w.labels = maps.Clone(w.labels)
	w.labels[batchv1.ControllerUidLabel], w.labels[batchv1.JobNameLabel] = string(job.UID), name
	w.template.Labels, job.Labels = w.labels, w.labels
	w.selector = map[string]string{batchv1.ControllerUidLabel: string(job.UID)}
	job.Spec.Selector, job.Spec.Template = w.labelSelector(), w.template
	g.setJobStatus(job, state)
	g.withAppliedMetadata(job, w, 1)

	meta := g.ownedMeta(w, name+"-"+g.suffix(), w.ownerReference(job.ObjectMeta))
	meta.GenerateName, meta.CreationTimestamp = name+"-", created
	return job, g.pod(w, meta, g.randomNode(), state)
}

// setJobStatus sets the status of a Job according to the state of its pod.
func (g *generator) setJobStatus(job *batchv1.Job, state podState) {
	started := job.CreationTimestamp
	finished := g.after(started, 45*time.Second)
	job.Status = batchv1.JobStatus{
		StartTime: &started, Ready: new(int32(0)), UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{},
	}
	conditions := func(reason, message string, types ...batchv1.JobConditionType) {
		for _, typ := range types {
			job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
				Type: typ, Status: corev1.ConditionTrue, Reason: reason, Message: message,
				LastProbeTime: finished, LastTransitionTime: finished,
			})
		}
	}
	switch state {
	case podRunning:
		job.Status.Active, job.Status.Ready = 1, new(int32(1))
	case podSucceeded:
		job.Status.Succeeded, job.Status.CompletionTime = 1, &finished
		conditions(batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods",
			batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)
	case podFailed:
		job.Status.Failed = 1
		conditions(batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit",
			batchv1.JobFailureTarget, batchv1.JobFailed)
	default:
		job.Status.Active = 1
	}
}

// liveJob is a Job that has not been through all stages.
type liveJob struct {
	job, pod types.NamespacedName
	stage    int // index of the next one
	due      time.Time
}

// stage is one step in the life of a Job. The driver calls do when after has passed since
// the previous stage.
type stage struct {
	after time.Duration
	do    func(liveJob) error
}

func (d *driver) jobStages(c Churn) []stage {
	return []stage{
		{after: 300 * time.Millisecond, do: d.scheduleJob},
		{after: time.Second, do: func(j liveJob) error { return d.transitionJob(j, podRunning) }},
		{after: cmp.Or(c.JobRuns, 5*time.Second), do: func(j liveJob) error { return d.transitionJob(j, podSucceeded) }},
		{after: cmp.Or(c.JobStays, 10*time.Second), do: d.removeJob},
	}
}

// advanceJobs runs the next stage of the Jobs that are due, the oldest first.
func (d *driver) advanceJobs() error {
	live := d.live[:0]
	for _, j := range d.live {
		if !j.due.After(d.last) {
			if err := ignoreNotFound(d.stages[j.stage].do(j)); err != nil {
				return err
			}
			if j.stage++; j.stage == len(d.stages) {
				continue
			}
			j.due = d.last.Add(d.stages[j.stage].after)
		}
		live = append(live, j)
	}
	d.live = live
	return nil
}

// startJob creates a Job and its unscheduled pod.
func (d *driver) startJob() error {
	job, pod := d.generator.job(d.jobsMade, d.generator.ago(0), podUnschedulable)
	d.jobsMade++
	active := job.Status
	job.Status = batchv1.JobStatus{}
	for _, obj := range []simulator.Object{job, pod} {
		if err := d.cluster.Put(obj); err != nil {
			return err
		}
	}
	job.Status = active
	d.live = append(d.live, liveJob{
		job: types.NamespacedName{Namespace: job.Namespace, Name: job.Name},
		pod: types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name},
		due: d.last.Add(d.stages[0].after),
	})
	return d.cluster.Put(job)
}

func (d *driver) scheduleJob(j liveJob) error {
	pod := &corev1.Pod{ObjectMeta: metaOf(j.pod)}
	return d.cluster.Modify(pod, func() {
		node := d.generator.randomNode()
		d.generator.schedule(pod, node)
		d.generator.setPodStatus(pod, node, podCreating)
	})
}

// transitionJob moves a pod and its Job to a later state.
func (d *driver) transitionJob(j liveJob, to podState) error {
	pod := &corev1.Pod{ObjectMeta: metaOf(j.pod)}
	err := d.cluster.Modify(pod, func() {
		d.generator.setPodStatus(pod, nodeIdentity{name: pod.Spec.NodeName, address: pod.Status.HostIP}, to)
	})
	if err != nil {
		return err
	}
	job := &batchv1.Job{ObjectMeta: metaOf(j.job)}
	return d.cluster.Modify(job, func() { d.generator.setJobStatus(job, to) })
}

func (d *driver) removeJob(j liveJob) error {
	return errors.Join(ignoreNotFound(d.cluster.Delete(&corev1.Pod{ObjectMeta: metaOf(j.pod)})),
		ignoreNotFound(d.cluster.Delete(&batchv1.Job{ObjectMeta: metaOf(j.job)})))
}

// removeJobs removes all live Jobs.
func (d *driver) removeJobs() error {
	for _, j := range d.live {
		if err := d.removeJob(j); err != nil {
			return err
		}
	}
	return nil
}
