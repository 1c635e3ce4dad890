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
	exporter.Eventually(t, "the reload is in the log", func() bool { return strings.Contains(p.Log.String(), "no configuration file to reload") })
	if strings.Contains(p.selfMetrics(t), "config_reload") {
		t.Error("got metrics about a configuration file, want none without a file")
	}
	p.End(t)

	p = start(t, api, writeConfig(t, "resources: [jobs]\nlog.level: debug\n"))
	p.Samples(t)
	p.hangUp()
	p.waitForReloads(t, unchanged, 1)
	if strings.Count(p.Log.String(), "msg=starting ") != 1 {
		t.Errorf("a reload of an unchanged file started a replica:\n%s", p.Log.String())
	}
}

func TestReloadKeepsTheShard(t *testing.T) {
	_, api := exporter.Cluster(t)
	flag := writeConfig(t, "resources: [jobs]\n")
	p := start(t, api, flag, "--shard=1", "--total-shards=2")
	half := p.Samples(t)
	writeFile(t, strings.TrimPrefix(flag, "--config="), "resources: [jobs, nodes]\nlog.level: error\n")
	p.hangUp()
	p.waitForReloads(t, served, 1)
	both := p.Samples(t)
	if got, want := exporter.Count(both, "kube_job_info{"), exporter.Count(half, "kube_job_info{"); got != want || want == 0 {
		t.Errorf("got %d jobs after the reload, want %d as before", got, want)
	}
	if nodes := exporter.Count(both, "kube_node_info{"); nodes == 0 {
		t.Error("got no nodes after the reload")
	}
	p.hangUp()
	p.waitForReloads(t, unchanged, 1)
	if strings.Contains(p.Log.String(), "configuration unchanged") {
		t.Error("the log level did not change")
	}
}
