package resources

import "bytes"

// stateSet is a family with one sample for each state that an object may be in, so that most samples have the value 0.
// Selection.SkipZeroStateSets leaves these out.
type stateSet struct {
	family string
	// kept is a sequence of labels as it appears in the exposition. A sample with these labels stays even if its value
	// is 0, because rules compare it with 0 or count its changes. If kept is empty, no sample with the value 0 stays.
	kept string
}

// stateSets lists the families whose samples with the value 0 can be left out. The test in test/statesets evaluates
// rules with and without these samples.
//
// kube_pod_container_status_ready is not one of them: a container has only one such sample, and alerts compare it with
// 0.
func stateSets() []stateSet {
	return []stateSet{
		{family: "kube_deployment_status_condition"},
		{family: "kube_job_complete"},
		{family: "kube_job_failed"},
		{family: "kube_namespace_status_phase"},
		{family: "kube_node_status_condition", kept: `condition="Ready",status="true"`},
		{family: "kube_persistentvolume_status_phase"},
		{family: "kube_persistentvolumeclaim_status_phase"},
		{family: "kube_pod_container_status_running"},
		{family: "kube_pod_container_status_terminated"},
		{family: "kube_pod_container_status_waiting"},
		{family: "kube_pod_init_container_status_running"},
		{family: "kube_pod_init_container_status_terminated"},
		{family: "kube_pod_init_container_status_waiting"},
		{family: "kube_pod_status_phase"},
		{family: "kube_pod_status_qos_class"},
		{family: "kube_pod_status_ready", kept: `condition="true"`},
		{family: "kube_pod_status_scheduled"},
	}
}

// stateSet returns the state set that a family is, or nil if its samples with the value 0 stay.
func (f Filter) stateSet(family string) *stateSet {
	if !f.SkipZeroStateSets {
		return nil
	}
	for _, s := range stateSets() {
		if s.family == family {
			return &s
		}
	}
	return nil
}

// withoutZeros removes lines in place and returns the others. The nil stateSet removes none. Quotes in values are
// escaped, so no value can look like the labels of the samples that stay.
func (s *stateSet) withoutZeros(lines []byte) []byte {
	if s == nil {
		return lines
	}
	left := lines[:0]
	for line := range bytes.Lines(lines) {
		isZero := bytes.HasSuffix(line, []byte("} 0\n"))
		if !isZero || s.kept != "" && bytes.Contains(line, []byte(s.kept)) {
			left = append(left, line...)
		}
	}
	return left
}
