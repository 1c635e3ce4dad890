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

// zeroFilter removes the samples of one family that have the value 0. The nil filter removes none.
type zeroFilter struct{ kept []byte }

// zeroFilter returns the filter of a family.
func (f Filter) zeroFilter(family string) *zeroFilter {
	if !f.skipZero {
		return nil
	}
	for _, s := range stateSets() {
		if s.family == family {
			return &zeroFilter{[]byte(s.kept)}
		}
	}
	return nil
}

// apply removes lines in place and returns the others.
func (f *zeroFilter) apply(lines []byte) []byte {
	if f == nil {
		return lines
	}
	kept := lines[:0]
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n') + 1
		if line := lines[:end]; !bytes.HasSuffix(line, []byte("} 0\n")) || f.keeps(line) {
			kept = append(kept, line...)
		}
		lines = lines[end:]
	}
	return kept
}

// keeps reports whether a line has the labels of the samples that stay. Quotes in values are escaped, so no value can
// look like these labels.
func (f *zeroFilter) keeps(line []byte) bool {
	return len(f.kept) > 0 && bytes.Contains(line, f.kept)
}
