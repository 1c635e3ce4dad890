package app

import (
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/testing/exporter"
)

func TestHangupWithoutFilesAndWithoutChange(t *testing.T) {
	_, api := exporter.Cluster(t)
	p := start(t, api, "--resources=jobs")
	p.hangUp()
	exporter.Eventually(t, "a line in the log", func() bool { return strings.Contains(p.Log.String(), "no configuration file to reload") })
	if strings.Contains(p.self(t), "config_reload") {
		t.Error("there are metrics of a configuration file without one")
	}
	p.End(t)

	p = start(t, api, written(t, "resources: [jobs]\nlog.level: debug\n"))
	p.Samples(t)
	p.hangUp()
	p.reloads(t, unchanged, 1)
	if strings.Count(p.Log.String(), "msg=starting ") != 1 {
		t.Errorf("a replica was started for a file that is the same:\n%s", p.Log.String())
	}
}

func TestShardIsThatOfEveryGeneration(t *testing.T) {
	_, api := exporter.Cluster(t)
	flag := written(t, "resources: [jobs]\n")
	p := start(t, api, flag, "--shard=1", "--total-shards=2")
	half := p.Samples(t)
	writeFile(t, strings.TrimPrefix(flag, "--config="), "resources: [jobs, nodes]\nlog.level: error\n")
	p.hangUp()
	p.reloads(t, served, 1)
	both := p.Samples(t)
	if got, want := exporter.Count(both, "kube_job_info{"), exporter.Count(half, "kube_job_info{"); got != want || want == 0 {
		t.Errorf("%d jobs of the shard, %d before", got, want)
	}
	if nodes := exporter.Count(both, "kube_node_info{"); nodes == 0 {
		t.Error("no nodes")
	}
	p.hangUp()
	p.reloads(t, unchanged, 1)
	if strings.Contains(p.Log.String(), "configuration unchanged") {
		t.Error("the level of the log did not change")
	}
}
