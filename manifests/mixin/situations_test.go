package mixin

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// situation is an hour of a fleet, and the alerts that fire during it.
type situation struct {
	name     string
	replicas int    // number of replicas that Prometheus scrapes
	active   string // number of active shards, as a series in promtool's notation
	// set has the series that differ from those of a healthy replica. A key is a metric, or a metric and a replica
	// ("up/1"). The metric may have labels.
	set    map[string]string
	ends   map[int]int       // minute at which the pod of a replica ends
	extra  map[string]string // additional series
	alerts map[int]string    // firing alerts by minute; none at other minutes
}

// evalMinutes are the minutes at which promtool evaluates the alerts of each situation.
var evalMinutes = []int{12, 20, 35, 60}

func situations() []situation {
	return []situation{
		{name: "a healthy fleet", replicas: 3, active: "3x60"},
		{
			// Pod 4 is Pending. Replica 3 holds its shard, and waits for the switch.
			name: "scale-up from 3 to 5 that is stuck", replicas: 4, active: "3x60",
			set: map[string]string{
				"statefleet_topology_desired_shards": "3x9 5x51", "statefleet_transition_in_progress": "0x9 1x51",
				"statefleet_ready/3": "_x9 0x51", "up/3": "_x9 0x51",
			},
			alerts: map[int]string{35: "StatefleetTransitionStuck", 60: "StatefleetTransitionStuck"},
		},
		{
			name: "scale-up from 3 to 5", replicas: 5, active: "3x13 5x47",
			set: map[string]string{
				"statefleet_topology_desired_shards": "3x9 5x51", "statefleet_transition_in_progress": "0x9 1x4 0x47",
				"statefleet_ready/3": "_x9 0x4 1x47", "statefleet_ready/4": "_x9 0x4 1x47",
				"up/3": "_x9 0x4 1x47", "up/4": "_x9 0x4 1x47",
			},
		},
		{
			name: "scale-down from 5 to 3", replicas: 5, active: "5x13 3x47",
			set: map[string]string{
				"statefleet_topology_desired_shards": "5x9 3x51", "statefleet_transition_in_progress": "0x9 1x4 0x47",
			},
			ends: map[int]int{3: 14, 4: 14},
		},
		{
			// Replica 1 cannot load its shard of the target table.
			name: "scale-down from 5 to 3 that is stuck", replicas: 5, active: "5x60",
			set: map[string]string{
				"statefleet_topology_desired_shards": "5x9 3x51", "statefleet_transition_in_progress": "0x9 1x51",
			},
			alerts: map[int]string{35: "StatefleetTransitionStuck", 60: "StatefleetTransitionStuck"},
		},
		{
			// Each replica is not ready for two minutes, one after the other.
			name: "rollout without standby", replicas: 3, active: "3x60",
			set: map[string]string{
				"statefleet_ready/2": "1x9 0x2 1x49", "statefleet_shard_served_ratio/2": "0.3333333333x9 0x2 0.3333333333x49",
				"statefleet_ready/1": "1x13 0x2 1x45", "statefleet_shard_served_ratio/1": "0.3333333333x13 0x2 0.3333333333x45",
				"statefleet_ready/0": "1x17 0x2 1x41", "statefleet_shard_served_ratio/0": "0.3333333333x17 0x2 0.3333333333x41",
			},
		},
		{
			name: "rollout to an image that never gets ready", replicas: 3, active: "3x60",
			set: map[string]string{
				"statefleet_ready/2": "1x9 0x51", "up/2": "1x9 0x51", "statefleet_shard_served_ratio/2": "0.3333333333x9 0x51",
			},
			alerts: map[int]string{
				20: "StatefleetObjectsWithoutOwner", 35: "StatefleetObjectsWithoutOwner StatefleetReplicaNotReady",
				60: "StatefleetObjectsWithoutOwner StatefleetReplicaNotReady",
			},
		},
		{
			name: "a lost pod", replicas: 3, active: "3x60",
			ends: map[int]int{1: 10},
			alerts: map[int]string{
				20: "StatefleetObjectsWithoutOwner", 35: "KubeStateMetricsShardsMissing StatefleetObjectsWithoutOwner",
				60: "KubeStateMetricsShardsMissing StatefleetObjectsWithoutOwner",
			},
		},
		{
			name: "a lost pod whose shard a standby serves", replicas: 3, active: "3x60",
			ends: map[int]int{1: 10},
			set: map[string]string{
				"statefleet_standby_serving_neighbour/2": "0x10 1x50",
				"statefleet_shard_served_ratio/2":        "0.3333333333x10 0.6666666666x50",
			},
			alerts: map[int]string{60: "StatefleetStandbyServing"},
		},
		{
			name: "a rollout with standby", replicas: 3, active: "3x60",
			set: map[string]string{
				"statefleet_ready/1": "1x10 0x3 1x47", "statefleet_shard_served_ratio/1": "0.3333333333x10 0x3 0.3333333333x47",
				"statefleet_standby_serving_neighbour/2": "0x10 1x3 0x47",
				"statefleet_shard_served_ratio/2":        "0.3333333333x10 0.6666666666x3 0.3333333333x47",
			},
		},
		{
			name: "an API server that does not answer", replicas: 3, active: "3x60",
			set: map[string]string{
				`kube_state_metrics_watch_total{resource="pods", result="success"}`:      "0+10x10 100x50",
				`kube_state_metrics_watch_total{resource="pods", result="error"}`:        "0x10 0+6x50",
				`statefleet_watch_last_event_timestamp_seconds{resource="pods"}`:         "0+60x10 600x50",
				`statefleet_resource_phase{resource="pods", phase="synced"}`:             "1x60",
				`kube_state_metrics_list_total{resource="pods", result="success"}`:       "1x60",
				`kube_state_metrics_list_total{resource="pods", result="error"}`:         "0x60",
				`statefleet_consistency_checks_total{resource="pods", result="skipped"}`: "0x60",
			},
			alerts: map[int]string{
				35: "KubeStateMetricsWatchErrors StatefleetReplicaStale", 60: "KubeStateMetricsWatchErrors StatefleetReplicaStale",
			},
		},
		{
			name: "a kind that is forbidden", replicas: 3, active: "3x60",
			set: map[string]string{
				`kube_state_metrics_list_total{resource="secrets", result="error"}`: "0+1x60",
				`statefleet_resource_phase{resource="secrets", phase="forbidden"}`:  "1x60",
			},
			alerts: map[int]string{
				20: "StatefleetResourceForbidden", 35: "StatefleetResourceForbidden", 60: "StatefleetResourceForbidden",
			},
		},
		{
			name: "a parallel run beside kube-state-metrics, which has another job", replicas: 3, active: "3x60",
			extra: map[string]string{
				`kube_state_metrics_total_shards{job="ksm", instance="10.0.0.9:8081"}`:                              "1x60",
				`kube_state_metrics_shard_ordinal{job="ksm", instance="10.0.0.9:8081", shard_ordinal="0"}`:          "0x60",
				`kube_pod_info{job="ksm", instance="10.0.0.9:8080", namespace="a", pod="p1", uid="1", node="node"}`: "1x60",
			},
		},
		{
			name: "a parallel run beside kube-state-metrics under one job", replicas: 3, active: "3x60",
			extra: map[string]string{
				`kube_state_metrics_total_shards{job="kube-state-metrics", instance="10.0.0.9:8081"}`:                              "1x60",
				`kube_state_metrics_shard_ordinal{job="kube-state-metrics", instance="10.0.0.9:8081", shard_ordinal="0"}`:          "0x60",
				`kube_pod_info{job="kube-state-metrics", instance="10.0.0.9:8080", namespace="a", pod="p1", uid="1", node="node"}`: "1x60",
			},
			alerts: map[int]string{
				12: "StatefleetObjectsDoubled", 20: "KubeStateMetricsShardingMismatch StatefleetObjectsDoubled",
				35: "KubeStateMetricsShardingMismatch StatefleetObjectsDoubled", 60: "KubeStateMetricsShardingMismatch StatefleetObjectsDoubled",
			},
		},
		{
			name: "a replica whose metrics cannot be scraped", replicas: 3, active: "3x60",
			set: map[string]string{"up/1": "1x9 0x51"},
			alerts: map[int]string{
				20: "StatefleetMetricsNotScraped", 35: "StatefleetMetricsNotScraped", 60: "StatefleetMetricsNotScraped",
			},
		},
		{
			name: "a configuration that was refused", replicas: 3, active: "3x60",
			set: map[string]string{"statefleet_config_last_reload_successful/0": "1x9 0x51"},
			alerts: map[int]string{
				20: "StatefleetConfigReloadFailed", 35: "StatefleetConfigReloadFailed", 60: "StatefleetConfigReloadFailed",
			},
		},
		{
			// Only presets expose these series. They are absent in all other situations.
			name: "custom resources that are not ready", replicas: 3, active: "3x60",
			extra: map[string]string{
				`kube_customresource_certificate_expiration_timestamp_seconds{job="kube-state-metrics", instance="statefleet-0", namespace="a", name="web"}`:                  "86400x60",
				`kube_customresource_certificate_renewal_timestamp_seconds{job="kube-state-metrics", instance="statefleet-0", namespace="a", name="web"}`:                     "-3600x60",
				`gotk_resource_info{job="kube-state-metrics", instance="statefleet-1", customresource_kind="HelmRelease", exported_namespace="a", name="web", ready="False"}`: "1x60",
				`gatewayapi_gateway_status{job="kube-state-metrics", instance="statefleet-2", namespace="a", name="public", type="Programmed"}`:                               "0x60",
			},
			alerts: map[int]string{
				20: "CertificateNotRenewed FluxResourceNotReady GatewayNotProgrammed", 35: "CertificateNotRenewed FluxResourceNotReady GatewayNotProgrammed",
				60: "CertificateNotRenewed FluxResourceNotReady GatewayNotProgrammed",
			},
		},
		{name: "no fleet", extra: map[string]string{"unrelated": "1x60"}, alerts: map[int]string{20: "StatefleetAbsent", 35: "StatefleetAbsent", 60: "StatefleetAbsent"}},
	}
}

// TestSituationsAreGenerated checks the file with which promtool tests all alerts in each situation. It detects alerts
// that fire in addition to the expected ones.
func TestSituationsAreGenerated(t *testing.T) {
	const file = "tests/situations.yaml"
	want := []byte(situationFile())
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, file), want) {
		t.Errorf("%s differs from situations_test.go; run make generate", file)
	}
}

func situationFile() string {
	var b strings.Builder
	b.WriteString(`# Generated from situations_test.go by "make generate".
rule_files: [../rules.yaml]
evaluation_interval: 1m
tests:
`)
	for _, s := range situations() {
		fmt.Fprintf(&b, "  - name: %s\n    interval: 1m\n    input_series:\n", s.name)
		all := s.series()
		for _, series := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "      - series: '%s'\n        values: %s\n", series, all[series])
		}
		b.WriteString("    promql_expr_test:\n")
		for _, minute := range evalMinutes {
			fmt.Fprintf(&b, "      - expr: group by (alertname) (ALERTS{alertstate=\"firing\"})\n        eval_time: %dm\n        exp_samples:", minute)
			fired := strings.Fields(s.alerts[minute])
			if len(fired) == 0 {
				b.WriteString(" []")
			}
			for _, alert := range fired {
				fmt.Fprintf(&b, "\n          - { labels: '{alertname=\"%s\"}', value: 1 }", alert)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// series returns the values of all targets' series.
func (s situation) series() map[string]string {
	all := maps.Clone(s.extra)
	if all == nil {
		all = map[string]string{}
	}
	for i := range s.replicas {
		for metric, values := range s.metrics(i) {
			if end, ok := s.ends[i]; ok {
				values = cut(values, end)
			}
			name, labels, _ := strings.Cut(strings.TrimSuffix(metric, "}"), "{")
			target := fmt.Sprintf(`job="kube-state-metrics", instance="statefleet-%d"`, i)
			if name != "kube_pod_info" && (name != "up" || labels != "") {
				target += `, endpoint="telemetry"`
			}
			if labels != "" {
				target += ", " + labels
			}
			all[name+"{"+target+"}"] = values
		}
	}
	return all
}

// metrics returns the values of a replica's series.
func (s situation) metrics(replica int) map[string]string {
	var served []string // share of the hashes that the replica serves, for each number of active shards
	for _, part := range strings.Fields(s.active) {
		shards, times, _ := strings.Cut(part, "x")
		n, _ := strconv.Atoi(shards)
		share := 0.0
		if replica < n {
			share = 1 / float64(n)
		}
		served = append(served, strconv.FormatFloat(share, 'f', 10, 64)+"x"+times)
	}
	all := map[string]string{
		"up":                              "1x60",
		"kube_state_metrics_total_shards": s.active,
		fmt.Sprintf(`kube_state_metrics_shard_ordinal{shard_ordinal="%d"}`, replica): fmt.Sprintf("%dx60", replica),
		"statefleet_ready":                         "1x60",
		"statefleet_shard_served_ratio":            strings.Join(served, " "),
		"statefleet_topology_active_shards":        s.active,
		"statefleet_topology_desired_shards":       s.active,
		"statefleet_transition_in_progress":        "0x60",
		"statefleet_standby_serving_neighbour":     "0x60",
		"statefleet_config_last_reload_successful": "1x60",
		`statefleet_coordination{state="alone"}`:   "0x60",
		fmt.Sprintf(`kube_pod_info{namespace="a", pod="p%[1]d", uid="%[1]d", node="node"}`, replica): "1x60",
	}
	for key, values := range s.set {
		metric, only, ok := strings.Cut(key, "/")
		if !ok || only == strconv.Itoa(replica) {
			all[metric] = values
		}
	}
	return all
}

// cut ends values in promtool's notation at a minute, with a stale marker.
func cut(values string, at int) string {
	var kept []string
	for _, part := range strings.Fields(values) {
		value, times, _ := strings.Cut(part, "x")
		n, _ := strconv.Atoi(times)
		if at == 0 {
			break
		}
		if n >= at {
			kept = append(kept, fmt.Sprintf("%sx%d", value, at-1))
			break
		}
		kept = append(kept, part)
		at -= n + 1
	}
	return strings.Join(kept, " ") + " stale"
}
