package e2e

import "testing"

// expositionMatchesSeededObjects compares one or two values of each kind with the seeded objects, because shards that
// agree with each other could all be wrong.
func (w *world) expositionMatchesSeededObjects(t *testing.T) {
	whole := w.startReplica(t)
	whole.WaitReady(t)
	page := whole.Scrape(t)
	for series, want := range map[string]string{
		`kube_cronjob_spec_suspend{cronjob="report",namespace="batch"}`:                                                                   "0",
		`kube_cronjob_status_last_schedule_time{cronjob="report",namespace="batch"}`:                                                      "1.7723664e+09",
		`kube_daemonset_status_number_unavailable{daemonset="agent",namespace="shop"}`:                                                    "1",
		`kube_deployment_status_replicas_ready{deployment="web",namespace="shop"}`:                                                        "2",
		`kube_deployment_spec_strategy_rollingupdate_max_surge{deployment="web",namespace="shop"}`:                                        "1",
		`kube_horizontalpodautoscaler_status_desired_replicas{horizontalpodautoscaler="web",namespace="shop"}`:                            "4",
		`kube_job_status_failed{job_name="report-failed",namespace="batch",reason="BackoffLimitExceeded"}`:                                "1",
		`kube_job_owner{job_name="report-running",namespace="batch",owner_is_controller="true",owner_kind="CronJob",owner_name="report"}`: "1",
		`kube_limitrange{constraint="default",limitrange="defaults",namespace="limits",resource="cpu",type="Container"}`:                  "0.5",
		`kube_namespace_status_phase{namespace="shop",phase="Active"}`:                                                                    "1",
		`kube_node_spec_unschedulable{node="node-3"}`:                                                                                     "1",
		`kube_node_status_allocatable{node="node-1",resource="cpu",unit="core"}`:                                                          "7.8",
		`kube_persistentvolumeclaim_resource_requests_storage_bytes{namespace="shop",persistentvolumeclaim="data-0"}`:                     "1.073741824e+10",
		`kube_replicaset_status_ready_replicas{namespace="shop",replicaset="web-7d9f"}`:                                                   "2",
		`kube_replicationcontroller_status_ready_replicas{namespace="shop",replicationcontroller="legacy"}`:                               "1",
		`kube_resourcequota{namespace="limits",resource="requests.cpu",resourcequota="quota",type="used"}`:                                "2.5",
		`kube_statefulset_replicas{namespace="shop",statefulset="db"}`:                                                                    "2",
		`kube_statefulset_replicas{namespace="statefleet",statefulset="statefleet"}`:                                                      "3",
	} {
		if got := page.Samples[series]; got != want {
			t.Errorf("%s: got %q, want %s", series, got, want)
		}
	}
	// Series with a label for the object's UID, which the API server chose.
	for _, fact := range []struct {
		family string
		labels map[string]string
		want   float64
	}{
		{"kube_pod_container_status_restarts_total", map[string]string{"namespace": "shop", "pod": "web-0003", "container": "main"}, 12},
		{"kube_pod_status_phase", map[string]string{"namespace": "shop", "pod": "web-0002", "phase": "Failed"}, 1},
		{"kube_pod_owner", map[string]string{"namespace": "shop", "pod": "web-0000", "owner_kind": "ReplicaSet", "owner_name": "web-7d9f"}, 1},
		{"kube_pod_annotations", map[string]string{"pod": "web-0000", "annotation_note": "a \"quoted\" line\nand a back\\slash"}, 1},
		{"kube_service_status_load_balancer_ingress", map[string]string{"service": "edge", "hostname": "edge.example.org"}, 1},
	} {
		if got, n := page.Sum(fact.family, fact.labels); got != fact.want || n != 1 {
			t.Errorf("%s%v: got %v in %d samples, want %v in 1 sample", fact.family, fact.labels, got, n, fact.want)
		}
	}
}
