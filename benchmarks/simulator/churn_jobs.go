package simulator

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// livingJob is a Job on its way through the stages.
type livingJob struct {
	job, pod types.NamespacedName
	due      time.Time
}

// stage is one step in the life of a Job: what happens so long after the step
// before. Jobs wait in the order they came in.
type stage struct {
	after   time.Duration
	do      func(livingJob) error
	waiting []livingJob
}

func (d *churnDriver) jobStages(c Churn) []stage {
	runs, stays := c.JobRuns, c.JobStays
	if runs <= 0 {
		runs = 5 * time.Second
	}
	if stays <= 0 {
		stays = 10 * time.Second
	}
	return []stage{
		{after: 300 * time.Millisecond, do: d.scheduleJob},
		{after: time.Second, do: func(j livingJob) error { return d.moveJob(j, podRunning) }},
		{after: runs, do: func(j livingJob) error { return d.moveJob(j, podSucceeded) }},
		{after: stays, do: d.removeJob},
	}
}

// stepJobs starts new Jobs and moves on those that are due.
func (d *churnDriver) stepJobs(starting int) error {
	for i := len(d.stages) - 1; i >= 0; i-- {
		s := &d.stages[i]
		for len(s.waiting) > 0 && !s.waiting[0].due.After(d.last) {
			j := s.waiting[0]
			s.waiting = s.waiting[1:]
			if err := ignoreNotFound(s.do(j)); err != nil {
				return err
			}
			d.await(i+1, j)
		}
	}
	for range starting {
		j, err := d.startJob()
		if err != nil {
			return err
		}
		d.await(0, j)
	}
	return nil
}

// await queues the job for a stage, unless it has been through all.
func (d *churnDriver) await(stage int, j livingJob) {
	if stage == len(d.stages) {
		return
	}
	s := &d.stages[stage]
	j.due = d.last.Add(s.after)
	s.waiting = append(s.waiting, j)
}

// startJob creates the Job and its pod, which waits for a node.
func (d *churnDriver) startJob() (livingJob, error) {
	job, pod := d.made.job(d.jobsMade, d.made.ago(0), podUnschedulable)
	d.jobsMade++
	active := job.Status
	job.Status = batchv1.JobStatus{}
	if err := d.cluster.Put(job); err != nil {
		return livingJob{}, err
	}
	if err := d.cluster.Put(pod); err != nil {
		return livingJob{}, err
	}
	job.Status = active
	j := livingJob{job: types.NamespacedName{Namespace: job.Namespace, Name: job.Name}, pod: types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}}
	return j, d.cluster.Put(job)
}

func (d *churnDriver) scheduleJob(j livingJob) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: j.pod.Namespace, Name: j.pod.Name}}
	return d.cluster.Modify(pod, func() {
		node := d.made.anyNode()
		d.made.place(pod, node)
		d.made.podStatus(pod, node, podCreating)
	})
}

// moveJob brings pod and Job to a later state.
func (d *churnDriver) moveJob(j livingJob, to podState) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: j.pod.Namespace, Name: j.pod.Name}}
	err := d.cluster.Modify(pod, func() {
		d.made.podStatus(pod, nodeIdentity{name: pod.Spec.NodeName, address: pod.Status.HostIP}, to)
	})
	if err != nil {
		return err
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: j.job.Namespace, Name: j.job.Name}}
	return d.cluster.Modify(job, func() { d.made.jobStatus(job, to) })
}

func (d *churnDriver) removeJob(j livingJob) error {
	if err := d.cluster.Delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: j.pod.Namespace, Name: j.pod.Name}}); ignoreNotFound(err) != nil {
		return err
	}
	return d.cluster.Delete(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: j.job.Namespace, Name: j.job.Name}})
}

// removeJobs removes those that are on their way.
func (d *churnDriver) removeJobs() error {
	for i := range d.stages {
		for _, j := range d.stages[i].waiting {
			if err := ignoreNotFound(d.removeJob(j)); err != nil {
				return err
			}
		}
		d.stages[i].waiting = nil
	}
	return nil
}
